//! Opens the log, and sees to it that log and state belong together.

use std::sync::Arc;

use taffrail_store::Position;
use tokio::sync::oneshot;

use crate::error::StartError;
use crate::failure::Failure;
use crate::log::disk::Disk;
use crate::log::{Log, LogOptions};
use crate::state::Look;

const WAY_OUT: &str = "restore this member from a snapshot, or remove it from the cluster and add it again empty";

pub async fn open_log(
    disk: Arc<dyn Disk>,
    options: LogOptions,
    failure: Failure,
) -> Result<(Log, oneshot::Receiver<()>), StartError> {
    let open = move || Log::open(disk, options, failure);
    let opened = tokio::task::spawn_blocking(open)
        .await
        .map_err(|error| StartError::Log(error.to_string()))?;
    let (log, writer) = opened?;
    let closed = spawn("log-writer", move || writer.run())?;
    Ok((log, closed))
}

/// The log must hold everything that the state has not applied, and everything that it has must have been logged.
pub fn check(log: &Log, applied: Position) -> Result<(), StartError> {
    let same = log
        .read(applied.index..applied.index + 1, 1)
        .map_err(|error| StartError::Log(error.to_string()))?;
    let logged = same.first().map(|entry| entry.position);
    fits(log.first_index(), log.state().last, applied, logged).map_err(StartError::Log)
}

/// `logged` is the log's own entry at the applied index, if it is still there.
pub fn fits(first_index: u64, last: Position, applied: Position, logged: Option<Position>) -> Result<(), String> {
    let refuse = |why: String| Err(format!("{why}: {WAY_OUT}"));
    if applied.index + 1 < first_index {
        return refuse(format!(
            "the state has applied entry {}, but the log begins after entry {}",
            applied.index,
            first_index - 1
        ));
    }
    if applied.index > last.index {
        return refuse(format!(
            "the state has applied entry {}, but the log ends at entry {}: acknowledged entries are lost",
            applied.index, last.index
        ));
    }
    match logged {
        Some(logged) if logged != applied => refuse(format!(
            "entry {} has term {} in the state and term {} in the log: they do not belong together",
            applied.index, applied.term, logged.term
        )),
        _ => Ok(()),
    }
}

/// A state that came from another member as a whole is ahead of the log if the process ended before the log was
/// told. Nothing beyond that position can have been logged then.
pub async fn catch_up_log(log: &Log, look: &Look) -> Result<(), StartError> {
    if look.installed != Some(look.position) || log.state().last.index >= look.position.index {
        return Ok(());
    }
    tracing::info!(position = ?look.position, "the log goes on after an installed snapshot");
    let purged = log.purge(look.position).await;
    purged.map_err(|error| StartError::Log(error.to_string()))
}

/// A thread of its own; the receiver is told when all it held is dropped.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<oneshot::Receiver<()>, StartError> {
    let (closed, told) = oneshot::channel();
    let body = move || {
        work();
        let _ = closed.send(());
    };
    std::thread::Builder::new()
        .name(name.into())
        .spawn(body)
        .map_err(StartError::thread)?;
    Ok(told)
}
