//! What travels, and in which order.

use fjall::{Iter, Keyspace, Readable, Snapshot};

use crate::StoreFailure;
use crate::engine::Engine;
use crate::schema::{cleaned, history, installed, revision};

/// A keyspace on its way. The numbers are part of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Current = 0,
    Log = 1,
    History = 2,
    System = 3,
}

pub(super) const PARTS: [Part; 4] = [Part::Current, Part::Log, Part::History, Part::System];

impl Part {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        PARTS.into_iter().find(|part| *part as u8 == number)
    }

    pub(super) fn keyspace(self, engine: &Engine) -> &Keyspace {
        match self {
            Self::Current => &engine.current,
            Self::Log => &engine.log,
            Self::History => &engine.history,
            Self::System => &engine.system,
        }
    }

    /// The floor's own changes are still read as events, so the log travels from there on.
    pub(super) fn rows(self, engine: &Engine, snapshot: &Snapshot, floor: i64) -> Iter {
        match self {
            Self::Log => snapshot.range(&engine.log, revision::first_of(floor)..),
            Self::Current | Self::History | Self::System => snapshot.iter(self.keyspace(engine)),
        }
    }

    /// Versions superseded at the floor or below it cannot be read any more; some rows speak of one member alone.
    pub(super) fn takes(self, key: &[u8], floor: i64) -> Result<bool, StoreFailure> {
        Ok(match self {
            Self::Current | Self::Log => true,
            Self::History => history::split_key(key)?.1.main > floor,
            Self::System => key != cleaned::KEY && key != installed::KEY,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mvcc::Revision;

    #[test]
    fn numbers_lead_back_to_their_parts() {
        assert!(
            PARTS
                .into_iter()
                .all(|part| Part::from_number(part as u8) == Some(part))
        );
        assert_eq!(Part::from_number(4), None);
    }

    #[test]
    fn what_is_below_the_floor_or_of_one_member_alone_stays() {
        let row = |main| history::key(b"k", Revision { main, sub: 0 });
        assert!(!Part::History.takes(&row(5), 5).unwrap());
        assert!(Part::History.takes(&row(6), 5).unwrap());
        assert!(!Part::System.takes(&cleaned::KEY, 5).unwrap());
        assert!(!Part::System.takes(&installed::KEY, 5).unwrap());
        assert!(Part::System.takes(b"s", 5).unwrap());
        assert!(Part::Current.takes(b"x", 5).unwrap());
    }
}
