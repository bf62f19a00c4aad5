//! etcd's keys as one sequential program.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::history::{Body, Compare, Delete, Key, Pair, Put, Range, Relation, Request, Span, Step, Target, Txn};

/// A key before and after a revision. It is never absent on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub key: Key,
    pub before: Option<Pair>,
    pub after: Option<Pair>,
}

/// What a request does to a state, and answers.
#[derive(Debug)]
pub struct Effect {
    /// Sorted by key.
    pub changes: Vec<Change>,
    pub body: Body,
}

/// All keys at a revision, and every earlier version of them.
#[derive(Default)]
pub struct State {
    pub revision: i64,
    pairs: BTreeMap<Key, Pair>,
    attached: HashMap<i64, BTreeSet<Key>>,
    past: BTreeMap<Key, Vec<(i64, Option<Pair>)>>,
}

impl State {
    /// A store that nobody has written to.
    pub fn empty() -> Self {
        Self {
            revision: 1,
            ..Self::default()
        }
    }

    pub fn get(&self, key: Key) -> Option<Pair> {
        self.pairs.get(&key).copied()
    }

    pub fn attached(&self, lease: i64) -> Option<&BTreeSet<Key>> {
        self.attached.get(&lease)
    }

    /// Every lease that has keys.
    pub fn leases(&self) -> impl Iterator<Item = i64> {
        self.attached.keys().copied()
    }

    /// What the request would do as the next revision. Requests that neither read nor write keys do nothing.
    pub fn evaluate(&self, request: &Request) -> Effect {
        let mut trial = Trial {
            state: self,
            changes: BTreeMap::new(),
        };
        let body = match request {
            Request::Put(put) => trial.put(put),
            Request::Delete(delete) => trial.delete(delete),
            Request::Range(range) => trial.range(range),
            Request::Txn(txn) => trial.txn(txn),
            _ => Body::Done,
        };
        Effect {
            changes: trial.changes.into_values().collect(),
            body,
        }
    }

    /// The end of a lease takes its keys along.
    pub fn end_of_lease(&self, lease: i64) -> Vec<Change> {
        let keys = self.attached.get(&lease).into_iter().flatten();
        keys.map(|&key| Change {
            key,
            before: self.get(key),
            after: None,
        })
        .collect()
    }

    /// Carries the changes out as the next revision.
    pub fn commit(&mut self, changes: &[Change]) {
        self.revision += 1;
        for change in changes {
            self.detach(change.before);
            match change.after {
                Some(pair) => self.store(pair),
                None => drop(self.pairs.remove(&change.key)),
            }
            self.past
                .entry(change.key)
                .or_default()
                .push((self.revision, change.after));
        }
    }

    fn store(&mut self, pair: Pair) {
        self.pairs.insert(pair.key, pair);
        if pair.lease != 0 {
            self.attached.entry(pair.lease).or_default().insert(pair.key);
        }
    }

    fn detach(&mut self, before: Option<Pair>) {
        let Some(pair) = before.filter(|pair| pair.lease != 0) else {
            return;
        };
        if let Some(keys) = self.attached.get_mut(&pair.lease) {
            keys.remove(&pair.key);
            if keys.is_empty() {
                self.attached.remove(&pair.lease);
            }
        }
    }

    fn get_at(&self, key: Key, revision: i64) -> Option<Pair> {
        let versions = self.past.get(&key)?;
        let newer = versions.partition_point(|&(at, _)| at <= revision);
        newer.checked_sub(1).and_then(|last| versions[last].1)
    }

    fn all_at(&self, span: Span, revision: i64) -> Vec<Pair> {
        let keys = self.past.range(span.from..span.to).map(|(&key, _)| key);
        keys.filter_map(|key| self.get_at(key, revision)).collect()
    }
}

/// A request under way: the state and what the request has changed so far.
struct Trial<'a> {
    state: &'a State,
    changes: BTreeMap<Key, Change>,
}

impl Trial<'_> {
    fn get(&self, key: Key) -> Option<Pair> {
        self.changes
            .get(&key)
            .map_or_else(|| self.state.get(key), |change| change.after)
    }

    fn all(&self, span: Span) -> Vec<Pair> {
        let unchanged = self.state.pairs.range(span.from..span.to).map(|(_, pair)| *pair);
        let mut pairs: Vec<_> = unchanged.filter(|pair| !self.changes.contains_key(&pair.key)).collect();
        if !self.changes.is_empty() {
            pairs.extend(
                self.changes
                    .range(span.from..span.to)
                    .filter_map(|(_, change)| change.after),
            );
            pairs.sort_unstable_by_key(|pair| pair.key);
        }
        pairs
    }

    fn change(&mut self, key: Key, after: Option<Pair>) {
        let before = self.state.get(key);
        self.changes.insert(key, Change { key, before, after });
    }

    fn put(&mut self, put: &Put) -> Body {
        let before = self.get(put.key);
        let modified = self.state.revision + 1;
        let after = Pair {
            key: put.key,
            value: put.value,
            created: before.map_or(modified, |pair| pair.created),
            modified,
            version: before.map_or(1, |pair| pair.version + 1),
            lease: put.lease,
        };
        self.change(put.key, Some(after));
        Body::Put {
            prev: before.filter(|_| put.prev),
        }
    }

    fn delete(&mut self, delete: &Delete) -> Body {
        let gone = self.all(delete.span);
        gone.iter().for_each(|pair| self.change(pair.key, None));
        let count = gone.len() as i64;
        Body::Delete {
            count,
            prev: if delete.prev { gone } else { Vec::new() },
        }
    }

    fn range(&self, range: &Range) -> Body {
        let mut pairs = match range.revision {
            0 => self.all(range.span),
            revision => self.state.all_at(range.span, revision),
        };
        let count = pairs.len() as i64;
        let more = range.limit > 0 && count > range.limit;
        if more {
            pairs.truncate(range.limit as usize);
        }
        Body::Range { pairs, count, more }
    }

    fn txn(&mut self, txn: &Txn) -> Body {
        let succeeded = txn.compares.iter().all(|compare| self.holds(compare));
        let steps = txn.branch(succeeded).iter().map(|step| match step {
            Step::Put(put) => self.put(put),
            Step::Delete(delete) => self.delete(delete),
            Step::Range(range) => self.range(range),
        });
        Body::Txn {
            succeeded,
            steps: steps.collect(),
        }
    }

    fn holds(&self, compare: &Compare) -> bool {
        let pair = self.get(compare.key);
        let number = |field: fn(&Pair) -> i64| pair.as_ref().map_or(0, field);
        let order = match compare.target {
            Target::Modified(expected) => number(|pair| pair.modified).cmp(&expected),
            Target::Created(expected) => number(|pair| pair.created).cmp(&expected),
            Target::Version(expected) => number(|pair| pair.version).cmp(&expected),
            // A key that does not exist has no value, so no comparison with one holds.
            Target::Value(expected) => match pair {
                Some(pair) => pair.value.cmp(&expected),
                None => return false,
            },
        };
        match compare.relation {
            Relation::Equal => order.is_eq(),
            Relation::NotEqual => order.is_ne(),
            Relation::Greater => order.is_gt(),
            Relation::Less => order.is_lt(),
        }
    }
}
