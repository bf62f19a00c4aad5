//! `taffrail defragment`: the engine's files written anew.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use taffrail_store::{Options as StoreOptions, Store};

use super::Stopped;

/// What a file system counts in.
const BLOCK_BYTES: u64 = 512;

#[derive(Args)]
pub struct Options {
    /// The stopped member; a running one gives space back by itself
    #[arg(long)]
    data_dir: PathBuf,
}

pub fn run(options: &Options) -> Result<()> {
    let dir = Stopped::open(&options.data_dir, None)?;
    let path = dir.store();
    let size = || disk_bytes(&path).with_context(|| format!("cannot read {}", path.display()));
    let before = size()?;
    let (store, applier) = Store::open(&path, &StoreOptions::default()).context("cannot open the store")?;
    store.defragment(&mut |what| eprintln!("writing {what} ..."))?;
    drop((store, applier));
    // The engine lets go of the last files when it opens again.
    drop(Store::open(&path, &StoreOptions::default()).context("cannot open the store again")?);
    println!("before: {before} bytes");
    println!("after:  {} bytes", size()?);
    Ok(())
}

/// What all files below the folder take, holes left out.
fn disk_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => disk_bytes(&entry.path())?,
            false => entry.metadata()?.blocks() * BLOCK_BYTES,
        };
    }
    Ok(bytes)
}
