//! Which revisions were known to exist, and since when.

use crate::history::{History, News};

/// Moments at which a higher revision than ever before was told to anybody by anybody.
///
/// A revision in any answer is that of a committed write, so whatever begins later may not be older.
pub struct Knowledge {
    /// Both columns rise.
    moments: Vec<(u64, i64)>,
}

impl Knowledge {
    pub fn gather(history: &History) -> Self {
        let answers = history.operations.iter();
        let answered = answers.filter_map(|operation| Some((operation.returned, operation.answer()?.revision)));
        let heard = history
            .heard
            .iter()
            .map(|heard| (heard.at, heard.revision.max(newest_event(&heard.news))));
        let mut told: Vec<_> = answered.chain(heard).collect();
        told.sort_unstable();
        let mut highest = 0;
        told.retain(|&(_, revision)| {
            let higher = revision > highest;
            highest = highest.max(revision);
            higher
        });
        Self { moments: told }
    }

    /// The highest revision told before this moment.
    pub fn before(&self, time: u64) -> i64 {
        let earlier = self.moments.partition_point(|&(at, _)| at < time);
        earlier.checked_sub(1).map_or(0, |last| self.moments[last].1)
    }

    /// When it was first known that this revision exists.
    pub fn seen_at(&self, revision: i64) -> Option<u64> {
        let lower = self.moments.partition_point(|&(_, told)| told < revision);
        self.moments.get(lower).map(|&(at, _)| at)
    }

    /// The highest revision ever told.
    pub fn last(&self) -> i64 {
        self.moments.last().map_or(0, |&(_, revision)| revision)
    }
}

fn newest_event(news: &News) -> i64 {
    match news {
        News::Events(events) => events.iter().map(|event| event.pair.modified).max().unwrap_or(0),
        News::Created | News::Progress | News::Cancelled { .. } => 0,
    }
}
