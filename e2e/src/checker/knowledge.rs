//! Which revisions were known to exist, and since when.

use crate::history::show::Seconds;
use crate::history::{Heard, History, News, Operation};

/// Moments at which a higher revision than ever before was told to anybody by anybody.
///
/// A revision in any answer is that of a committed write, so whatever begins later may not be older.
pub struct Knowledge<'a> {
    /// Times and revisions rise.
    moments: Vec<Moment<'a>>,
}

struct Moment<'a> {
    at: u64,
    revision: i64,
    told: Told<'a>,
}

enum Told<'a> {
    Operation(&'a Operation),
    Watch(u64),
}

impl<'a> Knowledge<'a> {
    pub fn gather(history: &'a History) -> Self {
        let mut moments: Vec<_> = history.operations.iter().filter_map(answered).collect();
        moments.extend(history.heard.iter().map(heard));
        moments.sort_by_key(|moment| (moment.at, moment.revision));
        let mut highest = 0;
        moments.retain(|moment| {
            let higher = moment.revision > highest;
            highest = highest.max(moment.revision);
            higher
        });
        Self { moments }
    }

    /// The highest revision told before this moment.
    pub fn before(&self, time: u64) -> i64 {
        self.last_before(time).map_or(0, |moment| moment.revision)
    }

    /// The same in words, with who was told.
    pub fn witness(&self, time: u64) -> String {
        let Some(Moment { at, revision, told }) = self.last_before(time) else {
            return "nothing was known".to_owned();
        };
        let told = match told {
            Told::Operation(operation) => operation.to_string(),
            Told::Watch(watch) => format!("watch {watch}"),
        };
        format!("revision {revision} was known since {} to {told}", Seconds(*at))
    }

    fn last_before(&self, time: u64) -> Option<&Moment<'a>> {
        let earlier = self.moments.partition_point(|moment| moment.at < time);
        self.moments.get(earlier.checked_sub(1)?)
    }

    /// When it was first known that this revision exists.
    pub fn seen_at(&self, revision: i64) -> Option<u64> {
        let lower = self.moments.partition_point(|moment| moment.revision < revision);
        self.moments.get(lower).map(|moment| moment.at)
    }

    /// The highest revision ever told.
    pub fn last(&self) -> i64 {
        self.moments.last().map_or(0, |moment| moment.revision)
    }
}

fn answered(operation: &Operation) -> Option<Moment<'_>> {
    let revision = operation.answer()?.revision;
    Some(Moment {
        at: operation.returned,
        revision,
        told: Told::Operation(operation),
    })
}

fn heard(heard: &Heard) -> Moment<'_> {
    let revision = heard.revision.max(newest_event(&heard.news));
    Moment {
        at: heard.at,
        revision,
        told: Told::Watch(heard.watch),
    }
}

fn newest_event(news: &News) -> i64 {
    match news {
        News::Events(events) => events.iter().map(|event| event.pair.modified).max().unwrap_or(0),
        News::Created | News::Progress | News::Cancelled { .. } => 0,
    }
}
