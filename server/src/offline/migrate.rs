//! `taffrail migrate`: from a stopped member of etcd, and back.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{ArgGroup, Args};
use taffrail_consensus::first_membership;
use taffrail_store::backup::{Base, EtcdMember, Migrated};

use super::{CaughtUp, Founding, Stopped};
use crate::{data_dir, snapshot};

#[derive(Args)]
#[command(group(ArgGroup::new("direction").required(true).args(["from_etcd_dir", "to_etcd_dir"])))]
pub struct Options {
    /// Data directory of a stopped etcd member, 3.4 to 3.6; stays as it is
    #[arg(long, value_name = "DIR")]
    from_etcd_dir: Option<PathBuf>,
    /// Where an etcd member is to live: writes DIR.snapshot.db and prints the etcdutl command that makes DIR of it
    #[arg(long, value_name = "DIR")]
    to_etcd_dir: Option<PathBuf>,
    /// Data directory of Taffrail: made by --from-etcd-dir, read by --to-etcd-dir
    #[arg(long)]
    data_dir: PathBuf,
    /// The log, where it does not lie in the directory that is read
    #[arg(long)]
    wal_dir: Option<PathBuf>,
    #[command(flatten)]
    founding: Founding,
    /// Founds a new cluster of this one member's data, although its cluster has more members: what only the others
    /// know is not taken over
    #[arg(long)]
    force_single: bool,
    /// With --force-single: takes also what the member has logged without knowing that it was committed; the others may
    /// have acknowledged it
    #[arg(long, requires = "force_single")]
    all_entries: bool,
}

pub fn run(options: &Options) -> Result<()> {
    match (&options.from_etcd_dir, &options.to_etcd_dir) {
        (Some(etcd_dir), _) => from_etcd(etcd_dir, options),
        (_, Some(etcd_dir)) => to_etcd(etcd_dir, options),
        (None, None) => bail!("say --from-etcd-dir or --to-etcd-dir"),
    }
}

fn from_etcd(etcd_dir: &Path, options: &Options) -> Result<()> {
    let seat = options.founding.seat()?;
    let (position, membership) = first_membership(&seat.peers())?;
    let base = Base { position, membership };
    eprintln!("reading {} ...", etcd_dir.display());
    let member = EtcdMember::open(etcd_dir, options.wal_dir.as_deref())?;
    check_alone(&member, options.force_single)?;
    if let Some((file, offset)) = member.torn() {
        eprintln!(
            "the last write to {} was cut short at byte {offset}; etcd drops it, too",
            file.display()
        );
    }
    let mut migrated = Migrated::default();
    let mut progress = |entries: u64| eprintln!("applied {entries} entries of the log ...");
    data_dir::restore_into(&options.data_dir, &seat, |store| {
        migrated = member.migrate(store, &base, options.all_entries, &mut progress)?;
        Ok(())
    })?;
    report(&migrated);
    println!(
        "start it with: taffrail --data-dir {} --name {} and the URLs of the member",
        options.data_dir.display(),
        options.founding.name
    );
    Ok(())
}

/// The others would go on without it, or it without them.
fn check_alone(member: &EtcdMember, forced: bool) -> Result<()> {
    let members = member.members();
    let own = member.member_id();
    ensure!(
        forced || members.len() <= 1,
        "member {own:x} is one of {} in cluster {:x}: stop them all, then take over the one that was stopped last with \
         --force-single and add members to the new cluster; or take a snapshot with `etcdctl snapshot save`",
        members.len(),
        member.cluster_id()
    );
    ensure!(
        forced || members.is_empty() || members.contains_key(&own),
        "member {own:x} was removed from its cluster: take over one that is still in it, or say --force-single"
    );
    Ok(())
}

fn report(migrated: &Migrated) {
    let Migrated {
        revision,
        compacted,
        records,
        leases,
        replayed,
        left_out,
    } = *migrated;
    println!("took over revision {revision}, compacted at {compacted}, with {leases} leases");
    println!("{records} records came from the database, {replayed} entries from the log behind it");
    if left_out > 0 {
        println!("left out {left_out} entries that the log does not call committed; --all-entries takes them, too");
    }
}

fn to_etcd(etcd_dir: &Path, options: &Options) -> Result<()> {
    let file = etcd_dir.with_file_name(format!(
        "{}.snapshot.db",
        etcd_dir
            .file_name()
            .context("--to-etcd-dir has no name")?
            .to_string_lossy()
    ));
    let dir = Stopped::open(&options.data_dir, options.wal_dir.as_deref())?;
    snapshot::save_to(&CaughtUp::open(&dir)?, &file)?;
    println!(
        "now run: etcdutl snapshot restore {} --data-dir {} {}",
        file.display(),
        etcd_dir.display(),
        options.founding.etcdutl_flags()
    );
    Ok(())
}
