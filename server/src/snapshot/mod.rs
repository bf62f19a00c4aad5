//! `taffrail snapshot`: what people do with a snapshot file while no member runs.
//!
//! Commands, flags and what is printed are those of `etcdutl`, so that scripts find what they know.

mod print;
mod restore;
mod save;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::{Parser, Subcommand};
use taffrail_store::backup::{self, RestoreOptions};
use taffrail_store::{HashKv, Options, RangeError, Store};

use crate::offline;
use print::Format;
pub use save::save_to;

#[derive(Parser)]
#[command(name = "taffrail", about = "Snapshot files of etcd and Taffrail")]
struct Cli {
    #[command(subcommand)]
    top: Top,
}

#[derive(Subcommand)]
enum Top {
    /// Looks into a snapshot file, makes a member of it, or makes one of a stopped member
    #[command(subcommand)]
    Snapshot(Snapshot),
}

#[derive(Subcommand)]
enum Snapshot {
    /// Prints hash, revision, keys and size of a snapshot file
    Status {
        file: PathBuf,
        #[arg(short, long, default_value = "simple")]
        write_out: Format,
    },
    /// Prints the hash of the keys' history in a snapshot file, as HashKV gives it for the same contents
    Hashkv {
        file: PathBuf,
        /// The newest revision to be hashed; 0 for all
        #[arg(long, default_value_t = 0)]
        rev: i64,
        #[arg(short, long, default_value = "simple")]
        write_out: Format,
    },
    /// Makes a data directory of a snapshot file
    Restore(restore::Restore),
    /// Makes a snapshot file of a stopped member, which etcdutl restores as well
    Save(save::Save),
}

pub fn run(words: &[String]) -> ExitCode {
    let cli = Cli::parse_from(std::iter::once("taffrail").chain(words.iter().map(String::as_str)));
    let Top::Snapshot(command) = cli.top;
    offline::exit_code(match command {
        Snapshot::Status { file, write_out } => status(&file, write_out),
        Snapshot::Hashkv { file, rev, write_out } => hashkv(&file, rev, write_out),
        Snapshot::Restore(options) => options.run(),
        Snapshot::Save(options) => options.run(),
    })
}

fn status(file: &Path, format: Format) -> Result<()> {
    let found = backup::status(file).with_context(|| format!("cannot read {}", file.display()))?;
    print!("{}", print::status(&found, format));
    Ok(())
}

/// Compaction decides what counts, so the file becomes a store, which knows all about that.
fn hashkv(file: &Path, revision: i64, format: Format) -> Result<()> {
    let folder = tempfile::tempdir().context("no room for a temporary store")?;
    let dir = folder.path().join("store");
    let options = RestoreOptions {
        skip_hash_check: true,
        ..RestoreOptions::default()
    };
    eprintln!("reading {} ...", file.display());
    backup::restore(file, &dir, &options, None)?;
    let (store, _applier) = Store::open(&dir, &Options::default())?;
    let hash: HashKv = store.view().hash_kv(revision).map_err(in_etcds_words)?;
    print!("{}", print::hash_kv(&hash, format));
    Ok(())
}

fn in_etcds_words(error: RangeError) -> anyhow::Error {
    match error {
        RangeError::Compacted(_) => anyhow!("mvcc: required revision has been compacted"),
        RangeError::FutureRevision(_) => anyhow!("mvcc: required revision is a future revision"),
        RangeError::Failure(failure) => failure.into(),
    }
}
