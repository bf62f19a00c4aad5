//! Calls that a test expects to succeed.

use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::{
    AlarmRequest, AlarmResponse, AlarmType, CompactionRequest, DeleteRangeRequest, DeleteRangeResponse, HashKvRequest,
    HashKvResponse, LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseLeasesRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, MemberListRequest,
    PutRequest, PutResponse, RangeRequest, RangeResponse, ResponseHeader, SnapshotRequest, StatusRequest,
    StatusResponse, TxnRequest, TxnResponse,
};

use tonic::{Code, Status};

use crate::client::Client;
use crate::{Member, requests};

/// What every answer starts with.
pub fn revision(header: &Option<ResponseHeader>) -> i64 {
    header.as_ref().expect("the answer has a header").revision
}

/// A refusal with this code, and this text behind etcd's prefix.
pub fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, text: &str) {
    let error = answer.expect_err(text);
    let expected = format!("etcdserver: {text}");
    assert_eq!((error.code(), error.message()), (code, expected.as_str()));
}

impl Client {
    pub async fn put(&self, request: PutRequest) -> PutResponse {
        self.kv().put(request).await.expect("the put succeeds").into_inner()
    }
    pub async fn range(&self, request: RangeRequest) -> RangeResponse {
        self.kv().range(request).await.expect("the range succeeds").into_inner()
    }
    pub async fn delete(&self, request: DeleteRangeRequest) -> DeleteRangeResponse {
        self.kv()
            .delete_range(request)
            .await
            .expect("the delete succeeds")
            .into_inner()
    }
    pub async fn txn(&self, request: TxnRequest) -> TxnResponse {
        self.kv()
            .txn(request)
            .await
            .expect("the transaction succeeds")
            .into_inner()
    }
    pub async fn compact(&self, revision: i64) {
        self.kv()
            .compact(CompactionRequest {
                revision,
                physical: true,
            })
            .await
            .expect("the compaction succeeds");
    }
    /// The newest revision.
    pub async fn revision(&self) -> i64 {
        revision(&self.range(requests::get("?")).await.header)
    }
    /// The value as text, if the key exists.
    pub async fn text(&self, key: &str) -> Option<String> {
        let found = self.range(requests::get(key.to_owned())).await.kvs.into_iter().next()?;
        Some(String::from_utf8_lossy(&found.value).into_owned())
    }

    pub async fn grant(&self, request: LeaseGrantRequest) -> LeaseGrantResponse {
        self.lease()
            .lease_grant(request)
            .await
            .expect("the grant succeeds")
            .into_inner()
    }
    /// The revision of the answer.
    pub async fn revoke(&self, id: i64) -> i64 {
        let answer = self.lease().lease_revoke(LeaseRevokeRequest { id }).await;
        revision(&answer.expect("the revocation succeeds").into_inner().header)
    }
    /// With the attached keys, sorted: etcd gives them in any order.
    pub async fn time_to_live(&self, id: i64) -> LeaseTimeToLiveResponse {
        let request = LeaseTimeToLiveRequest { id, keys: true };
        let answer = self.lease().lease_time_to_live(request).await;
        let mut answer = answer.expect("the lease is looked up").into_inner();
        answer.keys.sort();
        answer
    }
    pub async fn keep_alive(&self, id: i64) -> LeaseKeepAliveResponse {
        self.try_keep_alive(id).await.expect("the keepalive is answered")
    }
    pub async fn try_keep_alive(&self, id: i64) -> Result<LeaseKeepAliveResponse, tonic::Status> {
        let once = futures::stream::iter([LeaseKeepAliveRequest { id }]);
        let mut answers = self.lease().lease_keep_alive(once).await?.into_inner();
        let answer = answers.message().await?;
        answer.ok_or_else(|| tonic::Status::aborted("the stream ended without an answer"))
    }
    pub async fn lease_ids(&self) -> Vec<i64> {
        let answer = self
            .lease()
            .lease_leases(LeaseLeasesRequest {})
            .await
            .expect("leases are listed");
        let mut ids: Vec<_> = answer.into_inner().leases.iter().map(|lease| lease.id).collect();
        ids.sort_unstable();
        ids
    }

    pub async fn status(&self) -> StatusResponse {
        self.maintenance()
            .status(StatusRequest {})
            .await
            .expect("the member tells its status")
            .into_inner()
    }
    pub async fn member_id(&self) -> u64 {
        let header = self.status().await.header;
        header.expect("the answer has a header").member_id
    }
    /// Everybody, as this member knows it after asking the leader.
    pub async fn members(&self) -> Vec<pb::Member> {
        let request = MemberListRequest { linearizable: true };
        let answer = self.cluster().member_list(request).await;
        answer.expect("members are listed").into_inner().members
    }
    pub async fn hash_kv(&self, revision: i64) -> HashKvResponse {
        self.maintenance()
            .hash_kv(HashKvRequest { revision })
            .await
            .expect("the member hashes")
            .into_inner()
    }
    pub async fn alarm(&self, request: AlarmRequest) -> AlarmResponse {
        self.maintenance()
            .alarm(request)
            .await
            .expect("the alarm call succeeds")
            .into_inner()
    }
    pub async fn raise(&self, alarm: AlarmType, member_id: u64) {
        self.alarm(AlarmRequest {
            action: AlarmAction::Activate.into(),
            member_id,
            alarm: alarm.into(),
        })
        .await;
    }
    pub async fn raise_nospace(&self) {
        self.raise(AlarmType::Nospace, self.member_id().await).await;
    }
    /// The snapshot stream, message by message.
    pub async fn snapshot(&self) -> Vec<taffrail_proto::etcdserverpb::SnapshotResponse> {
        let mut stream = self
            .maintenance()
            .snapshot(SnapshotRequest {})
            .await
            .expect("the stream opens")
            .into_inner();
        let mut messages = Vec::new();
        while let Some(message) = stream.message().await.expect("the stream goes on") {
            messages.push(message);
        }
        messages
    }
    /// The snapshot as a client saves it.
    pub async fn save_snapshot(&self, path: &std::path::Path) {
        let blobs: Vec<_> = self.snapshot().await.into_iter().map(|message| message.blob).collect();
        std::fs::write(path, blobs.concat()).expect("the file is writable");
    }
}

impl Member {
    /// A member whose data fill its quota so far that its NOSPACE alarm does not go off by itself.
    pub async fn nearly_full() -> Self {
        let member = Self::builder().arg("--quota-backend-bytes=20000").start().await;
        member.put(requests::put("fill", vec![b'x'; 19_000])).await;
        member
    }
}
