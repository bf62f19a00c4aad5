//! A cluster that exists only as a model, and makes at most one mistake.

use std::collections::BTreeMap;

use crate::chance::Chance;
use crate::checker::model::{Change, State};
use crate::history::{
    Answer, Body, Compare, Delete, Event, Heard, History, Key, News, Operation, Outcome, Pair, Put, Range, Relation,
    Request, Span, Step, Target, Txn, Watch,
};

/// What goes wrong once, in the middle of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    ApplyTwice,
    EndLeaseEarly,
    DecideWrongly,
    LoseLease,
    ForgetKeyOfLease,
}

/// Requests are invoked this often, and take three times as long, so that neighbours overlap.
const STEP: u64 = 1_000;
const LATENCY: u64 = 3 * STEP;
const KEYS: u64 = 8;
/// Values of these are put by single puts only.
const REGISTERS: u64 = 3;
const TTL_SECONDS: i64 = 1;
pub const MEMBERS: usize = 3;

pub struct Imagined {
    chance: Chance,
    state: State,
    history: History,
    /// By revision.
    changes: BTreeMap<i64, (u64, Vec<Change>)>,
    ids: u64,
    compacted: i64,
    /// Leases and when they end.
    leases: BTreeMap<i64, u64>,
    slip: Option<Slip>,
}

impl Imagined {
    pub fn play(seed: u64, operations: u64, slip: Option<Slip>) -> History {
        let mut imagined = Self {
            chance: Chance::new(seed),
            state: State::empty(),
            history: History::default(),
            changes: BTreeMap::new(),
            ids: 1,
            compacted: 0,
            leases: BTreeMap::new(),
            slip: None,
        };
        for step in 0..operations {
            if step == operations / 2 {
                imagined.slip = slip;
            }
            imagined.step(step * STEP * 20);
        }
        assert!(imagined.slip.is_none(), "there was no occasion for {slip:?}");
        imagined.end(operations * STEP * 20);
        imagined.history
    }

    fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// A request; its effect comes a step after it was invoked.
    fn step(&mut self, now: u64) {
        self.expire(now);
        let request = self.request();
        let effect_at = now + STEP;
        let outcome = self.serve(&request, effect_at);
        let outcome = match outcome {
            // A lease is only used by who knows that it exists.
            Outcome::Ok(_) if !matches!(request, Request::Grant { .. }) && self.chance.percent(8) => {
                Outcome::Unknown("lost".to_owned())
            }
            outcome => outcome,
        };
        let (id, member) = (self.id(), self.chance.below(MEMBERS as u64) as usize);
        let returned = effect_at + 1 + self.chance.below(LATENCY);
        self.history.operations.push(Operation {
            id,
            client: 1,
            member,
            invoked: now,
            returned,
            request,
            outcome,
        });
    }

    fn request(&mut self) -> Request {
        match self.chance.below(20) {
            0..=5 => Request::Put(self.put(KEYS)),
            6 => Request::Delete(Delete {
                span: Span::single(self.key(KEYS)),
                prev: true,
            }),
            7 => Request::Delete(Delete {
                span: Span::new(4, 6),
                prev: false,
            }),
            8..=10 => Request::Range(Range {
                span: Span::single(self.key(KEYS)),
                revision: 0,
                serializable: false,
                limit: 0,
            }),
            11 => Request::Range(Range {
                span: Span::all(),
                revision: 0,
                serializable: false,
                limit: 2,
            }),
            12 => Request::Range(Range {
                span: Span::all(),
                revision: 0,
                serializable: true,
                limit: 0,
            }),
            13 => Request::Range(Range {
                span: Span::all(),
                revision: self.past(),
                serializable: false,
                limit: 0,
            }),
            14 | 15 => Request::Txn(self.txn()),
            16 => Request::Compact { revision: self.past() },
            17 => Request::Grant {
                lease: self.id() as i64,
                ttl: TTL_SECONDS,
            },
            18 => self.keep_alive(),
            _ => self.with_lease(),
        }
    }

    fn keep_alive(&mut self) -> Request {
        match self.leases.keys().next() {
            Some(&lease) => Request::KeepAlive { lease },
            None => Request::Put(self.put(KEYS)),
        }
    }

    fn key(&mut self, below: u64) -> Key {
        Key(self.chance.below(below) as u32)
    }
    fn past(&mut self) -> i64 {
        (self.state.revision - self.chance.below(30) as i64).max(1)
    }
    fn put(&mut self, below: u64) -> Put {
        Put {
            key: self.key(below),
            value: self.id(),
            lease: 0,
            prev: self.chance.percent(50),
        }
    }

    fn with_lease(&mut self) -> Request {
        let Some(&lease) = self.leases.keys().next_back() else {
            return Request::Put(self.put(KEYS));
        };
        if self.chance.percent(10) {
            return Request::Revoke { lease };
        }
        let value = self.id();
        Request::Put(Put {
            key: Key(1_000 + value as u32),
            value,
            lease,
            prev: false,
        })
    }

    fn txn(&mut self) -> Txn {
        let compared = Key(self.chance.between(REGISTERS, KEYS) as u32);
        let modified = self.state.get(compared).map_or(0, |pair| pair.modified);
        let guess = if self.chance.percent(60) {
            modified
        } else {
            modified - 1
        };
        let put = |imagined: &mut Self, key| {
            Step::Put(Put {
                key,
                value: imagined.id(),
                lease: 0,
                prev: true,
            })
        };
        let other = Key(20 + self.chance.below(3) as u32);
        Txn {
            compares: vec![Compare {
                key: compared,
                relation: Relation::Equal,
                target: Target::Modified(guess),
            }],
            success: vec![
                put(self, compared),
                put(self, other),
                Step::Range(Range {
                    span: Span::new(3, 8),
                    revision: 0,
                    serializable: false,
                    limit: 0,
                }),
            ],
            failure: vec![Step::Range(Range {
                span: Span::all(),
                revision: 0,
                serializable: false,
                limit: 0,
            })],
        }
    }

    fn serve(&mut self, request: &Request, now: u64) -> Outcome {
        match *request {
            Request::Compact { revision } if revision <= self.compacted => {
                return refused("required revision has been compacted");
            }
            Request::Compact { revision } => self.compacted = revision,
            Request::Grant { lease, ttl } => return self.extend(lease, ttl, now),
            Request::KeepAlive { lease } => return self.extend(lease, TTL_SECONDS, now),
            Request::Revoke { lease } => self.end_lease(lease, now),
            Request::Range(ref range) if range.serializable => return self.lagging(range),
            Request::Range(ref range) if range.revision > 0 && range.revision < self.compacted => {
                return refused("required revision has been compacted");
            }
            Request::Put(ref put) if put.lease != 0 && self.slip == Some(Slip::LoseLease) => {
                self.slip = None;
                return refused("requested lease not found");
            }
            _ => return self.write(request, now),
        }
        self.ok(Body::Done)
    }

    fn write(&mut self, request: &Request, now: u64) -> Outcome {
        let decided = match request {
            Request::Txn(txn) if self.slip == Some(Slip::DecideWrongly) => {
                self.slip = None;
                let compares = txn.compares.iter().map(|compare| Compare {
                    relation: opposite(compare.relation),
                    ..*compare
                });
                Request::Txn(Txn {
                    compares: compares.collect(),
                    ..txn.clone()
                })
            }
            request => request.clone(),
        };
        let effect = self.state.evaluate(&decided);
        let twice = self.slip == Some(Slip::ApplyTwice) && matches!(request, Request::Put(_));
        self.commit(effect.changes, now);
        let outcome = self.ok(effect.body);
        if twice {
            self.slip = None;
            let again = self.state.evaluate(request).changes;
            self.commit(again, now);
        }
        outcome
    }

    fn commit(&mut self, changes: Vec<Change>, now: u64) {
        if !changes.is_empty() {
            self.state.commit(&changes);
            self.changes.insert(self.state.revision, (now, changes));
        }
    }

    /// A member that is some revisions behind.
    fn lagging(&mut self, range: &Range) -> Outcome {
        let revision = self.past().max(self.compacted);
        let body = self
            .state
            .evaluate(&Request::Range(Range {
                revision,
                ..range.clone()
            }))
            .body;
        Outcome::Ok(Answer { revision, body })
    }

    fn ok(&self, body: Body) -> Outcome {
        Outcome::Ok(Answer {
            revision: self.state.revision,
            body,
        })
    }

    fn extend(&mut self, lease: i64, ttl: i64, now: u64) -> Outcome {
        self.leases.insert(lease, now + ttl as u64 * 1_000_000);
        self.ok(Body::Lease { ttl })
    }

    fn expire(&mut self, now: u64) {
        let attached = |lease: &i64| self.state.attached(*lease).is_some_and(|keys| keys.len() > 1);
        if self.slip == Some(Slip::EndLeaseEarly)
            && let Some(lease) = self.leases.keys().copied().find(attached)
        {
            self.slip = None;
            self.end_lease(lease, now);
        }
        let over: Vec<_> = self
            .leases
            .iter()
            .filter(|&(_, &end)| end < now)
            .map(|(&lease, _)| lease)
            .collect();
        over.into_iter().for_each(|lease| self.end_lease(lease, now));
    }

    fn end_lease(&mut self, lease: i64, now: u64) {
        self.leases.remove(&lease);
        let mut changes = self.state.end_of_lease(lease);
        if self.slip == Some(Slip::ForgetKeyOfLease) && changes.len() > 1 {
            self.slip = None;
            changes.pop();
        }
        self.commit(changes, now);
    }

    /// Everybody tells everything, and watchers have heard of all.
    fn end(&mut self, now: u64) {
        for member in 0..MEMBERS {
            let everything = Request::Range(Range {
                span: Span::all(),
                revision: 0,
                serializable: true,
                limit: 0,
            });
            let body = self.state.evaluate(&everything).body;
            let told = self.ok(body);
            self.ask_at_end(member, now, everything, told);
            let hashed = self.ok(Body::Hash {
                hash: 7,
                compacted: self.compacted,
            });
            self.ask_at_end(
                member,
                now,
                Request::Hash {
                    revision: self.state.revision,
                },
                hashed,
            );
            self.listen(member, Span::all(), 1);
            self.listen(member, Span::new(0, 3), 30 + member as i64);
        }
    }

    fn ask_at_end(&mut self, member: usize, now: u64, request: Request, outcome: Outcome) {
        let id = self.id();
        let (invoked, returned) = (now + 10 * LATENCY, now + 11 * LATENCY);
        self.history.operations.push(Operation {
            id,
            client: 0,
            member,
            invoked,
            returned,
            request,
            outcome,
        });
    }

    /// Tells one watcher, one or a few revisions at a time, with progress in between.
    fn listen(&mut self, member: usize, span: Span, start: i64) {
        let id = self.id();
        self.history.watches.push(Watch {
            id,
            member,
            asked: 0,
            span,
            start,
            prev: true,
        });
        self.history.heard.push(Heard {
            watch: id,
            at: 1,
            revision: 1,
            news: News::Created,
        });
        let (mut batch, mut last_at) = (Vec::new(), 0);
        for (&revision, (at, changes)) in self.changes.range(start..) {
            batch.extend(
                changes
                    .iter()
                    .filter(|change| span.contains(change.key))
                    .map(|change| event(revision, change)),
            );
            last_at = at + LATENCY;
            if !batch.is_empty() && self.chance.percent(70) {
                let news = News::Events(std::mem::take(&mut batch));
                self.history.heard.push(Heard {
                    watch: id,
                    at: last_at,
                    revision,
                    news,
                });
            }
            if batch.is_empty() && self.chance.percent(20) {
                self.history.heard.push(Heard {
                    watch: id,
                    at: last_at,
                    revision,
                    news: News::Progress,
                });
            }
        }
        if !batch.is_empty() {
            self.history.heard.push(Heard {
                watch: id,
                at: last_at,
                revision: self.state.revision,
                news: News::Events(batch),
            });
        }
    }
}

fn event(revision: i64, change: &Change) -> Event {
    let tombstone = Pair {
        key: change.key,
        value: 0,
        created: 0,
        modified: revision,
        version: 0,
        lease: 0,
    };
    Event {
        put: change.after.is_some(),
        pair: change.after.unwrap_or(tombstone),
        prev: change.before,
    }
}

fn opposite(relation: Relation) -> Relation {
    match relation {
        Relation::Equal => Relation::NotEqual,
        _ => Relation::Equal,
    }
}

fn refused(reason: &str) -> Outcome {
    Outcome::Refused(reason.to_owned())
}
