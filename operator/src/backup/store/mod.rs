//! Where backups are: S3, GCS, Azure Blob or a volume, all alike.
//!
//! Enters: names and bytes. Leaves: bytes, or a [`Failure`] that says what to do. Always holds: nothing is written over,
//! a name appears once its bytes are whole, every wait has an end, memory does not grow with objects.

mod http;
mod open;
mod read;
mod refusal;
mod upload;
mod volume;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::progress::Progress;
use super::{Failure, Reason};

pub use read::Download;
pub use upload::Upload;

/// Longer lists are not looked at: a schedule of every minute makes as many in two years.
const LIST_MAX: usize = 1_000_000;
/// Pieces that bodies of requests are sent in: what progress is counted by.
const PIECE_BYTES: usize = 128 << 10;

/// One target.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// Where it is mounted, if it is a volume: then files are written by [`volume`].
    mounted: Option<PathBuf>,
    prefix: String,
    /// `s3://BUCKET/PREFIX`, for people.
    uri: String,
    progress: Arc<Progress>,
    stall: Duration,
}

/// What is in the store under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Without the target's prefix.
    pub key: String,
    pub bytes: u64,
    pub modified: Timestamp,
}

/// Whether a name was free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    Yes,
    Exists,
}

impl Store {
    /// Another store behind the same doors, for tests.
    pub fn around(objects: Arc<dyn ObjectStore>, progress: Arc<Progress>, stall: Duration) -> Self {
        Self {
            objects,
            mounted: None,
            prefix: String::new(),
            uri: "memory://".into(),
            progress,
            stall,
        }
    }

    pub fn uri_of(&self, key: &str) -> String {
        format!("{}/{key}", self.uri)
    }

    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Whether the bucket is there and lets one in; `folder` is looked into.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn probe(&self, folder: &str) -> Result<(), Failure> {
        let path = self.path(folder)?;
        let first = async {
            self.objects
                .list(Some(&path))
                .try_next()
                .await
                .map_err(|error| self.failure(&error))
        };
        self.guarded(first).await.map(drop)
    }

    /// Bytes of an object; None if it is not there.
    ///
    /// # Errors
    /// If the store cannot tell.
    pub async fn size(&self, key: &str) -> Result<Option<u64>, Failure> {
        let path = self.path(key)?;
        let head = async { self.found(self.objects.head(&path).await) };
        Ok(self.guarded(head).await?.map(|meta| meta.size))
    }

    /// A small object; None if it is not there.
    ///
    /// # Errors
    /// If it has more than `bytes_max`, or cannot be read.
    pub async fn read_small(&self, key: &str, bytes_max: u64) -> Result<Option<Bytes>, Failure> {
        let path = self.path(key)?;
        let read = async {
            let Some(found) = self.found(self.objects.get(&path).await)? else {
                return Ok(None);
            };
            if found.meta.size > bytes_max {
                return Err(Failure::new(
                    Reason::Invalid,
                    format!("{} has {} bytes", self.uri_of(key), found.meta.size),
                ));
            }
            found.bytes().await.map(Some).map_err(|error| self.failure(&error))
        };
        self.guarded(read).await
    }

    /// A small object under a name that is free.
    ///
    /// # Errors
    /// If it cannot be written; it is there whole or not at all, as far as the store keeps its own promises.
    pub async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, Failure> {
        let path = self.path(key)?;
        match &self.mounted {
            Some(root) => volume::create(root, &path, bytes).await,
            None => self.guarded(self.put(&path, bytes)).await,
        }
    }

    async fn put(&self, path: &Path, bytes: Bytes) -> Result<Created, Failure> {
        use object_store::Error::{AlreadyExists, NotImplemented, Precondition};
        let put = self
            .objects
            .put_opts(path, payload(bytes.clone()), PutMode::Create.into())
            .await;
        match put {
            Ok(_) => Ok(Created::Yes),
            Err(AlreadyExists { .. } | Precondition { .. }) => Ok(Created::Exists),
            // A store that knows no conditions: look first. Names hold a UID, so that nobody else wants this one.
            Err(NotImplemented { .. }) => self.put_after_a_look(path, bytes).await,
            Err(error) if refusal::knows_no_conditions(&error) => self.put_after_a_look(path, bytes).await,
            Err(error) => Err(self.failure(&error)),
        }
    }

    async fn put_after_a_look(&self, path: &Path, bytes: Bytes) -> Result<Created, Failure> {
        if self.found(self.objects.head(path).await)?.is_some() {
            return Ok(Created::Exists);
        }
        let put = self.objects.put(path, payload(bytes)).await;
        put.map(|_| Created::Yes).map_err(|error| self.failure(&error))
    }

    /// Everything below a folder.
    ///
    /// # Errors
    /// If it cannot be listed, or is longer than anybody's.
    pub async fn list(&self, folder: &str) -> Result<Vec<Listed>, Failure> {
        let path = self.path(folder)?;
        let list = async {
            let (mut all, mut stream) = (Vec::new(), self.objects.list(Some(&path)));
            while let Some(meta) = stream.try_next().await.map_err(|error| self.failure(&error))? {
                self.progress.moved(0);
                all.extend(self.listed(&meta));
                if all.len() > LIST_MAX {
                    let message = format!("more than {LIST_MAX} objects are in {}", self.uri_of(folder));
                    return Err(Failure::new(Reason::Invalid, message));
                }
            }
            Ok(all)
        };
        self.guarded(list).await
    }

    fn listed(&self, meta: &object_store::ObjectMeta) -> Option<Listed> {
        let path = meta.location.as_ref();
        let key = match self.prefix.as_str() {
            "" => path,
            prefix => path.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        Some(Listed {
            key: key.into(),
            bytes: meta.size,
            modified: Timestamp::from_second(meta.last_modified.timestamp()).ok()?,
        })
    }

    /// Removes an object; that it was not there is no error.
    ///
    /// # Errors
    /// If the store does not let it go.
    pub async fn delete(&self, key: &str) -> Result<(), Failure> {
        let path = self.path(key)?;
        let delete = async { self.found(self.objects.delete(&path).await).map(drop) };
        self.guarded(delete).await
    }

    fn found<T>(&self, answer: object_store::Result<T>) -> Result<Option<T>, Failure> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(error) if refusal::is_absence(&error) => Ok(None),
            Err(error) => Err(self.failure(&error)),
        }
    }

    fn failure(&self, error: &object_store::Error) -> Failure {
        refusal::failure(error, &self.uri)
    }

    async fn guarded<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.progress.guard(self.stall, &self.uri, work).await
    }

    fn path(&self, key: &str) -> Result<Path, Failure> {
        let full = match self.prefix.as_str() {
            "" => key.to_owned(),
            prefix => format!("{prefix}/{key}"),
        };
        let path = Path::parse(&full);
        path.map_err(|error| Failure::new(Reason::Invalid, format!("{full:?} is no name of an object: {error}")))
    }
}

/// In pieces, none of which is copied.
fn payload(mut bytes: Bytes) -> PutPayload {
    let mut pieces = Vec::with_capacity(bytes.len() / PIECE_BYTES + 1);
    while bytes.len() > PIECE_BYTES {
        pieces.push(bytes.split_to(PIECE_BYTES));
    }
    pieces.push(bytes);
    PutPayload::from_iter(pieces)
}

#[cfg(test)]
mod tests;
