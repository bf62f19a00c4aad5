//! A member's snapshot becomes an object with a manifest beside it.
//!
//! Enters: a [`Take`]. Leaves: an [`Artifact`] whose manifest is in the store. Always holds: a manifest is written last
//! and never over another; an object whose snapshot did not arrive whole is never completed.

mod member;
mod name;
mod point;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use taffrail_crds::Artifact;

use super::manifest::{MANIFEST_BYTES_MAX, Manifest};
use super::progress::Progress;
use super::request::Take;
use super::run::Stop;
use super::store::{Created, Store};
use super::{Failure, Reason, keys, pack, places::Places};
use member::Source;
use name::Name;
use point::Point;
use stream::Streamed;

/// Compactions that a backup gives way to before it gives up.
const POINTS_MAX: usize = 5;

/// # Errors
/// If there is no backup; nothing of it is left then, as far as the store can be reached.
pub async fn take(request: &Take, places: &Places, progress: Arc<Progress>, stop: Stop) -> Result<Artifact, Failure> {
    let stall = Duration::from_secs(request.stall_seconds.max(1));
    let store = Store::open(&request.target, places, progress, stall)?;
    into(store, request, places, stop).await
}

/// Into this store.
///
/// # Errors
/// As [`take`].
pub async fn into(store: Store, request: &Take, places: &Places, stop: Stop) -> Result<Artifact, Failure> {
    let identities = keys::identities(&places.identity, request.identity)?;
    let recipients = keys::recipients(&request.recipients, &identities)?;
    let ending = pack::ending(request.compression, !recipients.is_empty());
    let key = match name::free(&store, &request.key, ending, &request.origin).await? {
        Name::Taken(artifact) => return Ok(*artifact),
        Name::Free(key) => key,
    };
    let source = member::choose(request, places).await?;
    let mut last = None;
    for _ in 0..POINTS_MAX {
        let point = match point::find(&source).await {
            Err(point::PointError::Compacted) => continue,
            Err(point::PointError::Failed(failure)) => return Err(failure),
            Ok(point) => point,
        };
        match stream::stream(&store, request, &source, &point, (&key, &recipients), stop.clone()).await {
            Err(stream::StreamError::Compacted) => last = Some(point.revision),
            Err(stream::StreamError::Failed(failure)) => return Err(failure),
            Ok(streamed) => {
                return commit(
                    &store,
                    request,
                    &source,
                    (&key, !recipients.is_empty()),
                    point,
                    streamed,
                )
                .await;
            }
        }
    }
    Err(compacted_away(last))
}

fn compacted_away(last: Option<i64>) -> Failure {
    let message = format!(
        "the cluster is compacted faster than a snapshot begins (last tried at revision {}): compact less often",
        last.map_or("?".into(), |revision| revision.to_string())
    );
    Failure::new(Reason::Failed, message)
}

/// The manifest: from now on there is a backup.
async fn commit(
    store: &Store,
    request: &Take,
    source: &Source,
    (key, encrypted): (&str, bool),
    point: Point,
    streamed: Streamed,
) -> Result<Artifact, Failure> {
    has_arrived(store, key, streamed.object.bytes).await?;
    let Streamed { object, seen, taken_at } = streamed;
    let artifact = Artifact {
        uri: store.uri_of(key),
        key: key.into(),
        size_bytes: signed(object.bytes),
        snapshot_bytes: signed(seen.bytes),
        sha256: object.sha256,
        snapshot_sha256: seen.sha256(),
        revision: point.revision,
        hash_kv: i64::from(point.hashed.hash),
        compact_revision: point.hashed.compact_revision,
        keys: point.keys,
        cluster_id: format!("{:x}", source.facts.cluster_id),
        etcd_version: source.facts.version.clone(),
        compression: request.compression,
        encrypted,
        member: source.name.clone(),
        taken_at: rfc3339(taken_at),
    };
    let manifest = Manifest::new(artifact, request.origin.clone());
    write(store, key, &manifest).await?;
    Ok(manifest.artifact)
}

async fn has_arrived(store: &Store, key: &str, bytes: u64) -> Result<(), Failure> {
    match store.size(key).await? {
        Some(found) if found == bytes => Ok(()),
        found => {
            let found = found.map_or("nothing".into(), |found| format!("{found} bytes"));
            let message = format!(
                "{bytes} bytes were written to {}, and {found} came to be there",
                store.uri_of(key)
            );
            Err(Failure::new(Reason::Truncated, message))
        }
    }
}

async fn write(store: &Store, key: &str, manifest: &Manifest) -> Result<(), Failure> {
    let at = Manifest::key_of(key);
    let created = store.create(&at, manifest.encode()?.into()).await?;
    // An answer may have been lost on its way: what lies there decides, whoever was asked to write it.
    let found = store.read_small(&at, MANIFEST_BYTES_MAX).await?;
    let found = found.ok_or_else(|| Failure::new(Reason::Truncated, format!("{} vanished", store.uri_of(&at))))?;
    match Manifest::decode(&found) {
        Ok(found) if found == *manifest => Ok(()),
        Err(failure) if created == Created::Yes => Err(failure),
        _ => Err(Failure::new(
            Reason::Exists,
            format!("{} is somebody else's; it was left as it is", store.uri_of(&at)),
        )),
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Whole seconds.
fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
