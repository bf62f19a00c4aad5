//! Whether everything that is stored fits together.
//!
//! Enters: the store of a stopped member. Leaves: how much there is of what, and [`Finding`]s. Always holds: nothing
//! is changed; memory is bounded, whatever the size of the store; after damage in one keyspace the others are still
//! looked at.

mod current;
mod history;
mod leases;
mod log;
mod system;
mod tables;

use std::path::PathBuf;

use crate::pinned::Pinned;
use crate::{StoppedStore, StoreFailure, View};

/// More than so many are counted, not kept.
const FINDINGS_KEPT_MAX: usize = 100;

/// What does not fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finding {
    /// `current`, `log`, `history`, `system`, or the engine's own files.
    pub keyspace: &'static str,
    /// The stored key, if it is about one.
    pub key: Option<Vec<u8>>,
    /// The file, if it is about one.
    pub file: Option<PathBuf>,
    pub why: String,
}

/// What was looked at and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    pub tables: u64,
    pub table_bytes: u64,
    pub keys: u64,
    pub log_rows: u64,
    pub history_rows: u64,
    pub system_rows: u64,
    pub leases: u64,
    pub attached_keys: u64,
    pub users: u64,
    pub roles: u64,
    /// The first ones.
    pub findings: Vec<Finding>,
    /// All of them.
    pub damages: u64,
}

impl CheckReport {
    fn damage(&mut self, keyspace: &'static str, key: &[u8], why: impl Into<String>) {
        self.add(Finding {
            keyspace,
            key: Some(key.to_vec()),
            file: None,
            why: why.into(),
        });
    }

    fn add(&mut self, finding: Finding) {
        self.damages += 1;
        if self.findings.len() < FINDINGS_KEPT_MAX {
            self.findings.push(finding);
        }
    }

    /// A keyspace that cannot be read to its end.
    fn unreadable(&mut self, keyspace: &'static str, why: &StoreFailure) {
        self.add(Finding {
            keyspace,
            why: why.to_string(),
            ..Finding::default()
        });
    }
}

impl StoppedStore {
    /// Reads everything; `progress` hears what is being looked at.
    pub fn check(&self, progress: &mut dyn FnMut(&str)) -> CheckReport {
        let view = self.store().view();
        let mut report = CheckReport::default();
        type Step = fn(&Pinned, &View, &mut CheckReport) -> Result<(), StoreFailure>;
        let steps: [(&str, &'static str, Step); 6] = [
            ("the engine's tables", "engine", tables::check),
            ("users, leases, counts", "system", system::check),
            ("leases and their keys", "system", leases::check),
            ("keys", "current", current::check),
            ("the log of changes", "log", log::check),
            ("old versions", "history", history::check),
        ];
        for (what, keyspace, step) in steps {
            progress(what);
            if let Err(why) = step(view.pinned(), &view, &mut report) {
                report.unreadable(keyspace, &why);
            }
        }
        report
    }
}

#[cfg(test)]
mod tests;
