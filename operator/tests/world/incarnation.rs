//! One life of the operator: it may end at any of its writes.

use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use tokio::sync::{Notify, Semaphore};

use super::{State, World};

/// On which side of its last write an operator died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// It never took effect.
    Before,
    /// It took effect, the answer was never read.
    After,
}

/// One life of the operator.
pub struct Incarnation {
    name: String,
    killed_at: Option<(usize, Flavour)>,
    writes: AtomicUsize,
    dead: AtomicBool,
    died: Notify,
    /// With it, every call waits for its turn.
    turns: Option<Semaphore>,
    waiting: AtomicUsize,
    /// Numbers of the writes after which the world was another.
    effective: Mutex<Vec<usize>>,
    /// The world on both sides of each of them, if it is recorded.
    moments: Option<Mutex<Vec<Moment>>>,
}

/// The world as a death would leave it behind.
#[derive(Clone)]
pub struct Moment {
    /// `killed After write 7`
    pub how: String,
    pub world: World,
}

impl Incarnation {
    pub fn immortal(name: &str) -> Self {
        Self::new(name, None, None)
    }

    /// Dies at its write number `write`, counted from 0.
    pub fn mortal(name: &str, write: usize, flavour: Flavour) -> Self {
        Self::new(name, Some((write, flavour)), None)
    }

    /// Never dies, and keeps what would be left behind if it did.
    pub fn recorded(name: &str) -> Self {
        Self {
            moments: Some(Mutex::default()),
            ..Self::immortal(name)
        }
    }

    /// What deaths would leave behind, each once.
    pub fn moments(&self) -> Vec<Moment> {
        self.moments
            .iter()
            .flat_map(|all| all.lock().expect("not poisoned").clone())
            .collect()
    }

    /// The same world twice in a row is kept once.
    fn record(&self, state: &State, flavour: Flavour, number: usize) {
        let Some(moments) = &self.moments else { return };
        let mut moments = moments.lock().expect("not poisoned");
        let what = |state: &State| (state.api.revision, state.ticks, state.histories.clone());
        if moments
            .last()
            .is_none_or(|last| what(&last.world.state()) != what(state))
        {
            let how = format!("killed {flavour:?} write {number}");
            moments.push(Moment {
                how,
                world: World::of(state.clone()),
            });
        }
    }

    /// Every call waits until [`Self::let_one_through`].
    pub fn stepped(name: &str) -> Self {
        Self::new(name, None, Some(Semaphore::new(0)))
    }

    fn new(name: &str, killed_at: Option<(usize, Flavour)>, turns: Option<Semaphore>) -> Self {
        Self {
            name: name.into(),
            killed_at,
            writes: AtomicUsize::new(0),
            dead: AtomicBool::new(false),
            died: Notify::new(),
            turns,
            waiting: AtomicUsize::new(0),
            effective: Mutex::default(),
            moments: None,
        }
    }

    /// Changes that it made, or died at.
    pub fn writes(&self) -> usize {
        self.writes.load(SeqCst)
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(SeqCst)
    }

    /// Until it is dead.
    pub async fn died(&self) {
        let notified = self.died.notified();
        if !self.is_dead() {
            notified.await;
        }
    }

    /// Calls that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    pub fn let_one_through(&self) {
        self.turns.iter().for_each(|turns| turns.add_permits(1));
    }

    /// One call of it. The dead never get an answer: whatever waits for one is dropped with them.
    pub async fn call<T>(&self, world: &World, what: &str, is_change: bool, act: impl FnOnce(&mut State) -> T) -> T {
        self.turn().await;
        if self.is_dead() {
            return pending().await;
        }
        if !is_change {
            return act(&mut world.state());
        }
        let number = self.writes.fetch_add(1, SeqCst);
        match self.killed_at {
            Some((at, flavour)) if at == number => {
                self.die(world, what, (flavour == Flavour::After).then_some(act));
                pending().await
            }
            _ => self.watched(&mut world.state(), number, what, act),
        }
    }

    fn die<T>(&self, world: &World, what: &str, act: Option<impl FnOnce(&mut State) -> T>) {
        let mut state = world.state();
        match act {
            Some(act) => drop(Self::change(&mut state, &self.name, what, act)),
            None => state.note(format!("{}: {what} does not happen", self.name)),
        }
        state.note(format!("{} dies", self.name));
        self.dead.store(true, SeqCst);
        self.died.notify_waiters();
    }

    /// Numbers of the writes after which the world was another.
    pub fn effective_writes(&self) -> Vec<usize> {
        self.effective.lock().expect("not poisoned").clone()
    }

    fn watched<T>(&self, state: &mut State, number: usize, what: &str, act: impl FnOnce(&mut State) -> T) -> T {
        let before = (state.api.revision, state.histories.clone());
        self.record(state, Flavour::Before, number);
        let answer = Self::change(state, &self.name, what, act);
        if before != (state.api.revision, state.histories.clone()) {
            self.effective.lock().expect("not poisoned").push(number);
            self.record(state, Flavour::After, number);
        }
        answer
    }

    fn change<T>(state: &mut State, name: &str, what: &str, act: impl FnOnce(&mut State) -> T) -> T {
        state.writes += 1;
        state.note(format!("{name}: {what}"));
        act(state)
    }

    async fn turn(&self) {
        let Some(turns) = &self.turns else { return };
        self.waiting.fetch_add(1, SeqCst);
        turns.acquire().await.expect("never closed").forget();
        self.waiting.fetch_sub(1, SeqCst);
    }
}
