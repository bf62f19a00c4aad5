//! What is run, on what, and for how long.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

#[derive(Parser)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Random faults under random load; every promise is checked
    Run(Run),
    /// Judges a recorded history again
    Check(Check),
    /// Kills members while clients write; every acknowledged write must be there afterwards
    Acknowledged(Rounds),
    /// Pauses the leader past its election timeout and reads from it the moment it wakes up
    Stale(Rounds),
    /// Grows the cluster from 1 to 5 members and back, and replaces every member, under load
    Grow(Grow),
}

#[derive(ClapArgs, Clone)]
pub struct Stand {
    /// The program under test; it takes etcd's flags
    #[arg(long)]
    pub program: PathBuf,
    /// What all chance follows from
    #[arg(long)]
    pub seed: Option<u64>,
    /// Where history and logs go; a new folder by default
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// One more flag for every member; may be repeated
    #[arg(long = "arg", allow_hyphen_values = true)]
    pub args: Vec<String>,
    /// The size of every member's disk
    #[arg(long, default_value_t = 768)]
    pub disk_mb: u64,
    /// Violations whose text contains this are told but do not fail the run; may be repeated
    #[arg(long)]
    pub tolerate: Vec<String>,
}

#[derive(ClapArgs)]
pub struct Run {
    #[command(flatten)]
    pub stand: Stand,
    #[arg(long, default_value_t = 3)]
    pub members: usize,
    #[arg(long, default_value_t = 5.0)]
    pub minutes: f64,
    /// Kinds of faults, all by default
    #[arg(long, value_delimiter = ',')]
    pub mix: Vec<Kind>,
    /// Operations per second of all clients together
    #[arg(long, default_value_t = 400)]
    pub rate: u64,
    /// Leaves out transactions that read old revisions, which make members of etcd 3.6 differ
    #[arg(long)]
    pub no_old_reads_in_txns: bool,
}

#[derive(ClapArgs)]
pub struct Rounds {
    #[command(flatten)]
    pub stand: Stand,
    #[arg(long, default_value_t = 3)]
    pub members: usize,
    #[arg(long, default_value_t = 20)]
    pub rounds: u64,
}

#[derive(ClapArgs)]
pub struct Grow {
    #[command(flatten)]
    pub stand: Stand,
    #[arg(long, default_value_t = 200)]
    pub rate: u64,
}

#[derive(ClapArgs)]
pub struct Check {
    pub history: PathBuf,
    /// Violations whose text contains this are told but do not fail the check; may be repeated
    #[arg(long)]
    pub tolerate: Vec<String>,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// kill -9 of one, a majority or all
    Kill,
    /// SIGSTOP for longer than the election timeout
    Pause,
    /// Links between peers cut in one or both directions
    Partition,
    /// SIGTERM and start, one after the other
    Restart,
    /// A member leaves for good and an empty one takes its place
    Replace,
    /// A full disk
    Disk,
    /// Compactions close together
    Compaction,
}
