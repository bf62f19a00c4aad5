//! etcdserverpb.Cluster. Every header here has revision 0, as in etcd.

use taffrail_member::MemberInfo;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::cluster_server::Cluster;
use tonic::{Request, Response, Status};

use crate::status::{MEMBER_NOT_FOUND, MEMBER_NOT_LEARNER, NOT_ENOUGH_STARTED, PEER_URL_EXISTS};
use crate::{Api, check, status};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Cluster for Api {
    async fn member_add(&self, request: Request<pb::MemberAddRequest>) -> Answer<pb::MemberAddResponse> {
        let urls = request.into_inner().peer_ur_ls;
        check::peer_urls(&urls)?;
        if self
            .member()
            .members()
            .iter()
            .any(|member| member.peer_urls.iter().any(|url| urls.contains(url)))
        {
            return Err(PEER_URL_EXISTS.into());
        }
        Err(membership_is_fixed())
    }

    async fn member_remove(&self, request: Request<pb::MemberRemoveRequest>) -> Answer<pb::MemberRemoveResponse> {
        self.find(request.into_inner().id)?;
        // Nobody would be left to decide anything.
        Err(NOT_ENOUGH_STARTED.into())
    }

    async fn member_update(&self, request: Request<pb::MemberUpdateRequest>) -> Answer<pb::MemberUpdateResponse> {
        self.find(request.into_inner().id)?;
        Err(membership_is_fixed())
    }

    async fn member_list(&self, request: Request<pb::MemberListRequest>) -> Answer<pb::MemberListResponse> {
        if request.into_inner().linearizable {
            self.member().barrier().await.map_err(status::read)?;
        }
        let members = self.member().members().into_iter().map(wire).collect();
        Ok(Response::new(pb::MemberListResponse {
            header: Some(self.header(0)),
            members,
        }))
    }

    async fn member_promote(&self, request: Request<pb::MemberPromoteRequest>) -> Answer<pb::MemberPromoteResponse> {
        if !self.find(request.into_inner().id)?.is_learner {
            return Err(MEMBER_NOT_LEARNER.into());
        }
        Err(membership_is_fixed())
    }
}

impl Api {
    fn find(&self, id: u64) -> Result<MemberInfo, Status> {
        let found = self.member().members().into_iter().find(|member| member.id == id);
        found.ok_or_else(|| MEMBER_NOT_FOUND.into())
    }
}

fn membership_is_fixed() -> Status {
    Status::unimplemented("this version runs a single member: its membership cannot be changed")
}

fn wire(member: MemberInfo) -> pb::Member {
    pb::Member {
        id: member.id,
        name: member.name,
        peer_ur_ls: member.peer_urls,
        client_ur_ls: member.client_urls,
        is_learner: member.is_learner,
    }
}
