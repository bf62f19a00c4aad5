//! `taffrail snapshot restore`: a member of a new cluster, made of a snapshot file.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use taffrail_consensus::first_membership;
use taffrail_store::backup::{self, RestoreOptions, RestoreSummary};

use crate::data_dir;
use crate::offline::Founding;

#[derive(Args)]
pub struct Restore {
    file: PathBuf,
    /// Where the member will live; must be empty
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where its raft log will live, if not in the data directory; must not be there yet
    #[arg(long)]
    wal_dir: Option<PathBuf>,
    #[command(flatten)]
    founding: Founding,
    /// Raises the revision by this much, so that clients see none twice; needs --mark-compacted
    #[arg(long, default_value_t = 0)]
    bump_revision: u64,
    /// Makes the raised revision the oldest readable one, so that watchers start over
    #[arg(long)]
    mark_compacted: bool,
    /// Takes a file whose checksum is missing or wrong, such as one copied out of a data directory
    #[arg(long)]
    skip_hash_check: bool,
    /// Has no meaning here
    #[arg(long, hide = true)]
    initial_memory_map_size: Option<u64>,
}

impl Restore {
    pub fn run(&self) -> Result<()> {
        let by_name = || format!("{}.etcd", self.founding.name).into();
        let data_dir = self.data_dir.clone().unwrap_or_else(by_name);
        self.check_wal_dir()?;
        eprintln!("restoring {} into {} ...", self.file.display(), data_dir.display());
        let options = RestoreOptions {
            bump_revision: self.bump_revision,
            mark_compacted: self.mark_compacted,
            skip_hash_check: self.skip_hash_check,
        };
        let seat = self.founding.seat()?;
        let (position, membership) = first_membership(&seat.peers())?;
        let base = backup::Base { position, membership };
        let mut summary = RestoreSummary::default();
        data_dir::restore_into(&data_dir, &seat, |store| {
            summary = backup::restore(&self.file, store, &options, Some(base))?;
            Ok(())
        })?;
        println!(
            "restored revision {} with {} records and {} leases",
            summary.revision, summary.records, summary.leases
        );
        Ok(())
    }

    /// The log begins with the first start; what stood there before would be taken for this member's.
    fn check_wal_dir(&self) -> Result<()> {
        let Some(wal_dir) = &self.wal_dir else { return Ok(()) };
        let is_empty = fs::read_dir(wal_dir).map_or(true, |mut entries| entries.next().is_none());
        ensure!(is_empty, "wal-dir {wal_dir:?} exists: name one that is empty");
        eprintln!("start the member with --wal-dir {}, too", wal_dir.display());
        Ok(())
    }
}
