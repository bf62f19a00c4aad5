//! What one entry of the log changes.

use taffrail_proto::mvccpb::Event;

use crate::mvcc::Revision;

/// One main revision in the making. It comes to be only if something changes.
pub(crate) struct Change {
    pub(super) main: i64,
    pub(super) sub: u32,
    pub(crate) events: Vec<Event>,
}

impl Change {
    /// The revision that a reader inside the change sees.
    pub(crate) fn revision(&self) -> i64 {
        if self.sub == 0 { self.main - 1 } else { self.main }
    }

    /// The revision that a put of this change gets.
    pub(crate) fn main(&self) -> i64 {
        self.main
    }

    pub(super) fn next(&mut self) -> Revision {
        let revision = Revision {
            main: self.main,
            sub: self.sub,
        };
        self.sub += 1;
        revision
    }
}
