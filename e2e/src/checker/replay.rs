//! Walks through all revisions, finds who wrote each, and asks the model whether that is what follows.

use std::collections::{HashMap, HashSet};

use super::knowledge::Knowledge;
use super::leases::Leases;
use super::model::{Change, State};
use super::reads;
use super::report::{Law, Report};
use super::truth::Truth;
use super::writer::{Cause, Writers};
use crate::history::show::list;
use crate::history::{Event, History, Operation, Pair};

pub struct Replay<'a> {
    knowledge: &'a Knowledge<'a>,
    truth: Truth,
    state: State,
    writers: Writers<'a>,
    /// Answers by the revision whose state they tell.
    pinned: HashMap<i64, Vec<&'a Operation>>,
    ended: HashSet<i64>,
    out: Replayed,
}

/// The whole sequence, for everything that is checked after it.
pub struct Replayed {
    pub last: i64,
    /// By revision.
    pub changes: Vec<Vec<Change>>,
    /// By revision: the moment before which it cannot have existed.
    pub asked: Vec<u64>,
    /// Leases that ended and took keys along, with the revision.
    pub ends: Vec<(i64, i64)>,
}

impl<'a> Replay<'a> {
    pub fn new(history: &'a History, knowledge: &'a Knowledge<'a>, leases: &'a Leases<'a>, truth: Truth) -> Self {
        let writers = Writers::gather(history, knowledge, leases);
        // Every revision has a request behind it, or the grant of the lease that ended.
        let last_possible = 2 * history.operations.len() as i64 + 2;
        let last = truth.last.max(writers.last_claim()).clamp(1, last_possible);
        let start = Replayed {
            last,
            changes: vec![Vec::new(); 2],
            asked: vec![0; 2],
            ends: Vec::new(),
        };
        Self {
            knowledge,
            truth,
            state: State::empty(),
            writers,
            pinned: reads::pinned(history),
            ended: HashSet::new(),
            out: start,
        }
    }

    pub fn run(mut self, report: &mut Report) -> Replayed {
        self.read(report);
        for revision in 2..=self.out.last {
            self.write(revision, report);
            self.read(report);
        }
        if self.knowledge.last() > self.out.last {
            let text = format!(
                "revision {} was told, but the last write is at {}",
                self.knowledge.last(),
                self.out.last
            );
            report.add(Law::EveryChangeHasACause, text);
        }
        self.out
    }

    /// Everything that was answered from the state as it is now.
    fn read(&mut self, report: &mut Report) {
        for operation in self.pinned.remove(&self.state.revision).unwrap_or_default() {
            reads::check_answer(operation, &self.state, report);
        }
    }

    fn write(&mut self, revision: i64, report: &mut Report) {
        let told = self.truth.take(revision);
        let cause = self.writers.cause(revision, told.as_deref(), &self.state, report);
        let (changes, asked) = match cause {
            Cause::Operation(operation) => (
                self.by_operation(revision, operation, told.as_deref(), report),
                operation.invoked,
            ),
            Cause::EndOfLease(lease) => (self.by_end(revision, lease), 0),
            Cause::Nobody => (self.as_told(told.as_deref().unwrap_or_default()), 0),
        };
        self.check_attachments(revision, &changes, report);
        self.state.commit(&changes);
        self.out.changes.push(changes);
        let before = self.out.asked.last().copied().unwrap_or(0);
        self.out.asked.push(before.max(asked));
    }

    fn by_end(&mut self, revision: i64, lease: i64) -> Vec<Change> {
        self.ended.insert(lease);
        self.out.ends.push((lease, revision));
        self.state.end_of_lease(lease)
    }

    fn by_operation(
        &mut self,
        revision: i64,
        operation: &Operation,
        told: Option<&[Event]>,
        report: &mut Report,
    ) -> Vec<Change> {
        let effect = self.state.evaluate(&operation.request);
        let known = self.knowledge.before(operation.invoked);
        if known >= revision {
            let text = format!(
                "{}, yet {revision} was given later to {operation}",
                self.knowledge.witness(operation.invoked)
            );
            report.add(Law::RealTime, text);
        }
        if operation.answer().is_some_and(|answer| answer.body != effect.body) {
            let text = format!(
                "{operation} was answered by another state than that before {revision}, which is: {}",
                effect.body
            );
            report.add(Law::WriteAnswersByState, text);
        }
        match told {
            None => {
                report.add(Law::AcknowledgedIsKept, format!("no watch was told of {operation}"));
                effect.changes
            }
            Some(told) if agrees(told, &effect.changes) => effect.changes,
            Some(told) => {
                let law = if operation.answer().is_some() {
                    Law::AcknowledgedIsKept
                } else {
                    Law::WriteAnswersByState
                };
                report.add(
                    law,
                    format!(
                        "revision {revision} is {}, which is not what follows from {operation}",
                        list(told)
                    ),
                );
                self.as_told(told)
            }
        }
    }

    fn as_told(&self, told: &[Event]) -> Vec<Change> {
        let change = |event: &Event| Change {
            key: event.pair.key,
            before: self.state.get(event.pair.key),
            after: event.put.then_some(event.pair),
        };
        told.iter().map(change).collect()
    }

    fn check_attachments(&self, revision: i64, changes: &[Change], report: &mut Report) {
        let attached = changes.iter().filter_map(|change| change.after);
        for pair in attached.filter(|pair| self.ended.contains(&pair.lease)) {
            report.add(
                Law::LeaseEndsOnce,
                format!("revision {revision} attaches {pair} to a lease that has ended"),
            );
        }
    }
}

/// Whether watches were told exactly these changes.
fn agrees(told: &[Event], changes: &[Change]) -> bool {
    let same = |(event, change): (&Event, &Change)| {
        let after: Option<Pair> = event.put.then_some(event.pair);
        event.pair.key == change.key && after == change.after
    };
    told.len() == changes.len() && told.iter().zip(changes).all(same)
}
