//! From the store onto the disk, through every check, with a bounded number of pieces on the way.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use age::x25519::Identity;
use bytes::{Buf, Bytes};
use taffrail_crds::Artifact;
use tokio::sync::mpsc;

use super::folder::{ARTIFACT_PARTIAL, SNAPSHOT_PARTIAL};
use crate::backup::finish::sync;
use crate::backup::pack::Packed;
use crate::backup::request::Fetch;
use crate::backup::snapshot::{Seen, Watcher};
use crate::backup::store::{Download, Store};
use crate::backup::unpack::unpack;
use crate::backup::{Failure, Reason};

/// Pieces between network and disk; a piece is what the network gives at once.
const PIECES_MAX: usize = 64;

/// # Errors
/// If the object does not come, or is not what it should be. A half-written file may be left.
pub async fn write(
    store: &Store,
    request: &Fetch,
    identities: &[Identity],
    artifact: Option<&Artifact>,
) -> Result<Seen, Failure> {
    let download = store.download(&request.key).await?;
    let (send, receive) = mpsc::channel(PIECES_MAX);
    let at = Path::new(&request.folder).join(SNAPSHOT_PARTIAL);
    let (identities, expected) = (identities.to_vec(), download.bytes);
    let writer = tokio::task::spawn_blocking(move || to_disk(&at, Pieces::new(receive), &identities));
    let ((), written) = tokio::join!(feed(download, send), writer);
    let (object, seen) = written.map_err(|error| Failure::new(Reason::Failed, error.to_string()))?;
    checked(store, request, artifact, (object, expected), seen)
}

/// Errors go down the same way as the pieces before them.
async fn feed(mut download: Download, send: mpsc::Sender<Result<Bytes, Failure>>) {
    loop {
        let next = download.next().await.transpose();
        let Some(next) = next else { return };
        let failed = next.is_err();
        if send.send(next).await.is_err() || failed {
            return;
        }
    }
}

fn to_disk(at: &Path, pieces: Pieces, identities: &[Identity]) -> (Packed, Result<Seen, Failure>) {
    let disk = |error: &io::Error| Failure::disk(at, error);
    let (mut file, mut watcher) = (File::create(at).map_err(|error| disk(&error)), Watcher::default());
    let take = |piece: &[u8]| {
        watcher.see(piece);
        let file = file.as_mut().map_err(|failure| failure.clone())?;
        file.write_all(piece).map_err(|error| disk(&error))
    };
    let (object, done) = unpack(pieces, identities, take);
    let sealed = done.and(file).and_then(|mut file| {
        let seen = seal(&mut file, watcher.any()?).map_err(|error| disk(&error))?;
        file.sync_all().map_err(|error| disk(&error))?;
        Ok(seen)
    });
    (object, sealed)
}

/// The object's own digest has the first word: what is wrong inside of it follows from that.
fn checked(
    store: &Store,
    request: &Fetch,
    artifact: Option<&Artifact>,
    (object, expected): (Packed, u64),
    seen: Result<Seen, Failure>,
) -> Result<Seen, Failure> {
    let uri = store.uri_of(&request.key);
    if seen.as_ref().is_err_and(|failure| !failure.is_damage()) {
        return seen;
    }
    if object.bytes != expected {
        let message = format!("{uri}: {} of {expected} bytes came", object.bytes);
        return Err(Failure::new(Reason::Truncated, message));
    }
    let Some(artifact) = artifact else { return seen };
    if object.sha256 != artifact.sha256 {
        let message = format!(
            "{uri} is not what was written: sha256 {}, not {}",
            object.sha256, artifact.sha256
        );
        return Err(Failure::new(Reason::ChecksumMismatch, message));
    }
    let seen = seen?;
    let whole = seen.sealed && i64::try_from(seen.bytes) == Ok(artifact.snapshot_bytes);
    match whole && seen.sha256() == artifact.snapshot_sha256 {
        true => Ok(seen),
        false => {
            let message = format!(
                "the snapshot in {uri} is not the one that was taken: {} bytes",
                seen.bytes
            );
            Err(Failure::new(Reason::ChecksumMismatch, message))
        }
    }
}

/// A database without a digest gets one, so that whoever restores it need not be told to look less closely.
fn seal(file: &mut File, seen: Seen) -> io::Result<Seen> {
    if seen.sealed {
        return Ok(seen);
    }
    tracing::warn!("this is a database without a digest: nothing tells whether it is whole");
    file.write_all(&seen.digest)?;
    Ok(Seen {
        bytes: seen.bytes + seen.digest.len() as u64,
        ..seen
    })
}

/// Gives the checked snapshot its name.
///
/// # Errors
/// If the disk fails.
pub async fn publish(folder: &Path, artifact: Option<&Artifact>) -> Result<(), Failure> {
    let text = artifact.map(serde_json::to_vec).transpose();
    let text = text.map_err(|error| Failure::new(Reason::Failed, error.to_string()))?;
    let folder = folder.to_owned();
    let done = tokio::task::spawn_blocking(move || name(&folder, text.as_deref())).await;
    done.unwrap_or_else(|error| Err(Failure::new(Reason::Failed, error.to_string())))
}

fn name(folder: &Path, artifact: Option<&[u8]>) -> Result<(), Failure> {
    if let Some(text) = artifact {
        let at = folder.join(ARTIFACT_PARTIAL);
        fs::write(&at, text).map_err(|error| Failure::disk(&at, &error))?;
        sync(&at)?;
        rename(at, folder.join(Fetch::ARTIFACT))?;
    }
    rename(folder.join(SNAPSHOT_PARTIAL), folder.join(Fetch::SNAPSHOT))?;
    sync(folder)
}

fn rename(from: PathBuf, to: PathBuf) -> Result<(), Failure> {
    fs::rename(&from, &to).map_err(|error| Failure::disk(&to, &error))
}

/// Pieces from another thread, as a file.
struct Pieces {
    receive: mpsc::Receiver<Result<Bytes, Failure>>,
    piece: Bytes,
    failed: Option<Failure>,
}

impl Pieces {
    fn new(receive: mpsc::Receiver<Result<Bytes, Failure>>) -> Self {
        Self {
            receive,
            piece: Bytes::new(),
            failed: None,
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            // Asked again after a failure, it fails again: an end would be believed.
            if let Some(failure) = &self.failed {
                return Err(io::Error::other(failure.clone()));
            }
            match self.receive.blocking_recv() {
                None => return Ok(0),
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(failure)) => self.failed = Some(failure),
            }
        }
        let read = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}
