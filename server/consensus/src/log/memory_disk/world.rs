//! The folder behind a [`MemoryDisk`](super::MemoryDisk): what is there now, and what a crash would leave.

use std::collections::BTreeMap;
use std::io;

use super::{Fate, SECTOR_BYTES, Step};

type Judge = Box<dyn FnMut(Step) -> Fate + Send>;

pub(super) struct World {
    pub names: BTreeMap<String, usize>,
    pub durable_names: BTreeMap<String, usize>,
    pub pending_names: Vec<NameChange>,
    pub files: Vec<Contents>,
    pub judge: Judge,
    pub crashed: bool,
}

pub(super) enum NameChange {
    Set(String, usize),
    Rename { from: String, to: String },
    Remove(String),
}

#[derive(Clone, Default)]
pub(super) struct Contents {
    pub now: Vec<u8>,
    pub durable: Vec<u8>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            files: Vec::new(),
            judge: Box::new(|_| Fate::Works),
            crashed: false,
        }
    }
}

impl World {
    pub fn step(&mut self, step: Step) -> io::Result<()> {
        let fate = if self.crashed {
            Fate::Crashes
        } else {
            (self.judge)(step)
        };
        self.crashed |= fate == Fate::Crashes;
        match fate {
            Fate::Works => Ok(()),
            Fate::Fails(kind) => Err(io::Error::new(kind, format!("{step:?} was made to fail"))),
            Fate::Crashes => Err(io::Error::other("the machine has stopped")),
        }
    }

    pub fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    pub fn find(&self, name: &str) -> io::Result<usize> {
        self.names
            .get(name)
            .copied()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, name.to_owned()))
    }
}

impl NameChange {
    pub fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Set(name, file) => names.insert(name.clone(), *file),
            NameChange::Rename { from, to } => names.remove(from).and_then(|file| names.insert(to.clone(), file)),
            NameChange::Remove(name) => names.remove(name),
        };
    }
}

impl Contents {
    pub fn after_crash(&self, keeps: &mut impl FnMut() -> bool) -> Contents {
        let mut found = self.durable.clone();
        for (sector, now) in found.chunks_mut(SECTOR_BYTES).zip(self.now.chunks(SECTOR_BYTES)) {
            if sector != now && keeps() {
                sector.copy_from_slice(now);
            }
        }
        Contents {
            now: found.clone(),
            durable: found,
        }
    }
}
