//! What went through, counted while it happens.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::history::{Operation, Outcome};

#[derive(Default)]
pub struct Figures {
    ok: AtomicU64,
    refused: AtomicU64,
    unknown: AtomicU64,
    events: AtomicU64,
    faults: AtomicU64,
    unreached: AtomicU64,
    last_write_at: AtomicU64,
    longest_pause_micros: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
pub struct Totals {
    pub ok: u64,
    pub refused: u64,
    pub unknown: u64,
    pub events: u64,
    pub faults: u64,
    /// Times that nobody could be connected to.
    pub unreached: u64,
}

impl Figures {
    pub fn count(&self, operation: &Operation) {
        let counter = match operation.outcome {
            Outcome::Ok(_) => &self.ok,
            Outcome::Refused(_) => &self.refused,
            Outcome::Unknown(_) => &self.unknown,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if operation.changed_something() {
            let before = self.last_write_at.fetch_max(operation.returned, Ordering::Relaxed);
            self.longest_pause_micros
                .fetch_max(operation.returned.saturating_sub(before), Ordering::Relaxed);
        }
    }

    pub fn count_events(&self, count: usize) {
        self.events.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub fn count_unreached(&self) {
        self.unreached.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    pub fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            ok: read(&self.ok),
            refused: read(&self.refused),
            unknown: read(&self.unknown),
            events: read(&self.events),
            faults: read(&self.faults),
            unreached: read(&self.unreached),
        }
    }

    /// The longest time between two acknowledged writes since the last call, counting the one that goes on now.
    pub fn take_longest_pause(&self, now: u64) -> std::time::Duration {
        let going_on = now.saturating_sub(self.last_write_at.load(Ordering::Relaxed));
        let longest = self.longest_pause_micros.swap(0, Ordering::Relaxed).max(going_on);
        std::time::Duration::from_micros(longest)
    }
}
