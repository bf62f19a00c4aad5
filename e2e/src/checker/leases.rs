//! Leases last as long as was promised.

use std::collections::HashMap;

use super::knowledge::Knowledge;
use super::replay::Replayed;
use super::report::{Law, Report};
use crate::history::show::Seconds;
use crate::history::{Body, History, Operation, Request, Step};

const MICROS_PER_SECOND: u64 = 1_000_000;

#[derive(Default)]
pub struct Leases<'a> {
    /// The grant or keepalive that promised the longest life, and until when.
    promised: HashMap<i64, (u64, &'a Operation)>,
    /// The first request to end it.
    revoked: HashMap<i64, u64>,
}

impl<'a> Leases<'a> {
    pub fn gather(history: &'a History) -> Self {
        let mut leases = Self::default();
        history.operations.iter().for_each(|operation| leases.add(operation));
        leases
    }

    fn add(&mut self, operation: &'a Operation) {
        match operation.request {
            Request::Grant { lease, .. } | Request::KeepAlive { lease } => self.promise(lease, operation),
            Request::Revoke { lease } if operation.refusal().is_none() => {
                let first = self.revoked.entry(lease).or_insert(u64::MAX);
                *first = operation.invoked.min(*first);
            }
            _ => {}
        }
    }

    fn promise(&mut self, lease: i64, operation: &'a Operation) {
        let Some(Body::Lease { ttl: ttl @ 1.. }) = operation.answer().map(|answer| &answer.body) else {
            return;
        };
        let until = operation.invoked + *ttl as u64 * MICROS_PER_SECOND;
        let longest = self.promised.entry(lease).or_insert((until, operation));
        if until > longest.0 {
            *longest = (until, operation);
        }
    }

    /// Whether nothing promised life beyond this moment, or somebody asked for its end.
    pub fn may_end_by(&self, lease: i64, time: u64) -> bool {
        self.broken_promise(lease, time).is_none()
    }

    fn broken_promise(&self, lease: i64, time: u64) -> Option<(u64, &'a Operation)> {
        let asked_for = self.revoked.get(&lease).is_some_and(|&invoked| invoked <= time);
        self.promised
            .get(&lease)
            .copied()
            .filter(|&(until, _)| !asked_for && time < until)
    }
}

pub fn check(
    leases: &Leases<'_>,
    history: &History,
    knowledge: &Knowledge<'_>,
    replayed: &Replayed,
    report: &mut Report,
) {
    for &(lease, revision) in &replayed.ends {
        let seen = knowledge.seen_at(revision).unwrap_or(u64::MAX);
        if let Some((until, promise)) = leases.broken_promise(lease, seen) {
            let (seen, until) = (Seconds(seen), Seconds(until));
            let text = format!(
                "lease {lease} ended with revision {revision}, seen at {seen}, but lasts until {until}: {promise}"
            );
            report.add(Law::LeaseLastsItsTime, text);
        }
    }
    history
        .operations
        .iter()
        .for_each(|operation| check_denial(leases, operation, report));
}

/// Whoever is told that a lease does not exist is told that it has ended.
fn check_denial(leases: &Leases<'_>, operation: &Operation, report: &mut Report) {
    for lease in denied(operation) {
        if let Some((until, promise)) = leases.broken_promise(lease, operation.returned) {
            let text = format!(
                "{operation} denies lease {lease}, which lasts until {}: {promise}",
                Seconds(until)
            );
            report.add(Law::LeaseLastsItsTime, text);
        }
    }
}

fn denied(operation: &Operation) -> Vec<i64> {
    let not_found = operation
        .refusal()
        .is_some_and(|reason| reason.contains("requested lease not found"));
    match &operation.request {
        Request::KeepAlive { lease } => match operation.answer().map(|answer| &answer.body) {
            Some(Body::Lease { ttl: ..=0 }) => vec![*lease],
            _ => Vec::new(),
        },
        Request::Revoke { lease } if not_found => vec![*lease],
        Request::Put(put) if not_found => vec![put.lease],
        // Only one lease per transaction, or it would not be known which one was not found.
        Request::Txn(txn) if not_found => txn
            .success
            .iter()
            .chain(&txn.failure)
            .filter_map(lease_of)
            .take(1)
            .collect(),
        _ => Vec::new(),
    }
}

fn lease_of(step: &Step) -> Option<i64> {
    match step {
        Step::Put(put) => Some(put.lease).filter(|&lease| lease != 0),
        Step::Delete(_) | Step::Range(_) => None,
    }
}
