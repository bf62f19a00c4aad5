//! etcdserverpb.Maintenance

use taffrail_member::{Chunks, Status as MemberStatus};
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::downgrade_request::DowngradeAction;
use taffrail_proto::etcdserverpb::maintenance_server::Maintenance;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::status::UNKNOWN_METHOD;
use crate::{Api, status};

type Answer<T> = Result<Response<T>, Status>;
type Blob = Result<pb::SnapshotResponse, Status>;

/// Messages read ahead of the client.
const SNAPSHOT_BLOBS_AHEAD_MAX: usize = 8;

/// What a cluster speaks until every member has told its version.
const UNDECIDED: &str = "3.0.0";

#[tonic::async_trait]
impl Maintenance for Api {
    async fn alarm(&self, request: Request<pb::AlarmRequest>) -> Answer<pb::AlarmResponse> {
        let credentials = self.credentials(&request);
        let request = request.into_inner();
        let caller = match AlarmAction::try_from(request.action) {
            Ok(AlarmAction::Get) => self.demand_user(&credentials).await?,
            Ok(_) => self.demand_admin(&credentials).await?,
            Err(_) => return Err(Status::invalid_argument("etcdserver: unknown alarm action")),
        };
        self.respond(self.member().alarm(&caller, request).await.map_err(status::write)?)
    }

    async fn status(&self, request: Request<pb::StatusRequest>) -> Answer<pb::StatusResponse> {
        self.demand_user(&self.credentials(&request)).await?;
        let status = self.member().status();
        Ok(Response::new(self.status_response(status)))
    }

    async fn defragment(&self, request: Request<pb::DefragmentRequest>) -> Answer<pb::DefragmentResponse> {
        self.demand_admin(&self.credentials(&request)).await?;
        let _told = self.0.config.stop_on_defrag.then(|| self.0.defragmenting.begin());
        self.member().defragment().await;
        Ok(Response::new(pb::DefragmentResponse { header: None }))
    }

    async fn hash(&self, request: Request<pb::HashRequest>) -> Answer<pb::HashResponse> {
        self.demand_admin(&self.credentials(&request)).await?;
        let (revision, hash) = self.member().hash().await.map_err(status::read)?;
        Ok(Response::new(pb::HashResponse {
            header: Some(self.header(revision)),
            hash,
        }))
    }

    async fn hash_kv(&self, request: Request<pb::HashKvRequest>) -> Answer<pb::HashKvResponse> {
        self.demand_admin(&self.credentials(&request)).await?;
        let (revision, found) = self
            .member()
            .hash_kv(request.into_inner().revision)
            .await
            .map_err(status::read)?;
        Ok(Response::new(pb::HashKvResponse {
            header: Some(self.header(revision)),
            hash: found.hash,
            compact_revision: found.compact_revision,
            hash_revision: found.hash_revision,
        }))
    }

    type SnapshotStream = ReceiverStream<Blob>;

    /// The backup file in pieces, then the sha256 of all of them.
    async fn snapshot(&self, request: Request<pb::SnapshotRequest>) -> Answer<Self::SnapshotStream> {
        self.demand_admin(&self.credentials(&request)).await?;
        let version = self.storage_version(self.member().view().cluster_version());
        let chunks = self.member().backup(version.clone()).await;
        let chunks = chunks.map_err(|error| status::backup(&error))?;
        let (blobs, stream) = mpsc::channel(SNAPSHOT_BLOBS_AHEAD_MAX);
        tokio::task::spawn_blocking(move || send(chunks, &version, &blobs));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn move_leader(&self, request: Request<pb::MoveLeaderRequest>) -> Answer<pb::MoveLeaderResponse> {
        self.demand_admin(&self.credentials(&request)).await?;
        let moved = self.member().move_leader(request.into_inner().target_id).await;
        moved.map_err(status::move_leader)?;
        Ok(Response::new(pb::MoveLeaderResponse { header: None }))
    }

    async fn downgrade(&self, request: Request<pb::DowngradeRequest>) -> Answer<pb::DowngradeResponse> {
        self.demand_admin(&self.credentials(&request)).await?;
        let pb::DowngradeRequest { action, version } = request.into_inner();
        let spoken = match DowngradeAction::try_from(action) {
            Ok(DowngradeAction::Validate) => self.member().validate_downgrade(&version).await,
            Ok(DowngradeAction::Enable) => self.member().enable_downgrade(&version).await,
            Ok(DowngradeAction::Cancel) => self.member().cancel_downgrade().await,
            Err(_) => return Err(UNKNOWN_METHOD.into()),
        };
        self.downgrade_response(&spoken.map_err(status::downgrade)?)
    }
}

impl Api {
    fn status_response(&self, status: MemberStatus) -> pb::StatusResponse {
        let config = self.member().config();
        let mut errors = Vec::new();
        if status.leader.is_none() {
            errors.push(crate::status::NO_LEADER.text.to_owned());
        }
        errors.extend(status.alarms.iter().map(alarm_text));
        pb::StatusResponse {
            header: Some(self.header(status.revision)),
            version: config.version.clone(),
            db_size: at_least_one(status.sizes.total_bytes),
            leader: status.leader.unwrap_or(0),
            raft_index: status.progress.committed_index,
            raft_term: status.progress.term,
            raft_applied_index: status.progress.applied_index,
            errors,
            db_size_in_use: at_least_one(status.sizes.in_use_bytes),
            is_learner: status.is_learner,
            storage_version: self.storage_version(status.cluster_version),
            // etcd tells a switched-off quota as the negative number it was given.
            db_size_quota: config.quota_bytes.map_or(-1, |bytes| bytes as i64),
            downgrade_info: Some(pb::DowngradeInfo {
                enabled: status.downgrade.enabled,
                target_version: status.downgrade.ver,
            }),
        }
    }

    /// It follows the cluster's version, as soon as that is decided.
    pub(crate) fn storage_version(&self, cluster: Option<String>) -> String {
        let decided = cluster.filter(|version| version != UNDECIDED);
        decided.unwrap_or_else(|| self.0.config.storage_version.clone())
    }

    fn downgrade_response(&self, cluster: &str) -> Answer<pb::DowngradeResponse> {
        let version = cluster.rsplit_once('.').map_or(cluster, |(minor, _)| minor).to_owned();
        Ok(Response::new(pb::DowngradeResponse {
            header: Some(self.current_header()),
            version,
        }))
    }
}

/// An empty database of etcd has a size too, and etcdctl divides by it.
fn at_least_one(bytes: u64) -> i64 {
    bytes.max(1) as i64
}

fn alarm_text(alarm: &pb::AlarmMember) -> String {
    format!("memberID:{} alarm:{} ", alarm.member_id, alarm.alarm().as_str_name())
}

fn send(chunks: Chunks, version: &str, blobs: &mpsc::Sender<Blob>) {
    for chunk in chunks {
        let blob = chunk.map(|chunk| pb::SnapshotResponse {
            header: None,
            remaining_bytes: chunk.remaining_bytes,
            blob: chunk.bytes,
            version: version.to_owned(),
        });
        let blob = blob.map_err(|error| Status::unknown(format!("etcdserver: {error}")));
        if blobs.blocking_send(blob).is_err() {
            // The client has left.
            return;
        }
    }
}
