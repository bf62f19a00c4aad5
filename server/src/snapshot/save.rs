//! `taffrail snapshot save`: the state of a stopped member as a snapshot file.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use taffrail_store::backup::{self, Chunks};

use crate::config::{ETCD_VERSION, storage_version_of};
use crate::offline::{CaughtUp, Stopped};

#[derive(Args)]
pub struct Save {
    file: PathBuf,
    /// The stopped member; of a running one: etcdctl snapshot save
    #[arg(long)]
    data_dir: PathBuf,
    /// Its raft log, where it does not lie in the data directory
    #[arg(long)]
    wal_dir: Option<PathBuf>,
}

impl Save {
    pub fn run(&self) -> Result<()> {
        let dir = Stopped::open(&self.data_dir, self.wal_dir.as_deref())?;
        save_to(&CaughtUp::open(&dir)?, &self.file)
    }
}

/// Written aside, synced and moved: the file is whole or not there.
///
/// # Errors
/// If the file is there already or cannot be written.
pub fn save_to(state: &CaughtUp, path: &Path) -> Result<()> {
    ensure!(!path.exists(), "{} is there already: name another file", path.display());
    let mut aside = path.to_path_buf().into_os_string();
    aside.push(".part");
    let aside = PathBuf::from(aside);
    let written = write(state, &aside).with_context(|| format!("cannot write {}", aside.display()));
    let revision = written.inspect_err(|_| drop(fs::remove_file(&aside)))?;
    fs::rename(&aside, path).with_context(|| format!("cannot write {}", path.display()))?;
    println!("saved revision {revision} to {}", path.display());
    if state.left_out > 0 {
        println!(
            "left out {} entries that the log does not call committed",
            state.left_out
        );
    }
    Ok(())
}

fn write(state: &CaughtUp, path: &Path) -> Result<i64> {
    eprintln!("writing {} ...", path.display());
    let facts = state.backup_facts(storage_version_of(ETCD_VERSION))?;
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    let mut buffered = BufWriter::new(&file);
    let summary = backup::write(&state.view(), &facts, &mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    append_checksum(&file, summary.bytes)?;
    file.sync_all()?;
    Ok(summary.revision)
}

/// The last chunk is the checksum of all before it.
fn append_checksum(file: &File, data_bytes: u64) -> Result<()> {
    let mut checksum = None;
    for chunk in Chunks::new(file.try_clone()?, data_bytes)? {
        checksum = Some(chunk?.bytes);
    }
    let mut end = file;
    end.write_all(&checksum.context("no data")?)?;
    Ok(())
}
