//! Who wrote a revision.

use std::collections::{HashMap, HashSet};

use super::knowledge::Knowledge;
use super::leases::Leases;
use super::model::State;
use super::report::{Law, Report};
use crate::history::show::list;
use crate::history::{Event, History, Operation, Request};

pub enum Cause<'a> {
    Operation(&'a Operation),
    EndOfLease(i64),
    Nobody,
}

pub struct Writers<'a> {
    knowledge: &'a Knowledge<'a>,
    leases: &'a Leases<'a>,
    /// Operations that were told that they are the write at a revision.
    claims: HashMap<i64, Vec<&'a Operation>>,
    by_value: HashMap<u64, &'a Operation>,
    /// Of unknown outcome, and perhaps without a value to know them by; narrow ones first.
    deletions: Vec<&'a Operation>,
    placed: HashMap<u64, i64>,
}

impl<'a> Writers<'a> {
    pub fn gather(history: &'a History, knowledge: &'a Knowledge<'a>, leases: &'a Leases<'a>) -> Self {
        let mut writers = Self {
            knowledge,
            leases,
            claims: HashMap::new(),
            by_value: HashMap::new(),
            deletions: Vec::new(),
            placed: HashMap::new(),
        };
        history
            .operations
            .iter()
            .filter(|operation| operation.is_write())
            .for_each(|write| writers.add(write));
        writers
            .deletions
            .sort_by_key(|operation| (width(operation), operation.invoked));
        writers
    }

    fn add(&mut self, write: &'a Operation) {
        self.by_value.extend(write.puts().iter().map(|put| (put.value, write)));
        if let Some(answer) = write.answer().filter(|_| write.changed_something()) {
            self.claims.entry(answer.revision).or_default().push(write);
        }
        if write.is_unknown() && !matches!(write.request, Request::Put(_)) {
            self.deletions.push(write);
        }
    }

    pub fn last_claim(&self) -> i64 {
        self.claims.keys().copied().max().unwrap_or(0)
    }

    pub fn cause(&mut self, revision: i64, told: Option<&[Event]>, state: &State, report: &mut Report) -> Cause<'a> {
        let claims = self.claims.remove(&revision).unwrap_or_default();
        if claims.len() > 1 {
            report.add(
                Law::OneWritePerRevision,
                format!("revision {revision} was given to all of {}", list(&claims)),
            );
        }
        let told = told.unwrap_or_default();
        self.check_strangers(revision, told, &claims, report);
        let cause = claims.first().map_or_else(
            || self.unclaimed(revision, told, state),
            |claim| Cause::Operation(claim),
        );
        match cause {
            Cause::Operation(operation) => self.place(revision, operation, report),
            Cause::Nobody => report.add(
                Law::EveryChangeHasACause,
                format!("nobody asked for revision {revision}: {}", list(told)),
            ),
            Cause::EndOfLease(_) => {}
        }
        cause
    }

    /// Values by somebody else than who was told to be the writer.
    fn check_strangers(&self, revision: i64, told: &[Event], claims: &[&Operation], report: &mut Report) {
        for event in told.iter().filter(|event| event.put) {
            match self.by_value.get(&event.pair.value) {
                None => report.add(Law::EveryChangeHasACause, format!("nobody wrote the value of {event}")),
                Some(writer) if claims.iter().any(|claim| claim.id == writer.id) => {}
                Some(writer) if writer.refusal().is_some() => {
                    report.add(
                        Law::WrittenOnce,
                        format!("carried out at revision {revision} although refused: {writer}"),
                    );
                }
                Some(writer) if writer.answer().is_some() => {
                    report.add(
                        Law::AcknowledgedIsKept,
                        format!("carried out at revision {revision}: {writer}"),
                    );
                }
                Some(_) => {}
            }
        }
    }

    fn place(&mut self, revision: i64, operation: &Operation, report: &mut Report) {
        if let Some(other) = self.placed.insert(operation.id, revision) {
            report.add(
                Law::WrittenOnce,
                format!("carried out at revision {other} and again at {revision}: {operation}"),
            );
        }
    }

    fn unclaimed(&self, revision: i64, told: &[Event], state: &State) -> Cause<'a> {
        let mut written = told.iter().filter(|event| event.put);
        if let Some(event) = written.next() {
            return self
                .by_value
                .get(&event.pair.value)
                .map_or(Cause::Nobody, |writer| Cause::Operation(writer));
        }
        if told.is_empty() {
            Cause::Nobody
        } else {
            self.of_deletion(revision, told, state)
        }
    }

    fn of_deletion(&self, revision: i64, told: &[Event], state: &State) -> Cause<'a> {
        let seen = self.knowledge.seen_at(revision).unwrap_or(u64::MAX);
        let lease = ended_lease(told, state);
        if let Some(lease) = lease.filter(|&lease| self.leases.may_end_by(lease, seen)) {
            return Cause::EndOfLease(lease);
        }
        let possible = self
            .deletions
            .iter()
            .find(|write| self.explains(write, seen, told, state));
        let deletion = possible.map(|write| Cause::Operation(write));
        deletion.or(lease.map(Cause::EndOfLease)).unwrap_or(Cause::Nobody)
    }

    fn explains(&self, write: &Operation, seen: u64, told: &[Event], state: &State) -> bool {
        if write.invoked > seen || self.placed.contains_key(&write.id) {
            return false;
        }
        let changes = state.evaluate(&write.request).changes;
        let gone = changes
            .iter()
            .filter(|change| change.after.is_none())
            .map(|change| change.key);
        changes.len() == told.len() && gone.eq(told.iter().map(|event| event.pair.key))
    }
}

/// The lease whose keys, all of them, are exactly these.
fn ended_lease(told: &[Event], state: &State) -> Option<i64> {
    let lease = state.get(told.first()?.pair.key)?.lease;
    let keys: HashSet<_> = told.iter().map(|event| event.pair.key).collect();
    let attached = state.attached(lease)?;
    (attached.len() == keys.len() && attached.iter().all(|key| keys.contains(key))).then_some(lease)
}

fn width(operation: &Operation) -> u32 {
    match &operation.request {
        Request::Delete(delete) => delete.span.width(),
        _ => 0,
    }
}
