//! Waiting for conditions.

use std::time::{Duration, Instant};

/// Between two questions to the API server: many tests ask at once, on a small machine.
const POLL: Duration = Duration::from_millis(200);

/// Asks until there is an answer. Panics after `patience`, naming what was waited for.
pub async fn until<T>(what: &str, patience: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            start.elapsed() < patience,
            "waited {} s in vain for: {what}",
            patience.as_secs()
        );
        tokio::time::sleep(POLL).await;
    }
}

/// Fails as soon as it is not so, up to the end of `span`.
pub async fn throughout(what: &str, span: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < span {
        assert!(
            holds().await,
            "after {:.1} s no longer: {what}",
            start.elapsed().as_secs_f64()
        );
        tokio::time::sleep(POLL).await;
    }
}

/// Between two looks of somebody who asks in a loop of their own.
pub async fn pause() {
    tokio::time::sleep(POLL).await;
}
