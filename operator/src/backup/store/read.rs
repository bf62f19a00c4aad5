//! An object as it comes, piece by piece.

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::ObjectStoreExt;

use super::Store;
use crate::backup::{Failure, Reason};

/// Bytes of one object.
pub struct Download {
    store: Store,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    /// Of the whole object, as the store tells.
    pub bytes: u64,
}

impl Store {
    /// # Errors
    /// If it is not there, or the store cannot give it.
    pub async fn download(&self, key: &str) -> Result<Download, Failure> {
        let path = self.path(key)?;
        let get = async { self.objects.get(&path).await.map_err(|error| self.failure(&error)) };
        let found = self.guarded(get).await?;
        let bytes = found.meta.size;
        let store = self.clone();
        Ok(Download {
            store,
            bytes,
            stream: found.into_stream(),
        })
    }
}

impl Download {
    /// None at the end.
    ///
    /// # Errors
    /// If the store stalls, breaks off or gives back less than it promised.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let store = &self.store;
        let next = async {
            self.stream
                .try_next()
                .await
                .map_err(|error| cut_or(store.failure(&error)))
        };
        let piece = store.guarded(next).await?;
        // Volumes do not count by themselves.
        if let (Some(piece), true) = (&piece, store.mounted.is_some()) {
            store.progress.moved(piece.len());
        }
        Ok(piece)
    }
}

/// What breaks off in the middle was understood before: the rest is missing.
fn cut_or(failure: Failure) -> Failure {
    match failure.reason {
        Reason::Unavailable => Failure::new(
            Reason::Truncated,
            format!("the object ended early: {}", failure.message),
        ),
        _ => failure,
    }
}
