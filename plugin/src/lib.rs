//! `kubectl taffrail`: EtcdClusters at a glance, and what people ask of them.
//!
//! Enters: a command line and a connection to an API server. Leaves: text or JSON on the screen, objects that the
//! operator acts upon, and an exit code. Nothing is ever deleted or replaced; Secrets are read only to speak to members.

pub mod args;
mod ask;
mod backup;
mod defragment;
pub mod failure;
mod find;
mod follow;
mod logs;
mod member;
mod move_leader;
mod report;
mod restore;
mod roll_back;
pub mod session;
mod show;
mod status;
mod target;

use args::Command;
use failure::Failure;
use session::Session;

/// # Errors
/// Why the command did not come to its end; the exit code is part of it.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::Status(flags) => status::run(session, flags).await,
        Command::Backup(flags) => backup::run(session, *flags).await,
        Command::Restore(flags) => restore::run(session, flags).await,
        Command::RollBack(flags) => roll_back::run(session, flags).await,
        Command::Defragment(flags) => defragment::run(session, flags).await,
        Command::MoveLeader(flags) => move_leader::run(session, flags).await,
        Command::Logs(flags) => logs::run(session, flags).await,
        Command::Report(flags) => report::run(session, flags).await,
    }
}
