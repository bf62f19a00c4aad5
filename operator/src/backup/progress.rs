//! How far a work is: counted in bytes, told now and then, and given up when it stands still.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Failure, Reason};

const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Bytes that went to or came from a store or a member.
#[derive(Debug)]
pub struct Progress {
    moved: AtomicU64,
    last: Mutex<Instant>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            moved: AtomicU64::new(0),
            last: Mutex::new(Instant::now()),
        }
    }
}

impl Progress {
    pub fn moved(&self, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        self.beat();
    }

    pub fn bytes(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Does `work` unless nothing moves for `stall`.
    ///
    /// # Errors
    /// What `work` says, or that `who` stalls.
    pub async fn guard<T>(
        &self,
        stall: Duration,
        who: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.beat();
        tokio::select! {
            biased;
            done = work => done,
            () = self.stands_still(stall) => Err(stalled(who, stall)),
        }
    }

    /// Tells how far it is, for as long as it is polled.
    pub async fn tell(&self, what: &str) {
        let (mut ticks, mut told) = (tokio::time::interval(TOLD_EVERY), 0);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let bytes = self.bytes();
            let bytes_per_second = bytes.saturating_sub(told) / TOLD_EVERY.as_secs();
            tracing::info!(what, bytes, bytes_per_second, "goes on");
            told = bytes;
        }
    }

    async fn stands_still(&self, stall: Duration) {
        loop {
            let end = *self.last.lock().unwrap_or_else(PoisonError::into_inner) + stall;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }

    fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

pub fn stalled(who: &str, stall: Duration) -> Failure {
    let seconds = stall.as_secs();
    let message = format!("{who} did not move one byte within {seconds} s: look at it and at the network between");
    Failure::new(Reason::Stalled, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_moves_is_not_given_up_and_what_stands_still_is() {
        let (progress, stall) = (Progress::default(), Duration::from_secs(10));
        let slow = async {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                progress.moved(1);
            }
            Ok(())
        };
        assert_eq!(progress.guard(stall, "the store", slow).await, Ok(()));
        let dead = progress.guard(stall, "the store", std::future::pending::<Result<(), _>>());
        assert_eq!(dead.await.unwrap_err().reason, Reason::Stalled);
    }
}
