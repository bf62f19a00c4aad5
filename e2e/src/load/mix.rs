//! Which request comes next.
//!
//! Registers are keys that are only ever used alone; shared keys are for transactions and ranges; every lease has
//! keys of its own.

use std::collections::HashMap;

use super::shared::Shared;
use crate::chance::Chance;
use crate::history::{Compare, Delete, Key, Pair, Put, Range, Relation, Request, Span, Step, Target, Txn};

const REGISTERS: u64 = 4;
const SHARED_TO: u64 = 16;
/// Written at the very end only.
pub const MARK: Key = Key(900);
const LEASE_KEYS_FROM: u32 = 1_000;
/// How far back old reads and watches look.
pub const PAST_REVISIONS: u64 = 400;
/// How far ahead watches may start.
pub const FUTURE_REVISIONS: u64 = 50;
const KEYS_PER_TXN_MAX: u64 = 4;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Put,
    Delete,
    DeleteRange,
    Get,
    GetRange,
    Serializable,
    Old,
    Txn,
}

const WEIGHTS: [(u64, Kind); 8] = [
    (28, Kind::Put),
    (6, Kind::Delete),
    (2, Kind::DeleteRange),
    (22, Kind::Get),
    (8, Kind::GetRange),
    (8, Kind::Serializable),
    (6, Kind::Old),
    (20, Kind::Txn),
];

pub fn lease_keys() -> Span {
    Span {
        from: Key(LEASE_KEYS_FROM),
        ..Span::all()
    }
}
/// A key nobody else uses.
pub fn lease_key(number: u64) -> Key {
    Key(LEASE_KEYS_FROM + number as u32)
}
pub fn read(span: Span) -> Request {
    Request::Range(Range {
        span,
        revision: 0,
        serializable: false,
        limit: 0,
    })
}
pub fn plain_put(key: Key, value: u64) -> Request {
    Request::Put(Put {
        key,
        value,
        lease: 0,
        prev: false,
    })
}
/// The same with a value of its own.
pub fn renewed(request: &Request, value: impl FnOnce() -> u64) -> Request {
    match request {
        Request::Put(put) => Request::Put(Put {
            value: value(),
            ..put.clone()
        }),
        other => other.clone(),
    }
}

/// A client's choices, helped by what it saw last.
pub struct Mix<'a> {
    pub shared: &'a Shared,
    pub chance: Chance,
    pub seen: HashMap<Key, Pair>,
}

impl Mix<'_> {
    pub fn request(&mut self) -> Request {
        match self.chance.weighted(&WEIGHTS) {
            Kind::Put => Request::Put(self.put_anywhere()),
            Kind::Delete => Request::Delete(Delete {
                span: Span::single(self.any_key()),
                prev: self.chance.percent(50),
            }),
            Kind::DeleteRange => Request::Delete(Delete {
                span: self.shared_span(),
                prev: self.chance.percent(50),
            }),
            Kind::Get => read(Span::single(self.any_key())),
            Kind::GetRange => Request::Range(Range {
                limit: self.limit(),
                ..self.range()
            }),
            Kind::Serializable => Request::Range(Range {
                serializable: true,
                ..self.range()
            }),
            Kind::Old => Request::Range(Range {
                revision: self.past(),
                serializable: self.chance.percent(40),
                ..self.range()
            }),
            Kind::Txn => Request::Txn(self.txn()),
        }
    }

    /// A revision that is probably still there, and now and then one that was compacted lately.
    pub fn past(&mut self) -> i64 {
        let floor = self.shared.compacted() - if self.chance.percent(5) { 20 } else { 0 };
        let newest = self.shared.newest();
        (newest - self.chance.below(PAST_REVISIONS) as i64)
            .max(floor)
            .max(self.shared.settings.base)
    }

    fn any_key(&mut self) -> Key {
        if self.chance.percent(40) {
            Key(self.chance.below(REGISTERS) as u32)
        } else {
            self.shared_key()
        }
    }

    fn shared_key(&mut self) -> Key {
        Key(self.chance.between(REGISTERS, SHARED_TO) as u32)
    }

    fn shared_span(&mut self) -> Span {
        let from = self.shared_key();
        Span {
            from,
            to: Key(from.0 + self.chance.between(2, 5) as u32),
        }
    }

    fn put_anywhere(&mut self) -> Put {
        let key = self.any_key();
        self.put(key)
    }

    fn put(&mut self, key: Key) -> Put {
        Put {
            key,
            value: self.shared.recorder.id(),
            lease: 0,
            prev: self.chance.percent(30),
        }
    }

    fn range(&mut self) -> Range {
        let span = match self.chance.below(4) {
            0 => Span::all(),
            1 => Span::single(self.any_key()),
            _ => self.shared_span(),
        };
        Range {
            span,
            revision: 0,
            serializable: false,
            limit: 0,
        }
    }

    fn limit(&mut self) -> i64 {
        if self.chance.percent(30) {
            self.chance.between(1, 4) as i64
        } else {
            0
        }
    }

    fn txn(&mut self) -> Txn {
        let compared = self.shared_key();
        let mut compares = vec![self.compare(compared)];
        if self.chance.percent(30) {
            let another = self.shared_key();
            compares.push(self.compare(another));
        }
        let success = self.steps(compared);
        let failure = if self.chance.percent(30) {
            self.steps(compared)
        } else {
            vec![Step::Range(self.range())]
        };
        Txn {
            compares,
            success,
            failure,
        }
    }

    fn compare(&mut self, key: Key) -> Compare {
        let seen = self.seen.get(&key);
        let (modified, version, value) = seen.map_or((0, 0, 0), |pair| (pair.modified, pair.version, pair.value));
        let created = seen.map_or(0, |pair| pair.created);
        let (relation, target) = match self.chance.below(7) {
            0 | 1 => (Relation::Equal, Target::Modified(modified)),
            2 => (Relation::Less, Target::Modified(self.past())),
            3 => (Relation::Equal, Target::Version(version)),
            4 => (Relation::NotEqual, Target::Value(value)),
            5 => (Relation::Equal, Target::Value(value)),
            _ => (Relation::Greater, Target::Created(created - 1)),
        };
        Compare { key, relation, target }
    }

    /// Puts with other things among them. A deletion never comes alone: without a value nobody could tell whose it
    /// was if its outcome is unknown.
    fn steps(&mut self, first: Key) -> Vec<Step> {
        let mut others: Vec<_> = (REGISTERS..SHARED_TO)
            .map(|key| Key(key as u32))
            .filter(|&key| key != first)
            .collect();
        self.chance.shuffle(&mut others);
        let mut steps = vec![Step::Put(self.put(first))];
        for &key in others.iter().take(self.chance.below(KEYS_PER_TXN_MAX) as usize) {
            let step = match self.chance.below(4) {
                0 => Step::Delete(Delete {
                    span: Span::single(key),
                    prev: self.chance.percent(50),
                }),
                1 => Step::Range(self.range_in_txn()),
                _ => Step::Put(self.put(key)),
            };
            steps.push(step);
        }
        self.chance.shuffle(&mut steps);
        steps
    }

    fn range_in_txn(&mut self) -> Range {
        let old = self.shared.settings.old_reads_in_txns && self.chance.percent(20);
        let span = self.shared_span();
        let revision = if old { self.past() } else { 0 };
        Range {
            span,
            revision,
            serializable: false,
            limit: 0,
        }
    }
}
