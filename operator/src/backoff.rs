//! How long to wait after an error: longer each time, never the same for all, and forgotten after a success.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// 1 s doubled so often is more than the longest.
const DOUBLINGS_MAX: u32 = 9;

/// Errors in a row, per object. Bounded by the objects there are: one that has gone is said to have succeeded.
#[derive(Clone, Default)]
pub struct Backoff(Arc<Mutex<HashMap<String, u32>>>);

impl Backoff {
    /// After one more error. `chance` says where in the range of a fifth around it.
    pub fn failed(&self, key: &str, chance: u8) -> Duration {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.to_owned()).or_default();
        let pause = (FIRST * (1 << (*count).min(DOUBLINGS_MAX))).min(LONGEST);
        *count = count.saturating_add(1);
        pause.mul_f64(0.8 + 0.4 * f64::from(chance) / 255.0)
    }

    pub fn succeeded(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// A random byte; the middle one if there is no randomness, which only costs jitter.
pub fn chance() -> u8 {
    let mut byte = [128];
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew_after_a_success() {
        let backoff = Backoff::default();
        let waits: Vec<_> = (0..12).map(|_| backoff.failed("a", 128).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(
            backoff.failed("b", 128).as_secs(),
            1,
            "one object's errors are not another's"
        );
        backoff.succeeded("a");
        assert_eq!(backoff.failed("a", 128).as_secs(), 1);
    }

    #[test]
    fn waits_differ_by_chance_and_stay_near() {
        let backoff = Backoff::default();
        assert_eq!(backoff.failed("a", 0), FIRST.mul_f64(0.8));
        assert_eq!(backoff.failed("b", 255), FIRST.mul_f64(1.2));
    }
}
