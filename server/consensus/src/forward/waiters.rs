//! Who waits here for which proposal.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use taffrail_store::Answer;
use tokio::sync::oneshot;

/// Why a forwarded proposal has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// Certainly not.
    NotAppended,
    /// It may be applied, now or later.
    Unknown,
}

struct Waiter {
    term: u64,
    answer: oneshot::Sender<Result<Answer, Unanswered>>,
}

/// Who waits here for which proposal.
#[derive(Default)]
pub struct Waiters {
    /// The length of the map, to be asked without a lock.
    count: AtomicUsize,
    by_id: Mutex<HashMap<u64, Waiter>>,
}

/// Waits; gives up its place when dropped.
pub struct Waiting<'a> {
    waiters: &'a Waiters,
    id: u64,
    pub answer: oneshot::Receiver<Result<Answer, Unanswered>>,
}

impl Waiters {
    pub fn wait(&self, id: u64, term: u64) -> Waiting<'_> {
        let (tell, answer) = oneshot::channel();
        let waiter = Waiter { term, answer: tell };
        if self.by_id().insert(id, waiter).is_none() {
            self.count.fetch_add(1, Ordering::Release);
        }
        Waiting {
            waiters: self,
            id,
            answer,
        }
    }

    pub fn are_some(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    pub fn tell(&self, id: u64, answer: Result<Answer, Unanswered>) {
        if let Some(waiter) = self.take(id) {
            waiter.tell(answer);
        }
    }

    /// What became of the attempt in this term. Says nothing of one in another term: the leader of that one may have
    /// appended it.
    pub fn tell_of(&self, id: u64, term: u64, why: Unanswered) {
        let mut by_id = self.by_id();
        if by_id.get(&id).is_some_and(|waiter| waiter.term == term) {
            self.take_from(&mut by_id, id)
                .into_iter()
                .for_each(|waiter| waiter.tell(Err(why)));
        }
    }

    /// An entry of this term is applied: earlier leaders can append nothing any more.
    pub fn term_began(&self, term: u64) {
        self.give_up(Unanswered::NotAppended, |waiter| waiter.term < term);
    }

    /// The state jumped over entries, so nobody knows which of them were among those.
    pub fn jumped(&self) {
        self.give_up(Unanswered::Unknown, |_| true);
    }

    fn give_up(&self, why: Unanswered, whom: impl Fn(&Waiter) -> bool) {
        if !self.are_some() {
            return;
        }
        // Told while nobody can wait anew: the next attempt under the same id is another matter.
        let mut by_id = self.by_id();
        for (_, waiter) in by_id.extract_if(|_, waiter| whom(waiter)) {
            self.count.fetch_sub(1, Ordering::Release);
            waiter.tell(Err(why));
        }
    }

    fn take(&self, id: u64) -> Option<Waiter> {
        self.take_from(&mut self.by_id(), id)
    }

    fn take_from(&self, by_id: &mut HashMap<u64, Waiter>, id: u64) -> Option<Waiter> {
        let waiter = by_id.remove(&id)?;
        self.count.fetch_sub(1, Ordering::Release);
        Some(waiter)
    }

    fn by_id(&self) -> MutexGuard<'_, HashMap<u64, Waiter>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    fn tell(self, answer: Result<Answer, Unanswered>) {
        // Whoever waited may have been dropped.
        let _ = self.answer.send(answer);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        drop(self.waiters.take(self.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_store::Response;

    fn answer() -> Answer {
        Ok(Response::LeaseCheckpoint)
    }

    #[tokio::test]
    async fn an_answer_reaches_who_waits_for_it() {
        let waiters = Waiters::default();
        let mut waiting = waiters.wait(1, 5);
        waiters.tell(2, Ok(answer()));
        waiters.term_began(5);
        assert!(waiters.are_some());
        waiters.tell(1, Ok(answer()));
        assert_eq!((&mut waiting.answer).await.unwrap(), Ok(answer()));
        assert!(!waiters.are_some());
    }

    #[tokio::test]
    async fn a_later_term_settles_what_was_not_appended() {
        let waiters = Waiters::default();
        let (mut early, late) = (waiters.wait(1, 5), waiters.wait(2, 6));
        waiters.term_began(6);
        assert_eq!((&mut early.answer).await.unwrap(), Err(Unanswered::NotAppended));
        assert!(waiters.are_some());
        drop(late);
        assert!(!waiters.are_some());
    }

    #[tokio::test]
    async fn a_late_refusal_says_nothing_of_the_next_attempt() {
        let waiters = Waiters::default();
        drop(waiters.wait(1, 5));
        let mut again = waiters.wait(1, 6);
        waiters.tell_of(1, 5, Unanswered::NotAppended);
        waiters.tell(1, Ok(answer()));
        assert_eq!((&mut again.answer).await.unwrap(), Ok(answer()));

        let mut refused = waiters.wait(1, 7);
        waiters.tell_of(1, 7, Unanswered::NotAppended);
        assert_eq!((&mut refused.answer).await.unwrap(), Err(Unanswered::NotAppended));
    }

    #[tokio::test]
    async fn after_a_jump_nobody_knows() {
        let waiters = Waiters::default();
        let mut waiting = waiters.wait(1, 5);
        waiters.jumped();
        assert_eq!((&mut waiting.answer).await.unwrap(), Err(Unanswered::Unknown));
    }
}
