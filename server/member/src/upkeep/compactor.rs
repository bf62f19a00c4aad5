//! Compaction on schedule, by the leader only (etcd v3compactor).

use std::collections::VecDeque;
use std::time::Duration;

use taffrail_proto::etcdserverpb::CompactionRequest;

use crate::{ApplyError, Member, WriteError};

/// How often the mode that keeps a number of revisions looks.
const REVISION_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// A period is never waited for longer than this between two compactions.
const PERIODIC_INTERVAL_MAX: Duration = Duration::from_secs(60 * 60);
/// Looks per interval, so that what is kept is at least the period and little more.
const LOOKS_PER_INTERVAL: u32 = 10;

/// Keeps the last `keep` revisions.
pub(super) async fn by_revision(member: Member, keep: i64) {
    loop {
        tokio::time::sleep(REVISION_INTERVAL).await;
        compact(&member, member.view().revision() - keep).await;
    }
}

/// Keeps what happened within the last `period`.
pub(super) async fn periodic(member: Member, period: Duration) {
    let interval = period.min(PERIODIC_INTERVAL_MAX);
    let pause = interval / LOOKS_PER_INTERVAL;
    let mut seen = Seen::new(looks(period, pause));
    let mut until_due = looks(period, pause);
    loop {
        seen.look(member.view().revision());
        tokio::time::sleep(pause).await;
        until_due = until_due.saturating_sub(1);
        if until_due == 0 {
            compact(&member, seen.oldest()).await;
            until_due = LOOKS_PER_INTERVAL as usize;
        }
    }
}

fn looks(period: Duration, pause: Duration) -> usize {
    (period.as_nanos() / pause.as_nanos().max(1)).max(1) as usize
}

/// The revisions at the last looks, one period deep.
struct Seen {
    revisions: VecDeque<i64>,
    looks_max: usize,
}

impl Seen {
    fn new(looks_max: usize) -> Self {
        Seen {
            revisions: VecDeque::with_capacity(looks_max),
            looks_max,
        }
    }

    fn look(&mut self, revision: i64) {
        if self.revisions.len() == self.looks_max {
            self.revisions.pop_front();
        }
        self.revisions.push_back(revision);
    }

    /// The revision one period ago.
    fn oldest(&self) -> i64 {
        self.revisions.front().copied().unwrap_or(0)
    }
}

async fn compact(member: &Member, revision: i64) {
    if !member.is_leader() || revision <= 0 || revision <= member.view().compacted() {
        return;
    }
    match member
        .compact(
            &member.itself(),
            CompactionRequest {
                revision,
                physical: false,
            },
        )
        .await
    {
        Ok(_) => tracing::info!(revision, "completed auto compaction"),
        Err(WriteError::Refused(ApplyError::Compacted(_))) => {}
        Err(error) => tracing::warn!(revision, %error, "failed auto compaction, will try again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_look_is_one_period_back() {
        let mut seen = Seen::new(3);
        for revision in [10, 20, 30, 40] {
            seen.look(revision);
        }
        assert_eq!(seen.oldest(), 20);
    }

    #[test]
    fn an_hour_is_looked_at_ten_times() {
        assert_eq!(looks(Duration::from_secs(3600), Duration::from_secs(360)), 10);
        assert_eq!(looks(Duration::from_secs(7200), Duration::from_secs(360)), 20);
    }
}
