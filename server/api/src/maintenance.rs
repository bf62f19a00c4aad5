//! etcdserverpb.Maintenance

use taffrail_member::{Chunks, Status as MemberStatus};
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::downgrade_request::DowngradeAction;
use taffrail_proto::etcdserverpb::maintenance_server::Maintenance;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::status::{CLUSTER_VERSION_UNAVAILABLE, INVALID_DOWNGRADE_TARGET, UNKNOWN_METHOD, WRONG_DOWNGRADE_VERSION};
use crate::{Api, status};

type Answer<T> = Result<Response<T>, Status>;
type Blob = Result<pb::SnapshotResponse, Status>;

/// Messages read ahead of the client.
const SNAPSHOT_BLOBS_AHEAD_MAX: usize = 8;

#[tonic::async_trait]
impl Maintenance for Api {
    async fn alarm(&self, request: Request<pb::AlarmRequest>) -> Answer<pb::AlarmResponse> {
        let request = request.into_inner();
        if AlarmAction::try_from(request.action).is_err() {
            return Err(Status::invalid_argument("etcdserver: unknown alarm action"));
        }
        self.respond(self.member().alarm(request).await.map_err(status::write)?)
    }

    async fn status(&self, _: Request<pb::StatusRequest>) -> Answer<pb::StatusResponse> {
        let status = self.member().status();
        Ok(Response::new(self.status_response(status)))
    }

    async fn defragment(&self, _: Request<pb::DefragmentRequest>) -> Answer<pb::DefragmentResponse> {
        self.member().defragment().await;
        Ok(Response::new(pb::DefragmentResponse { header: None }))
    }

    async fn hash(&self, _: Request<pb::HashRequest>) -> Answer<pb::HashResponse> {
        let (revision, hash) = self.member().hash().await.map_err(status::read)?;
        Ok(Response::new(pb::HashResponse {
            header: Some(self.header(revision)),
            hash,
        }))
    }

    async fn hash_kv(&self, request: Request<pb::HashKvRequest>) -> Answer<pb::HashKvResponse> {
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
    async fn snapshot(&self, _: Request<pb::SnapshotRequest>) -> Answer<Self::SnapshotStream> {
        let version = self.0.config.storage_version.clone();
        let chunks = self.member().backup(version.clone()).await;
        let chunks = chunks.map_err(|error| status::backup(&error))?;
        let (blobs, stream) = mpsc::channel(SNAPSHOT_BLOBS_AHEAD_MAX);
        tokio::task::spawn_blocking(move || send(chunks, &version, &blobs));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn move_leader(&self, request: Request<pb::MoveLeaderRequest>) -> Answer<pb::MoveLeaderResponse> {
        let moved = self.member().move_leader(request.into_inner().target_id).await;
        moved.map_err(status::move_leader)?;
        Ok(Response::new(pb::MoveLeaderResponse { header: None }))
    }

    async fn downgrade(&self, request: Request<pb::DowngradeRequest>) -> Answer<pb::DowngradeResponse> {
        let pb::DowngradeRequest { action, version } = request.into_inner();
        let cluster = self.member().view().cluster_version();
        match DowngradeAction::try_from(action) {
            Ok(DowngradeAction::Validate) => self.validate_downgrade(&version, cluster),
            // etcd only logs that there is nothing to cancel.
            Ok(DowngradeAction::Cancel) => self.downgrade_response(&cluster.ok_or(CLUSTER_VERSION_UNAVAILABLE)?),
            Ok(DowngradeAction::Enable) => Err(Status::unimplemented("this version cannot downgrade a cluster")),
            Err(_) => Err(UNKNOWN_METHOD.into()),
        }
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
            db_size: status.sizes.total_bytes as i64,
            leader: status.leader.unwrap_or(0),
            raft_index: status.progress.committed_index,
            raft_term: status.progress.term,
            raft_applied_index: status.progress.applied_index,
            errors,
            db_size_in_use: status.sizes.in_use_bytes as i64,
            is_learner: status.is_learner,
            storage_version: self.0.config.storage_version.clone(),
            // etcd tells a switched-off quota as the negative number it was given.
            db_size_quota: config.quota_bytes.map_or(-1, |bytes| bytes as i64),
            downgrade_info: Some(pb::DowngradeInfo::default()),
        }
    }

    fn validate_downgrade(&self, wanted: &str, cluster: Option<String>) -> Answer<pb::DowngradeResponse> {
        let wanted = minor_version(wanted).ok_or(WRONG_DOWNGRADE_VERSION)?;
        let cluster = cluster.ok_or(CLUSTER_VERSION_UNAVAILABLE)?;
        let current = minor_version(&cluster).ok_or(CLUSTER_VERSION_UNAVAILABLE)?;
        let allowed = (current.0, current.1.saturating_sub(1));
        if wanted != allowed {
            return Err(INVALID_DOWNGRADE_TARGET.into());
        }
        self.downgrade_response(&cluster)
    }

    fn downgrade_response(&self, cluster: &str) -> Answer<pb::DowngradeResponse> {
        let version = cluster.rsplit_once('.').map_or(cluster, |(minor, _)| minor).to_owned();
        Ok(Response::new(pb::DowngradeResponse {
            header: Some(self.current_header()),
            version,
        }))
    }
}

/// `3.5` and `3.5.0` are the same version here.
fn minor_version(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split('.');
    let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let patch = parts.next().unwrap_or("0").parse::<u64>();
    (patch.is_ok() && parts.next().is_none()).then_some((major, minor))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_with_or_without_patch() {
        assert_eq!(minor_version("3.5"), Some((3, 5)));
        assert_eq!(minor_version("3.5.0"), Some((3, 5)));
        assert_eq!(minor_version("3"), None);
        assert_eq!(minor_version("3.5.0.1"), None);
        assert_eq!(minor_version("three.five"), None);
    }
}
