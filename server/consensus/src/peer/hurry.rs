//! Whether a follower waits for a commit.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// A member that asked for something waits for the commit that follows, which comes within this.
const HURRY: Duration = Duration::from_millis(50);

/// Whether a member waits for what this one commits.
#[derive(Default)]
pub struct Hurry {
    until: Mutex<Option<Instant>>,
    called: Notify,
}

impl Hurry {
    /// It does, or did a moment ago.
    pub fn is_on(&self) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    pub fn call(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + HURRY);
        self.called.notify_waiters();
    }

    /// At most this long.
    pub async fn wait(&self, linger: Duration) {
        // An error is the end of the lingering.
        let _ = tokio::time::timeout(linger, self.called.notified()).await;
    }
}
