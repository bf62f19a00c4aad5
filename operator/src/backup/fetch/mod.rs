//! An object becomes a snapshot file that can be restored, checked by every digest there is.
//!
//! Enters: a [`Fetch`]. Leaves: `restore.snapshot.db`, safe on the disk. Always holds: nothing that is not of an earlier
//! attempt is touched, and a snapshot has its name only once every check has passed.

mod folder;
mod write;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use taffrail_crds::Artifact;

use super::manifest::{MANIFEST_BYTES_MAX, Manifest};
use super::places::Places;
use super::progress::Progress;
use super::request::Fetch;
use super::store::Store;
use super::{Failure, Outcome, Reason, keys};

pub use folder::{data_dir_in, remove_leftovers};

/// A second look at an object that came damaged: the way may have damaged it.
const ATTEMPTS: usize = 2;

/// # Errors
/// If there is no sound snapshot; the folder has no more in it than before then.
pub async fn fetch(request: &Fetch, places: &Places, progress: Arc<Progress>) -> Result<Outcome, Failure> {
    let folder = Path::new(&request.folder);
    if folder::is_done(folder, request.data_dir.as_deref())? {
        return Ok(Outcome::Fetched {
            artifact: None,
            snapshot_bytes: 0,
        });
    }
    let stall = Duration::from_secs(request.stall_seconds.max(1));
    let store = Store::open(&request.target, places, progress, stall)?;
    from(&store, request, places).await
}

/// From this store.
///
/// # Errors
/// As [`fetch`].
pub async fn from(store: &Store, request: &Fetch, places: &Places) -> Result<Outcome, Failure> {
    let folder = Path::new(&request.folder);
    folder::clear(folder)?;
    let identities = keys::identities(&places.identity, request.identity)?;
    let artifact = expected(store, request).await?;
    let bytes = size(store, &request.key, artifact.as_ref()).await?;
    folder::has_room(
        folder,
        artifact
            .as_ref()
            .map_or(bytes, |artifact| unsigned(artifact.snapshot_bytes)),
    )?;
    let seen = sound(store, request, &identities, artifact.as_ref()).await?;
    write::publish(folder, artifact.as_ref()).await?;
    Ok(Outcome::Fetched {
        artifact,
        snapshot_bytes: seen.bytes,
    })
}

async fn sound(
    store: &Store,
    request: &Fetch,
    identities: &[age::x25519::Identity],
    artifact: Option<&Artifact>,
) -> Result<super::snapshot::Seen, Failure> {
    let mut attempt = 1;
    loop {
        let failure = match write::write(store, request, identities, artifact).await {
            Ok(seen) => return Ok(seen),
            Err(failure) => failure,
        };
        folder::clear(Path::new(&request.folder))?;
        let damaged = matches!(failure.reason, Reason::ChecksumMismatch | Reason::Truncated);
        if !damaged || attempt == ATTEMPTS {
            return Err(failure);
        }
        tracing::warn!(%failure, "is fetched once more");
        attempt += 1;
    }
}

/// What manifest and status say; they must not contradict each other.
async fn expected(store: &Store, request: &Fetch) -> Result<Option<Artifact>, Failure> {
    let at = Manifest::key_of(&request.key);
    let manifest = match store.read_small(&at, MANIFEST_BYTES_MAX).await? {
        Some(text) => Some(Manifest::decode(&text)?.artifact),
        None => None,
    };
    match (manifest, &request.artifact) {
        (Some(manifest), _) if manifest.key != request.key => Err(contradiction(store, &at, "it is of another object")),
        (Some(manifest), Some(status)) if !agree(&manifest, status) => Err(contradiction(
            store,
            &at,
            "the EtcdBackup says something else: the object was replaced",
        )),
        (None, Some(status)) => {
            tracing::warn!(at, "there is no manifest: what the EtcdBackup says is checked alone");
            Ok(Some(status.clone()))
        }
        (manifest, _) => Ok(manifest),
    }
}

fn agree(manifest: &Artifact, status: &Artifact) -> bool {
    let told = |one: &Artifact| (one.size_bytes, one.snapshot_bytes, one.revision, one.keys, one.hash_kv);
    told(manifest) == told(status)
        && manifest.sha256 == status.sha256
        && manifest.snapshot_sha256 == status.snapshot_sha256
}

fn contradiction(store: &Store, at: &str, why: &str) -> Failure {
    Failure::new(
        Reason::Mismatch,
        format!("{}: {why}; nothing was restored", store.uri_of(at)),
    )
}

async fn size(store: &Store, key: &str, artifact: Option<&Artifact>) -> Result<u64, Failure> {
    let uri = store.uri_of(key);
    let Some(bytes) = store.size(key).await? else {
        store.probe("").await?;
        return Err(Failure::new(
            Reason::NotFound,
            format!("{uri} is not there: look at what is in the target"),
        ));
    };
    match artifact.map(|artifact| unsigned(artifact.size_bytes)) {
        Some(expected) if expected != bytes => Err(Failure::new(
            Reason::Truncated,
            format!("{uri} has {bytes} bytes and had {expected}: it is damaged"),
        )),
        _ => Ok(bytes),
    }
}

fn unsigned(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
