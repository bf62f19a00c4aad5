//! A second opinion that knows nothing of revisions: is there a linear order in which every key that is only ever
//! read and written alone behaves as a register?
//!
//! It follows invocations and returns in time and keeps every configuration that is possible: the value, and which
//! of the pending operations have taken effect (Wing and Gong's search, run forward as Lowe describes it).

use std::collections::{HashMap, HashSet};

use super::report::{Law, Report};
use crate::history::{Body, Delete, History, Key, Operation, Put, Range, Request, Span, Step};

/// Operations looked at for each key.
const SAMPLE_MAX: usize = 4_000;
/// Operations that may be pending at once; those of unknown outcome are pending for ever.
const PENDING_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// A value, or nothing after a deletion.
    Write(Option<u64>),
    Read(Option<u64>),
}

#[derive(Debug, Clone, Copy)]
struct Call<'a> {
    action: Action,
    invoked: u64,
    /// None if the outcome is unknown.
    returned: Option<u64>,
    operation: &'a Operation,
}

pub fn check(history: &History, report: &mut Report) {
    let mut calls: HashMap<Key, Vec<Call<'_>>> = HashMap::new();
    let shared = spans_of_others(history);
    for operation in &history.operations {
        let Some((key, call)) = call(operation) else { continue };
        if !shared.iter().any(|span| span.contains(key)) {
            calls.entry(key).or_default().push(call);
        }
    }
    let mut looked_at = 0;
    for (key, mut calls) in calls {
        calls.sort_by_key(|call| call.invoked);
        looked_at += check_register(key, &sample(calls), report);
    }
    report.figure("operations in linear order", looked_at as u64);
}

/// What transactions, leases and deletions of ranges write to.
fn spans_of_others(history: &History) -> HashSet<Span> {
    let spans = history
        .operations
        .iter()
        .flat_map(|operation| match &operation.request {
            Request::Put(put) if put.lease != 0 => vec![Span::single(put.key)],
            Request::Delete(delete) if delete.span.width() != 1 => vec![delete.span],
            Request::Txn(txn) => txn.success.iter().chain(&txn.failure).filter_map(written).collect(),
            _ => Vec::new(),
        });
    spans.collect()
}

fn written(step: &Step) -> Option<Span> {
    match step {
        Step::Put(put) => Some(Span::single(put.key)),
        Step::Delete(delete) => Some(delete.span),
        Step::Range(_) => None,
    }
}

fn call(operation: &Operation) -> Option<(Key, Call<'_>)> {
    let body = operation.answer().map(|answer| &answer.body);
    if operation.refusal().is_some() {
        return None;
    }
    let (key, action) = match (&operation.request, body) {
        (Request::Put(Put { key, value, .. }), _) => (*key, Action::Write(Some(*value))),
        (Request::Delete(Delete { span, .. }), _) if span.width() == 1 => (span.from, Action::Write(None)),
        (
            Request::Range(Range {
                span,
                revision: 0,
                serializable: false,
                ..
            }),
            Some(Body::Range { pairs, .. }),
        ) if span.width() == 1 => (span.from, Action::Read(pairs.first().map(|pair| pair.value))),
        _ => return None,
    };
    let returned = body.map(|_| operation.returned);
    Some((
        key,
        Call {
            action,
            invoked: operation.invoked,
            returned,
            operation,
        },
    ))
}

/// The beginning of the history: what had not returned by its end is as good as unknown.
fn sample(mut calls: Vec<Call<'_>>) -> Vec<Call<'_>> {
    let end = calls.get(SAMPLE_MAX).map_or(u64::MAX, |call| call.invoked);
    calls.truncate(SAMPLE_MAX);
    for call in &mut calls {
        call.returned = call.returned.filter(|&returned| returned < end);
    }
    let read: HashSet<_> = calls
        .iter()
        .filter(|call| call.returned.is_some())
        .filter_map(|call| value_read(call.action))
        .collect();
    // An unfinished read says nothing, and an unfinished write that nobody read need not have happened.
    calls.retain(|call| {
        call.returned.is_some()
            || matches!(call.action, Action::Write(value) if value.is_none_or(|value| read.contains(&value)))
    });
    calls
}

fn value_read(action: Action) -> Option<u64> {
    match action {
        Action::Read(value) => value,
        Action::Write(_) => None,
    }
}

/// The value, and a bit per place of a pending operation that has taken effect.
type Configuration = (Option<u64>, u32);

/// How many calls were put in order.
fn check_register(key: Key, calls: &[Call<'_>], report: &mut Report) -> usize {
    let mut moments: Vec<_> = calls
        .iter()
        .enumerate()
        .map(|(index, call)| (call.invoked, 0, index))
        .collect();
    moments.extend(
        calls
            .iter()
            .enumerate()
            .filter_map(|(index, call)| Some((call.returned?, 1, index))),
    );
    moments.sort_unstable();
    let mut places: [Option<usize>; PENDING_MAX] = [None; PENDING_MAX];
    let mut possible: HashSet<Configuration> = HashSet::from([(None, 0)]);
    let mut ordered = 0;
    for (_, returns, index) in moments {
        if returns == 0 {
            let Some(free) = places.iter().position(Option::is_none) else {
                return ordered;
            };
            places[free] = Some(index);
            continue;
        }
        let place = places
            .iter()
            .position(|&pending| pending == Some(index))
            .expect("a call is invoked before it returns");
        possible = after_return(&possible, place, &places, calls);
        places[place] = None;
        ordered += 1;
        if possible.is_empty() {
            report.add(
                Law::Linearizable,
                format!("{key} has no linear order beyond {}", calls[index].operation),
            );
            return ordered;
        }
    }
    ordered
}

/// Every configuration in which the call at this place has taken effect, with its bit free again.
fn after_return(
    possible: &HashSet<Configuration>,
    place: usize,
    places: &[Option<usize>],
    calls: &[Call<'_>],
) -> HashSet<Configuration> {
    let (mut seen, mut open, mut done) = (
        possible.clone(),
        possible.iter().copied().collect::<Vec<_>>(),
        HashSet::new(),
    );
    while let Some((value, effective)) = open.pop() {
        if effective & 1 << place != 0 {
            done.insert((value, effective & !(1 << place)));
            continue;
        }
        for (bit, pending) in places.iter().enumerate() {
            let Some(call) = pending.map(|index| calls[index]).filter(|_| effective & 1 << bit == 0) else {
                continue;
            };
            let after = match call.action {
                Action::Write(after) => after,
                Action::Read(read) if read == value => value,
                Action::Read(_) => continue,
            };
            let next = (after, effective | 1 << bit);
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    done
}
