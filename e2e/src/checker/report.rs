//! What the checker found.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};

/// One broken write can make thousands of reads wrong: only so many are told per law.
const TOLD_PER_LAW_MAX: u64 = 5;
/// Of one violation: a read can be long.
const CHARACTERS_TOLD_MAX: usize = 900;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// An acknowledged write is in the history, at its revision.
    AcknowledgedIsKept,
    /// A write is carried out once, and not at all if it was refused.
    WrittenOnce,
    /// Every revision belongs to one write.
    OneWritePerRevision,
    /// Every change was asked for by somebody.
    EveryChangeHasACause,
    /// What begins after something was known is not older than it.
    RealTime,
    /// Nobody is told what has not been asked for yet.
    NotFromTheFuture,
    /// A read is exactly the state at its revision.
    ReadIsState,
    /// A write answers, and branches, by the state right before its revision.
    WriteAnswersByState,
    /// An operation is refused for a reason that holds.
    RefusedWithReason,
    WatchIsOrdered,
    WatchIsComplete,
    WatchTellsOnce,
    WatchIsAtomic,
    WatchIsTrue,
    ProgressIsNotAhead,
    WatchEndsWithReason,
    LeaseLastsItsTime,
    LeaseEndsOnce,
    MembersAgree,
    /// Found by the search that knows nothing of revisions.
    Linearizable,
    SeenByTheDriver,
}

#[derive(Debug, Clone)]
pub struct Violation {
    pub law: Law,
    pub text: String,
}

#[derive(Debug, Default)]
pub struct Report {
    /// The first few of every law.
    pub violations: Vec<Violation>,
    pub counts: BTreeMap<Law, u64>,
    pub figures: Vec<(&'static str, u64)>,
}

impl Report {
    pub fn add(&mut self, law: Law, text: impl Into<String>) {
        let count = self.counts.entry(law).or_default();
        *count += 1;
        if *count <= TOLD_PER_LAW_MAX {
            let text = text.into().chars().take(CHARACTERS_TOLD_MAX).collect();
            self.violations.push(Violation { law, text });
        }
    }
    /// Violations with one of these texts are told, but the report counts as clean without them.
    pub fn tolerate(&mut self, texts: &[String]) {
        let tolerated = |violation: &Violation| texts.iter().any(|text| violation.text.contains(text));
        for violation in self.violations.iter_mut().filter(|violation| tolerated(violation)) {
            if let Some(count) = self.counts.get_mut(&violation.law) {
                *count -= 1;
            }
            violation.text.insert_str(0, "(tolerated) ");
        }
        self.counts.retain(|_, count| *count > 0);
    }
    pub fn figure(&mut self, name: &'static str, figure: u64) {
        self.figures.push((name, figure));
    }
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }
    pub fn broke(&self, law: Law) -> bool {
        self.counts.contains_key(&law)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for Violation { law, text } in &self.violations {
            writeln!(f, "VIOLATION {law:?}: {text}")?;
        }
        for (law, count) in &self.counts {
            writeln!(f, "{count:>8} x {law:?}")?;
        }
        for (name, figure) in &self.figures {
            writeln!(f, "{figure:>8} {name} checked")?;
        }
        write!(
            f,
            "{}",
            if self.is_clean() {
                "no violation"
            } else {
                "VIOLATIONS FOUND"
            }
        )
    }
}
