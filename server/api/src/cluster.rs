//! etcdserverpb.Cluster. Every header here has revision 0, as in etcd.

use taffrail_member::MemberInfo;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::cluster_server::Cluster;
use tonic::{Request, Response, Status};

use crate::{Api, check, status};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Cluster for Api {
    /// The new member has no name and no client URLs until it has started.
    async fn member_add(&self, request: Request<pb::MemberAddRequest>) -> Answer<pb::MemberAddResponse> {
        let credentials = self.credentials(&request);
        let request = request.into_inner();
        check::peer_urls(&request.peer_ur_ls)?;
        self.demand_admin(&credentials).await?;
        let added = self.member().add_member(request.peer_ur_ls, request.is_learner).await;
        let (member, members) = added.map_err(status::member)?;
        Ok(Response::new(pb::MemberAddResponse {
            header: Some(self.header(0)),
            member: Some(wire(member)),
            members: wires(members),
        }))
    }

    async fn member_remove(&self, request: Request<pb::MemberRemoveRequest>) -> Answer<pb::MemberRemoveResponse> {
        self.demand_admin(&self.credentials(&request)).await?;
        let removed = self.member().remove_member(request.into_inner().id).await;
        Ok(Response::new(pb::MemberRemoveResponse {
            members: wires(removed.map_err(status::member)?),
            header: Some(self.header(0)),
        }))
    }

    /// Unlike etcd we look whether anybody can be reached at the new URLs' form at all.
    async fn member_update(&self, request: Request<pb::MemberUpdateRequest>) -> Answer<pb::MemberUpdateResponse> {
        let credentials = self.credentials(&request);
        let request = request.into_inner();
        check::peer_urls(&request.peer_ur_ls)?;
        self.demand_admin(&credentials).await?;
        let updated = self.member().update_member(request.id, request.peer_ur_ls).await;
        Ok(Response::new(pb::MemberUpdateResponse {
            members: wires(updated.map_err(status::member)?),
            header: Some(self.header(0)),
        }))
    }

    async fn member_list(&self, request: Request<pb::MemberListRequest>) -> Answer<pb::MemberListResponse> {
        let credentials = self.credentials(&request);
        if request.into_inner().linearizable {
            self.member().barrier().await.map_err(status::read)?;
        }
        self.demand_user(&credentials).await?;
        Ok(Response::new(pb::MemberListResponse {
            header: Some(self.header(0)),
            members: wires(self.member().members()),
        }))
    }

    async fn member_promote(&self, request: Request<pb::MemberPromoteRequest>) -> Answer<pb::MemberPromoteResponse> {
        self.demand_admin(&self.credentials(&request)).await?;
        let promoted = self.member().promote_member(request.into_inner().id).await;
        Ok(Response::new(pb::MemberPromoteResponse {
            members: wires(promoted.map_err(status::member)?),
            header: Some(self.header(0)),
        }))
    }
}

fn wires(members: Vec<MemberInfo>) -> Vec<pb::Member> {
    members.into_iter().map(wire).collect()
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
