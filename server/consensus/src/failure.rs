//! The one reason why a node can no longer run.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds the first cause it is told; later ones are consequences.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Arc<watch::Sender<Option<String>>>);

impl Failure {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    pub fn set(&self, sentence: String) {
        self.0.send_if_modified(|cause| {
            let first = cause.is_none();
            if first {
                tracing::error!(cause = sentence, "the node can no longer run");
                *cause = Some(sentence);
            }
            first
        });
    }

    pub fn get(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    pub async fn wait(&self) -> String {
        let mut cause = self.0.subscribe();
        // The guard must be gone before the next await.
        let found = cause.wait_for(Option::is_some).await.map(|cause| cause.clone());
        match found {
            Ok(cause) => cause.unwrap_or_default(),
            // The sender is in `self`, so it cannot be gone.
            Err(_) => std::future::pending().await,
        }
    }
}
