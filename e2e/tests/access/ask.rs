//! What can be asked, and how it is sent.

use bytes::Bytes;
use taffrail_e2e::requests::{delete_range, op, put, range};
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use taffrail_proto::etcdserverpb::request_op::Request as Op;
use taffrail_proto::etcdserverpb::watch_client::WatchClient;
use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use tonic::Status;

use crate::guarded::{As, Guarded};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    Range {
        key: Bytes,
        end: Bytes,
    },
    Put {
        key: Bytes,
        lease: i64,
        prev_kv: bool,
    },
    Delete {
        key: Bytes,
        end: Bytes,
        prev_kv: bool,
    },
    /// Compares that always hold, then operations in one branch or nested.
    Txn {
        compares: Vec<(Bytes, Bytes)>,
        ops: Vec<Ask>,
    },
    Watch {
        key: Bytes,
        end: Bytes,
    },
    Revoke(i64),
    KeepAlive(i64),
    TimeToLive(i64, bool),
    Leases,
    Status,
    Alarms,
    Members,
    HashKv,
    Hash,
    MoveLeader,
    AuthStatus,
    AddUser,
    Users,
    Roles,
    User(String),
    Role(String),
}

/// What came back, without anything that differs between two members.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Ok,
    Refused(tonic::Code, String),
}

impl Answer {
    /// The text without etcd's prefix.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Answer::Ok => None,
            Answer::Refused(_, text) => Some(text.split_once("etcdserver: ").map_or(text, |(_, text)| text)),
        }
    }
}

fn answer<T>(result: Result<tonic::Response<T>, Status>) -> Answer {
    match result {
        Ok(_) => Answer::Ok,
        Err(status) => Answer::Refused(status.code(), status.message().to_owned()),
    }
}

impl Ask {
    pub async fn send(&self, to: &Guarded, who: &As) -> Answer {
        let member = &to.member;
        match self {
            Ask::Range { .. } | Ask::Put { .. } | Ask::Delete { .. } | Ask::Txn { .. } => self.send_kv(to, who).await,
            Ask::Watch { key, end } => watch(to, who, key, end).await,
            Ask::Revoke(id) => answer(
                member
                    .lease()
                    .lease_revoke(who.asks(pb::LeaseRevokeRequest { id: *id }))
                    .await,
            ),
            Ask::KeepAlive(id) => keep_alive(to, who, *id).await,
            Ask::TimeToLive(id, keys) => {
                let request = pb::LeaseTimeToLiveRequest { id: *id, keys: *keys };
                answer(member.lease().lease_time_to_live(who.asks(request)).await)
            }
            Ask::Leases => answer(member.lease().lease_leases(who.asks(pb::LeaseLeasesRequest {})).await),
            Ask::Members => answer(
                member
                    .cluster()
                    .member_list(who.asks(pb::MemberListRequest::default()))
                    .await,
            ),
            Ask::Status | Ask::Alarms | Ask::HashKv | Ask::Hash | Ask::MoveLeader => self.send_upkeep(to, who).await,
            _ => self.send_auth(to, who).await,
        }
    }

    async fn send_kv(&self, to: &Guarded, who: &As) -> Answer {
        let mut kv = to.member.kv();
        match self.op() {
            Op::RequestRange(range) => answer(kv.range(who.asks(range)).await),
            Op::RequestPut(put) => answer(kv.put(who.asks(put)).await),
            Op::RequestDeleteRange(delete) => answer(kv.delete_range(who.asks(delete)).await),
            Op::RequestTxn(txn) => answer(kv.txn(who.asks(txn)).await),
        }
    }

    async fn send_upkeep(&self, to: &Guarded, who: &As) -> Answer {
        let mut maintenance = to.member.maintenance();
        match self {
            Ask::Status => answer(maintenance.status(who.asks(pb::StatusRequest {})).await),
            Ask::Alarms => answer(maintenance.alarm(who.asks(pb::AlarmRequest::default())).await),
            Ask::HashKv => answer(maintenance.hash_kv(who.asks(pb::HashKvRequest::default())).await),
            Ask::Hash => answer(maintenance.hash(who.asks(pb::HashRequest {})).await),
            _ => answer(
                maintenance
                    .move_leader(who.asks(pb::MoveLeaderRequest::default()))
                    .await,
            ),
        }
    }

    async fn send_auth(&self, to: &Guarded, who: &As) -> Answer {
        let mut auth = to.auth();
        match self {
            Ask::Users => answer(auth.user_list(who.asks(pb::AuthUserListRequest {})).await),
            Ask::Roles => answer(auth.role_list(who.asks(pb::AuthRoleListRequest {})).await),
            Ask::User(name) => answer(
                auth.user_get(who.asks(pb::AuthUserGetRequest { name: name.clone() }))
                    .await,
            ),
            Ask::Role(role) => answer(
                auth.role_get(who.asks(pb::AuthRoleGetRequest { role: role.clone() }))
                    .await,
            ),
            Ask::AddUser => answer(auth.user_add(who.asks(again())).await),
            _ => answer(auth.auth_status(who.asks(pb::AuthStatusRequest {})).await),
        }
    }

    /// As part of a transaction, or alone.
    fn op(&self) -> Op {
        match self {
            Ask::Range { key, end } => Op::RequestRange(range(key.clone(), end.clone())),
            Ask::Put { key, lease, prev_kv } => Op::RequestPut(pb::PutRequest {
                lease: *lease,
                prev_kv: *prev_kv,
                ..put(key.clone(), "v")
            }),
            Ask::Delete { key, end, prev_kv } => Op::RequestDeleteRange(pb::DeleteRangeRequest {
                prev_kv: *prev_kv,
                ..delete_range(key.clone(), end.clone())
            }),
            Ask::Txn { compares, ops } => Op::RequestTxn(pb::TxnRequest {
                compare: compares.iter().map(|(key, end)| always(key, end)).collect(),
                success: ops.iter().map(|ask| op(ask.op())).collect(),
                failure: Vec::new(),
            }),
            other => unreachable!("{other:?} is no operation on keys"),
        }
    }
}

/// Somebody who is there already.
fn again() -> pb::AuthUserAddRequest {
    pb::AuthUserAddRequest {
        name: "root".into(),
        password: "root".into(),
        ..Default::default()
    }
}

/// Holds for every key, there or not.
fn always(key: &Bytes, end: &Bytes) -> pb::Compare {
    pb::Compare {
        result: CompareResult::Greater.into(),
        target: CompareTarget::Version.into(),
        key: key.clone(),
        range_end: end.clone(),
        target_union: Some(TargetUnion::Version(-1)),
    }
}

async fn keep_alive(to: &Guarded, who: &As, id: i64) -> Answer {
    let requests = futures::stream::iter([pb::LeaseKeepAliveRequest { id }]);
    let stream = match to.member.lease().lease_keep_alive(who.asks(requests)).await {
        Ok(stream) => stream,
        Err(status) => return answer::<()>(Err(status)),
    };
    answer(stream.into_inner().message().await.map(tonic::Response::new))
}

/// A watch that is refused is told so on a stream that goes on.
async fn watch(to: &Guarded, who: &As, key: &Bytes, end: &Bytes) -> Answer {
    let create = RequestUnion::CreateRequest(pb::WatchCreateRequest {
        key: key.clone(),
        range_end: end.clone(),
        ..Default::default()
    });
    let request = pb::WatchRequest {
        request_union: Some(create),
    };
    let requests = futures::StreamExt::chain(futures::stream::iter([request]), futures::stream::pending());
    let stream = WatchClient::new(to.member.channel()).watch(who.asks(requests)).await;
    let created = stream.expect("a stream").into_inner().message().await;
    let created = created.expect("the stream goes on").expect("an answer");
    assert!(created.created);
    if !created.canceled {
        return Answer::Ok;
    }
    // Told in words alone.
    Answer::Refused(tonic::Code::Ok, created.cancel_reason)
}
