//! How far the log is on disk, for whoever must not run ahead of it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Shared by the writer and the apply thread.
#[derive(Default)]
pub struct Durable {
    reached: Mutex<Reached>,
    moved: Condvar,
}

#[derive(Default)]
struct Reached {
    index: u64,
    /// Nothing will be written any more.
    ended: bool,
}

impl Durable {
    /// The last entry on disk.
    pub fn reached(&self, index: u64) {
        self.lock().index = index;
        self.moved.notify_all();
    }

    pub fn end(&self) {
        self.lock().ended = true;
        self.moved.notify_all();
    }

    /// Blocks until this entry is on disk. False if it never will be.
    pub fn wait(&self, index: u64) -> bool {
        let waits = |reached: &mut Reached| reached.index < index && !reached.ended;
        let reached = self.moved.wait_while(self.lock(), waits);
        reached.unwrap_or_else(PoisonError::into_inner).index >= index
    }

    fn lock(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn whoever_waits_goes_on_when_it_is_reached_or_never_will_be() {
        let durable = Arc::new(Durable::default());
        durable.reached(3);
        assert!(durable.wait(3));
        let waiter = |index| {
            let durable = durable.clone();
            std::thread::spawn(move || durable.wait(index))
        };
        let (near, far) = (waiter(4), waiter(9));
        durable.reached(5);
        assert!(near.join().unwrap());
        durable.end();
        assert!(!far.join().unwrap());
    }
}
