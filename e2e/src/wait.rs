//! Waiting for conditions.

use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(10);
/// Long enough for a loaded machine; a condition that holds ends the wait at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is an answer. Panics after [`PATIENCE`], naming what was waited for.
pub async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(what, PATIENCE, ask).await
}

pub async fn until_within<T>(what: &str, patience: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < patience, "waited {patience:?} in vain for: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Fails if `future` takes longer than [`PATIENCE`].
pub async fn for_it<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for: {what}"))
}
