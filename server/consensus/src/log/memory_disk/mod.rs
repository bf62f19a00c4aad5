//! A folder in memory that fails as real ones do, for tests and simulations.
//!
//! What was not synced is lost at a crash, or kept, sector by sector, as the world decides. Names are kept in the
//! order they were changed: a crash keeps a prefix of the changes since the last sync.

mod world;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::world::{Contents, NameChange, World};
use super::disk::{Disk, DiskFile};

pub const SECTOR_BYTES: usize = 512;

/// One step that could be the last one before a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Create,
    Rename,
    Remove,
    SyncNames,
    Write,
    Sync,
}

/// What the world answers to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Works,
    /// The step fails without effect; everything after works.
    Fails(io::ErrorKind),
    /// The machine stops here: this and every later step fails without effect.
    Crashes,
}

/// Clones share the folder.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<World>>);

impl MemoryDisk {
    /// From now on this decides what each step comes to.
    pub fn judged(&self, judge: impl FnMut(Step) -> Fate + Send + 'static) {
        self.world().judge = Box::new(judge);
    }

    /// The folder as it is found after a power failure. `keeps` is asked for every sector that was written and not
    /// synced; `names_kept` says how many of the name changes since the last sync survive.
    pub fn after_crash(&self, names_kept: usize, mut keeps: impl FnMut() -> bool) -> MemoryDisk {
        let world = self.world();
        let mut names = world.durable_names.clone();
        world
            .pending_names
            .iter()
            .take(names_kept)
            .for_each(|change| change.apply(&mut names));
        let files: Vec<Contents> = world.files.iter().map(|file| file.after_crash(&mut keeps)).collect();
        let next = MemoryDisk::default();
        {
            let mut found = next.world();
            (found.names, found.durable_names, found.files) = (names.clone(), names, files);
        }
        next
    }

    pub fn names(&self) -> Vec<String> {
        self.world().names.keys().cloned().collect()
    }

    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let world = self.world();
        world.names.get(name).map(|file| world.files[*file].now.clone())
    }

    /// Replaces a file behind the back of whoever uses it.
    pub fn overwrite(&self, name: &str, contents: Vec<u8>) {
        let mut world = self.world();
        world.files.push(Contents {
            now: contents.clone(),
            durable: contents,
        });
        let file = world.files.len() - 1;
        world.names.insert(name.to_owned(), file);
        world.durable_names.insert(name.to_owned(), file);
    }

    pub fn erase(&self, name: &str) {
        let mut world = self.world();
        world.names.remove(name);
        world.durable_names.remove(name);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, file: usize) -> Arc<dyn DiskFile> {
        Arc::new(MemoryFile {
            disk: self.clone(),
            file,
        })
    }
}

impl Disk for MemoryDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.step(Step::Create)?;
        if world.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let zeroes = vec![0; bytes as usize];
        world.files.push(Contents {
            now: zeroes.clone(),
            durable: zeroes,
        });
        let file = world.files.len() - 1;
        world.change(NameChange::Set(name.to_owned(), file));
        drop(world);
        Ok(self.file(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.world().find(name)?;
        Ok(self.file(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        world.step(Step::Rename)?;
        world.find(from)?;
        world.change(NameChange::Rename {
            from: from.to_owned(),
            to: to.to_owned(),
        });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.step(Step::Remove)?;
        world.find(name)?;
        world.change(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut world = self.world();
        world.step(Step::SyncNames)?;
        world.pending_names.clear();
        world.durable_names = world.names.clone();
        Ok(())
    }

    fn describe(&self, name: &str) -> String {
        format!("memory/{name}")
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    file: usize,
}

impl DiskFile for MemoryFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.disk.world().files[self.file].now.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let world = self.disk.world();
        let from = offset as usize;
        let found = world.files[self.file].now.get(from..from + buffer.len());
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    /// A crash during a write is a crash after it: the sectors that survive are chosen either way.
    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        let before = world.crashed;
        let fate = world.step(Step::Write);
        if fate.is_ok() || (world.crashed && !before) {
            let from = offset as usize;
            let file = &mut world.files[self.file].now;
            file.get_mut(from..from + buffer.len())
                .ok_or(io::ErrorKind::UnexpectedEof)?
                .copy_from_slice(buffer);
        }
        fate
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step(Step::Sync)?;
        let now = world.files[self.file].now.clone();
        world.files[self.file].durable = now;
        Ok(())
    }
}
