//! Runs this program again inside a world, and takes the world down after it.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::network::{self, Network};

const WORLD: &str = "TAFFRAIL_WORLD";

/// The network if this process is inside one already; else runs all of it inside a new one and gives its exit code.
///
/// The process that stays outside is the guardian: whatever happens to the one inside, the world is cleaned up.
pub async fn in_a_world(members: usize) -> Result<std::result::Result<Network, ExitCode>> {
    if let Ok(name) = std::env::var(WORLD) {
        return Ok(Ok(Network::entered(name, members)));
    }
    let world = network::build(members)?;
    let code = guard(&world).await;
    network::remove(&world);
    code.map(Err)
}

async fn guard(world: &str) -> Result<ExitCode> {
    let this = std::env::current_exe().context("a running program has a path")?;
    let mut inside = Command::new("ip")
        .args(["netns", "exec", world])
        .arg(this)
        .args(std::env::args_os().skip(1))
        .env(WORLD, world)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot enter the world")?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let status = tokio::select! {
        status = inside.wait() => status?,
        _ = terminate.recv() => std::process::ExitStatus::from_raw(libc::SIGTERM),
        _ = interrupt.recv() => std::process::ExitStatus::from_raw(libc::SIGINT),
    };
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
