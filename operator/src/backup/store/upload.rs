//! An object as it is made, part by part. Until [`Upload::complete`] there is nothing under its name; after
//! [`Upload::abort`] there is nothing at all.

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt};
use tokio::task::JoinSet;

use super::{Created, Store, payload, volume};
use crate::backup::{Failure, Reason};

/// Parts on their way at a time: with the one that is being filled, what memory holds.
const PARTS_MAX: usize = 3;

pub struct Upload {
    store: Store,
    key: String,
    way: Way,
}

enum Way {
    /// Nothing has been sent: what fits into one part is sent in one request.
    Whole,
    Parts(Box<dyn MultipartUpload>, JoinSet<object_store::Result<()>>),
    File(volume::Draft),
}

impl Store {
    /// # Errors
    /// If it cannot be begun.
    pub async fn upload(&self, key: &str) -> Result<Upload, Failure> {
        let path = self.path(key)?;
        let way = match &self.mounted {
            Some(root) => Way::File(volume::Draft::begin(root, &path).await?),
            None => Way::Whole,
        };
        Ok(Upload {
            store: self.clone(),
            key: key.into(),
            way,
        })
    }
}

impl Upload {
    /// Sends a part; all but the last have the same size. Returns while it is still on its way, but not while too many
    /// are.
    ///
    /// # Errors
    /// Of this part or one before it.
    pub async fn send(&mut self, part: Bytes) -> Result<(), Failure> {
        if let Way::Whole = self.way {
            self.way = self.begin().await?;
        }
        let store = self.store.clone();
        match &mut self.way {
            Way::Whole => Ok(()),
            Way::File(draft) => draft.write(part, &store.progress).await,
            Way::Parts(upload, running) => {
                while running.len() >= PARTS_MAX {
                    one_done(&store, running).await?;
                }
                running.spawn(upload.put_part(payload(part)));
                Ok(())
            }
        }
    }

    /// Gives the object its name, after a last part.
    ///
    /// # Errors
    /// If a part did not arrive, or the name is taken: then whoever has it keeps it.
    pub async fn complete(&mut self, last: Bytes) -> Result<(), Failure> {
        if let Way::Whole = self.way {
            let created = self.store.create(&self.key, last).await?;
            return self.had(created);
        }
        if !last.is_empty() {
            self.send(last).await?;
        }
        self.is_free().await?;
        let store = self.store.clone();
        match &mut self.way {
            Way::Whole => Ok(()),
            Way::File(draft) => {
                let created = draft.complete().await?;
                self.had(created)
            }
            Way::Parts(upload, running) => {
                while !running.is_empty() {
                    one_done(&store, running).await?;
                }
                let complete = async { upload.complete().await.map_err(|error| store.failure(&error)) };
                store.guarded(complete).await.map(drop)
            }
        }
    }

    /// Leaves nothing behind, as far as the store can be reached. Parts of an upload that nobody ended are removed by
    /// the bucket's own rules.
    pub async fn abort(&mut self) {
        let store = self.store.clone();
        let aborted = match &mut self.way {
            Way::Whole => Ok(()),
            Way::File(draft) => draft.abort().await,
            Way::Parts(upload, running) => {
                running.shutdown().await;
                let abort = async { upload.abort().await.map_err(|error| store.failure(&error)) };
                store.guarded(abort).await
            }
        };
        if let Err(failure) = aborted {
            tracing::warn!(%failure, key = self.key, "parts of an upload may be left behind");
        }
    }

    async fn begin(&self) -> Result<Way, Failure> {
        let path = self.store.path(&self.key)?;
        let begin = async {
            let begun = self.store.objects.put_multipart(&path).await;
            begun.map_err(|error| self.store.failure(&error))
        };
        Ok(Way::Parts(self.store.guarded(begin).await?, JoinSet::new()))
    }

    /// Completing a multipart upload has no condition everywhere: a look before it narrows the gap to nothing much, and
    /// the UID in the name does the rest.
    async fn is_free(&self) -> Result<(), Failure> {
        match self.store.size(&self.key).await? {
            Some(_) => self.had(Created::Exists),
            None => Ok(()),
        }
    }

    fn had(&self, created: Created) -> Result<(), Failure> {
        match created {
            Created::Yes => Ok(()),
            Created::Exists => {
                let message = format!(
                    "{} is there already; it was left as it is",
                    self.store.uri_of(&self.key)
                );
                Err(Failure::new(Reason::Exists, message))
            }
        }
    }
}

async fn one_done(store: &Store, running: &mut JoinSet<object_store::Result<()>>) -> Result<(), Failure> {
    let done = async {
        match running.join_next().await {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(store.failure(&error)),
            Some(Err(error)) => Err(Failure::new(Reason::Failed, format!("a part's task ended: {error}"))),
        }
    };
    store.guarded(done).await
}
