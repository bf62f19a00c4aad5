//! The leader's deadlines. A follower's clock is empty.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taffrail_store::Lease;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::checkpoint::Checkpoints;

#[derive(Default)]
pub(crate) struct LeaseClock {
    deadlines: Mutex<Deadlines>,
    /// Something ends earlier than was known, or a lease is gone.
    changed: Notify,
}

#[derive(Default)]
struct Deadlines {
    leading: bool,
    by_id: HashMap<i64, Countdown>,
    queue: BTreeSet<(Instant, i64)>,
    checkpoints: Checkpoints,
}

#[derive(Clone, Copy)]
struct Countdown {
    at: Instant,
    ttl_s: i64,
    /// Its end has come and its revocation is on the way: too late for a keepalive.
    ending: bool,
}

/// What a keepalive finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    Renewed,
    /// Must not be answered before the lease is gone.
    Ending,
    Unknown,
}

impl LeaseClock {
    fn lock(&self) -> MutexGuard<'_, Deadlines> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None, which is the default, makes no checkpoints.
    pub fn checkpoint_every(&self, interval: Option<Duration>) {
        self.lock().checkpoints = Checkpoints::new(interval);
    }

    /// A grant was applied.
    pub fn granted(&self, id: i64, ttl_s: i64) {
        let mut deadlines = self.lock();
        if deadlines.leading {
            deadlines.set(id, Instant::now() + seconds(ttl_s), ttl_s);
            self.changed.notify_waiters();
        }
    }

    /// Starts counting what is granted from now on. What was granted before comes by [`LeaseClock::extend`], read
    /// after this call so that no grant falls between the two.
    pub fn promote(&self) {
        self.lock().leading = true;
    }

    /// Counts every lease anew, and `grace` longer for keepalives that the last leader acknowledged.
    pub fn extend(&self, leases: &[Lease], grace: Duration) {
        let mut deadlines = self.lock();
        let now = Instant::now();
        for lease in leases {
            let ttl_s = if lease.remaining_ttl_s > 0 {
                lease.remaining_ttl_s
            } else {
                lease.ttl_s
            };
            deadlines.set(lease.id, now + seconds(ttl_s) + grace, lease.ttl_s);
        }
        drop(deadlines);
        self.changed.notify_waiters();
    }

    pub fn demote(&self) {
        let mut deadlines = self.lock();
        let checkpoints = deadlines.checkpoints.cleared();
        *deadlines = Deadlines {
            checkpoints,
            ..Deadlines::default()
        };
        drop(deadlines);
        self.changed.notify_waiters();
    }

    /// Takes what has ended, at most `leases_max`.
    pub fn due(&self, leases_max: usize) -> Vec<i64> {
        let mut deadlines = self.lock();
        let now = Instant::now();
        let due: Vec<_> = deadlines
            .queue
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(leases_max)
            .copied()
            .collect();
        for entry in &due {
            deadlines.queue.remove(entry);
            if let Some(countdown) = deadlines.by_id.get_mut(&entry.1) {
                countdown.ending = true;
            }
        }
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// A revocation got no answer: it is due again after `pause`.
    pub fn retry(&self, id: i64, pause: Duration) {
        let mut deadlines = self.lock();
        if deadlines.by_id.contains_key(&id) {
            deadlines.queue.insert((Instant::now() + pause, id));
        }
    }

    pub fn forget(&self, id: i64) {
        let mut deadlines = self.lock();
        if let Some(countdown) = deadlines.by_id.remove(&id) {
            deadlines.queue.remove(&(countdown.at, id));
            deadlines.checkpoints.cancel(id);
        }
        drop(deadlines);
        self.changed.notify_waiters();
    }

    pub(super) fn renew(&self, id: i64, ttl_s: i64) -> Renewal {
        let mut deadlines = self.lock();
        match deadlines.by_id.get(&id) {
            None => Renewal::Unknown,
            Some(countdown) if countdown.ending || countdown.at <= Instant::now() => Renewal::Ending,
            Some(_) => {
                deadlines.set(id, Instant::now() + seconds(ttl_s), ttl_s);
                Renewal::Renewed
            }
        }
    }

    /// What is left, in seconds, of leases whose checkpoint is due; at most `leases_max`.
    pub fn due_checkpoints(&self, leases_max: usize) -> Vec<(i64, i64)> {
        let mut deadlines = self.lock();
        let now = Instant::now();
        let due = deadlines.checkpoints.due(now, leases_max);
        let mut left = Vec::with_capacity(due.len());
        for id in due {
            let Some(&Countdown { at, ttl_s, .. }) = deadlines.by_id.get(&id) else {
                continue;
            };
            deadlines.checkpoints.schedule(id, now, at);
            let left_s = at.saturating_duration_since(now).as_secs_f64().ceil() as i64;
            if left_s > 0 && left_s < ttl_s {
                left.push((id, left_s));
            }
        }
        left
    }

    /// Waits until a lease changes; the caller looks again.
    pub(super) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    pub fn deadline(&self, id: i64) -> Option<Instant> {
        self.lock().by_id.get(&id).map(|countdown| countdown.at)
    }

    /// Naps until something may be due, at most `nap`.
    pub async fn until_next(&self, nap: Duration) {
        let wake = Instant::now() + nap;
        let next = self.lock().queue.first().map_or(wake, |(at, _)| wake.min(*at));
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = self.changed.notified() => {}
        }
    }
}

impl Deadlines {
    fn set(&mut self, id: i64, at: Instant, ttl_s: i64) {
        let countdown = Countdown {
            at,
            ttl_s,
            ending: false,
        };
        if let Some(old) = self.by_id.insert(id, countdown) {
            self.queue.remove(&(old.at, id));
        }
        self.queue.insert((at, id));
        self.checkpoints.schedule(id, Instant::now(), at);
    }
}

fn seconds(ttl_s: i64) -> Duration {
    Duration::from_secs(ttl_s.max(0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(id: i64, ttl_s: i64) -> Lease {
        Lease {
            id,
            ttl_s,
            remaining_ttl_s: 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_due_after_its_ttl_and_not_before() {
        let clock = LeaseClock::default();
        clock.promote();
        clock.extend(&[lease(1, 10)], Duration::ZERO);
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert!(clock.due(10).is_empty());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(clock.due(10), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_counts_from_now() {
        let clock = LeaseClock::default();
        clock.promote();
        clock.extend(&[lease(1, 10)], Duration::ZERO);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(clock.renew(1, 10), Renewal::Renewed);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(clock.due(10).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_keepalive_after_the_end_comes_too_late() {
        let clock = LeaseClock::default();
        clock.promote();
        clock.extend(&[lease(1, 10)], Duration::ZERO);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(clock.renew(1, 10), Renewal::Ending);
        clock.due(10);
        assert_eq!(clock.renew(1, 10), Renewal::Ending);
        clock.forget(1);
        assert_eq!(clock.renew(1, 10), Renewal::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_leader_adds_its_grace() {
        let clock = LeaseClock::default();
        clock.promote();
        clock.extend(&[lease(1, 10)], Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(clock.due(10).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_of_a_long_lease_is_told_at_every_interval() {
        let clock = LeaseClock::default();
        clock.checkpoint_every(Some(Duration::from_secs(10)));
        clock.promote();
        clock.extend(&[lease(1, 25), lease(2, 10)], Duration::ZERO);
        assert!(clock.due_checkpoints(10).is_empty());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(clock.due_checkpoints(10), [(1, 15)]);
        assert!(clock.due_checkpoints(10).is_empty());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(clock.due_checkpoints(10), [(1, 5)]);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(
            clock.due_checkpoints(10).is_empty(),
            "no longer than an interval was left"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_leader_counts_on_from_the_checkpoint() {
        let clock = LeaseClock::default();
        clock.promote();
        let checkpointed = Lease {
            remaining_ttl_s: 3,
            ..lease(1, 10)
        };
        clock.extend(&[checkpointed], Duration::ZERO);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(clock.due(10), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_follower_counts_nothing() {
        let clock = LeaseClock::default();
        clock.granted(1, 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(clock.due(10).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_revocation_without_answer_is_due_again() {
        let clock = LeaseClock::default();
        clock.promote();
        clock.extend(&[lease(1, 1)], Duration::ZERO);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.due(10), [1]);
        clock.retry(1, Duration::from_secs(1));
        assert!(clock.due(10).is_empty());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.due(10), [1]);
    }
}
