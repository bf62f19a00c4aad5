//! `taffrail snapshot`: what people do with a snapshot file while no member runs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use taffrail_consensus::first_membership;
use taffrail_store::backup::{self, RestoreOptions};

use crate::args::Settings;
use crate::config::{Bootstrap, Seat};
use crate::data_dir;

#[derive(Parser)]
#[command(name = "taffrail", about = "Snapshot files of etcd and Taffrail")]
struct Cli {
    #[command(subcommand)]
    top: Top,
}

#[derive(Subcommand)]
enum Top {
    /// Looks into a snapshot file, or makes a member of it
    #[command(subcommand)]
    Snapshot(Snapshot),
}

#[derive(Subcommand)]
enum Snapshot {
    /// Prints hash, revision, keys and size of a snapshot file
    Status {
        file: PathBuf,
        /// json, or simple for one line of values
        #[arg(short, long, default_value = "simple", value_parser = ["simple", "json"])]
        write_out: String,
    },
    /// Makes a data directory of a snapshot file
    Restore(Restore),
}

#[derive(Args)]
struct Restore {
    file: PathBuf,
    /// Where the member will live; must be empty
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Name of the member
    #[arg(long, default_value = "default")]
    name: String,
    /// NAME=URL pairs of the restored cluster
    #[arg(long, default_value = "")]
    initial_cluster: String,
    /// Tells clusters apart that have the same URLs
    #[arg(long, default_value = "etcd-cluster")]
    initial_cluster_token: String,
    /// This member's peer URLs
    #[arg(long, default_value = "http://localhost:2380")]
    initial_advertise_peer_urls: String,
    /// Raises the revision by this much, so that clients see none twice; needs --mark-compacted
    #[arg(long, default_value_t = 0)]
    bump_revision: u64,
    /// Makes the raised revision the oldest readable one, so that watchers start over
    #[arg(long)]
    mark_compacted: bool,
    /// Takes a file whose checksum is missing or wrong, such as one copied out of a data directory
    #[arg(long)]
    skip_hash_check: bool,
}

pub fn run(words: &[String]) -> ExitCode {
    let cli = Cli::parse_from(std::iter::once("taffrail").chain(words.iter().map(String::as_str)));
    let result = match cli.top {
        Top::Snapshot(Snapshot::Status { file, write_out }) => status(&file, write_out == "json"),
        Top::Snapshot(Snapshot::Restore(options)) => restore(&options),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("taffrail: {error:#}");
    ExitCode::FAILURE
}

fn status(file: &std::path::Path, json: bool) -> Result<()> {
    let found = backup::status(file).with_context(|| format!("cannot read {}", file.display()))?;
    if json {
        let json = serde_json::json!({
            "hash": found.hash,
            "revision": found.revision,
            "totalKey": found.total_keys,
            "totalSize": found.total_size,
            "version": found.version,
        });
        println!("{json}");
    } else {
        let backup::Status {
            hash,
            revision,
            total_keys,
            total_size,
            version,
        } = found;
        println!("{hash:x}, {revision}, {total_keys}, {total_size} B, {version}");
    }
    Ok(())
}

fn restore(options: &Restore) -> Result<()> {
    let data_dir = options
        .data_dir
        .clone()
        .unwrap_or_else(|| format!("{}.etcd", options.name).into());
    let restore_options = RestoreOptions {
        bump_revision: options.bump_revision,
        mark_compacted: options.mark_compacted,
        skip_hash_check: options.skip_hash_check,
    };
    eprintln!("restoring {} into {} ...", options.file.display(), data_dir.display());
    let mut summary = backup::RestoreSummary::default();
    let seat = seat(options)?;
    let (position, membership) = first_membership(&seat.peers())?;
    let base = backup::Base { position, membership };
    data_dir::restore_into(&data_dir, &seat, |store| {
        summary = backup::restore(&options.file, store, &restore_options, Some(base))?;
        Ok(())
    })?;
    println!(
        "restored revision {} with {} records and {} leases",
        summary.revision, summary.records, summary.leases
    );
    Ok(())
}

/// The same rules as at a first start.
fn seat(options: &Restore) -> Result<Seat> {
    let words = [
        ("name", &options.name),
        ("initial-cluster", &options.initial_cluster),
        ("initial-cluster-token", &options.initial_cluster_token),
        ("initial-advertise-peer-urls", &options.initial_advertise_peer_urls),
    ];
    let words = words.iter().map(|(name, value)| format!("--{name}={value}"));
    Bootstrap::new(&Settings::read(words, std::iter::empty())?, &options.name)?.found()
}
