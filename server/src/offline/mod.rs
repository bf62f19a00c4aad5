//! What people do with a member's data directory while no member runs on it.
//!
//! Enters: a command line whose first word is one of these commands. Leaves: what was found, on stdout; what is going
//! on, on stderr; exit code 0, 1 if it failed or found damage, 2 if the command line is not understood. Always holds:
//! a directory that a member has open is refused, and nothing is changed but by `defragment` and in directories that
//! `migrate` makes.

mod check;
mod defragment;
mod directory;
mod founding;
mod log_dump;
mod migrate;
mod state;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

pub use directory::Stopped;
pub use founding::Founding;
pub use state::CaughtUp;

#[derive(Parser)]
#[command(name = "taffrail", about = "Work on the data directory of a stopped member")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Reads everything and says what does not fit together; exit code 1 if there is damage
    Check(check::Options),
    /// Gives back all space that compaction and deletion have freed
    Defragment(defragment::Options),
    /// Looks into the raft log
    #[command(subcommand)]
    Log(Log),
    /// Takes over the data of a stopped etcd member, or hands ours over to etcd
    Migrate(migrate::Options),
}

#[derive(Subcommand)]
enum Log {
    /// Prints the raft log, one record a line
    Dump(log_dump::Options),
}

/// Runs the command that the words name.
pub fn run(words: &[String]) -> ExitCode {
    let cli = Cli::parse_from(std::iter::once("taffrail").chain(words.iter().map(String::as_str)));
    let result = match cli.command {
        Command::Check(options) => check::run(&options),
        Command::Defragment(options) => defragment::run(&options),
        Command::Log(Log::Dump(options)) => log_dump::run(&options),
        Command::Migrate(options) => migrate::run(&options),
    };
    exit_code(result)
}

/// Says what went wrong.
pub fn exit_code(result: Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if is_closed_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    eprintln!("taffrail: {error:#}");
    ExitCode::FAILURE
}

/// Whoever reads has seen enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}
