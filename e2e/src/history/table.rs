//! Figures of a history: how many of each kind of request, how they ended, and how long they took.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};

use super::{History, Operation, Outcome, Request};

#[derive(Default)]
struct Row {
    ok_micros: Vec<u64>,
    refused: u64,
    unknown: u64,
}

pub struct Table {
    rows: BTreeMap<&'static str, Row>,
    watchers: usize,
    responses: usize,
}

impl Table {
    pub fn of(history: &History) -> Self {
        let mut rows: BTreeMap<&'static str, Row> = BTreeMap::new();
        for operation in &history.operations {
            rows.entry(kind(&operation.request)).or_default().count(operation);
        }
        rows.values_mut().for_each(|row| row.ok_micros.sort_unstable());
        Self {
            rows,
            watchers: history.watches.len(),
            responses: history.heard.len(),
        }
    }
}

impl Row {
    fn count(&mut self, operation: &Operation) {
        match operation.outcome {
            Outcome::Ok(_) => self.ok_micros.push(operation.returned - operation.invoked),
            Outcome::Refused(_) => self.refused += 1,
            Outcome::Unknown(_) => self.unknown += 1,
        }
    }

    /// The latency that so many of a hundred stayed below.
    fn percentile_millis(&self, percent: usize) -> f64 {
        let last = self.ok_micros.len().saturating_sub(1);
        let micros = self.ok_micros.get(last * percent / 100).copied().unwrap_or(0);
        micros as f64 / 1e3
    }
}

fn kind(request: &Request) -> &'static str {
    match request {
        Request::Put(put) if put.lease != 0 => "put with lease",
        Request::Put(_) => "put",
        Request::Delete(_) => "delete",
        Request::Range(range) if range.revision != 0 => "get of old revision",
        Request::Range(range) if range.serializable => "serializable get",
        Request::Range(_) => "get",
        Request::Txn(_) => "txn",
        Request::Compact { .. } => "compact",
        Request::Grant { .. } => "lease grant",
        Request::KeepAlive { .. } => "lease keepalive",
        Request::Revoke { .. } => "lease revoke",
        Request::Hash { .. } => "hash",
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(
            f,
            "{:<20}{:>9}{:>9}{:>9}{:>10}{:>10}{:>10}",
            "request", "ok", "refused", "unknown", "p50 ms", "p99 ms", "max ms"
        )?;
        for (kind, row) in &self.rows {
            let [p50, p99, max] = [50, 99, 100].map(|percent| row.percentile_millis(percent));
            let (ok, refused, unknown) = (row.ok_micros.len(), row.refused, row.unknown);
            writeln!(
                f,
                "{kind:<20}{ok:>9}{refused:>9}{unknown:>9}{p50:>10.1}{p99:>10.1}{max:>10.1}"
            )?;
        }
        write!(f, "{} watchers heard {} responses", self.watchers, self.responses)
    }
}
