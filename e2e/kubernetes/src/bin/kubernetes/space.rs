//! Namespaces: one set around the whole cluster, and within it one for every node.
//!
//! Each is held by its process 1, which does nothing. When that is killed the kernel kills everything inside, nodes
//! included, and lets go of all mounts: nothing has to be found and cleaned up piece by piece.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::state::State;
use crate::{cgroup, host, wait};

/// Set for everything that runs within the cluster's namespaces.
const INSIDE: &str = "TAFFRAIL_KUBERNETES_INSIDE";
const PATIENCE: Duration = Duration::from_secs(10);
/// Ignoring SIGCHLD lets the kernel reap what nobody waits for.
const HOLD: &str = "exec env --ignore-signal=CHLD sleep infinity";

pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Makes namespaces that `holder` holds, mounts what `mounts` says (a shell script), and puts all in a cgroup.
pub fn create(state: &State, holder: &str, group: &str, mounts: &str) -> Result<u32> {
    cgroup::make(group)?;
    let words = "exec unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private sh -ec \"$0\"";
    let script = format!("mount --make-rshared /\n{mounts}\n{HOLD}");
    let log = fs::File::create(state.folder("log")?.join(format!("{holder}.log")))?;
    let mut unshare = Command::new("sh");
    unshare.args(["-c", &format!("{}{words}", cgroup::enter(group)), &script]);
    unshare
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    let mut unshare = unshare.spawn().context("cannot run unshare")?;
    let mut found = None;
    let what = format!("namespaces of {holder}: see log/{holder}.log");
    wait::until(&what, PATIENCE, || {
        found = child(unshare.id()).filter(|&pid| is_holding(pid));
        found.is_some() || !matches!(unshare.try_wait(), Ok(None))
    })?;
    let pid = found.with_context(|| format!("no {what}"))?;
    state.write(
        &format!("hold/{holder}"),
        &format!("{pid} {}", namespace(pid)?.display()),
    )?;
    Ok(pid)
}

/// The only child of a process, if it has one yet.
pub fn child(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn is_holding(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")
}

fn namespace(pid: u32) -> Result<PathBuf> {
    Ok(fs::read_link(format!("/proc/{pid}/ns/pid"))?)
}

/// The holder's process id, if it is alive: one that was reused later is in other namespaces.
pub fn holder(state: &State, holder: &str) -> Option<u32> {
    let line = state.read(&format!("hold/{holder}")).ok()?;
    let (pid, expected) = line.split_once(' ')?;
    let pid = pid.parse().ok()?;
    namespace(pid)
        .is_ok_and(|found| found.as_os_str() == expected)
        .then_some(pid)
}

/// Ends everything in the namespaces.
pub fn destroy(state: &State, name: &str) -> Result<()> {
    if let Some(pid) = holder(state, name) {
        host::run("kill", &["-KILL", &pid.to_string()])?;
        wait::until(&format!("{name} is gone"), PATIENCE, || holder(state, name).is_none())?;
    }
    state.forget(&format!("hold/{name}"));
    Ok(())
}

/// A command that runs in the namespaces of a holder.
pub fn nsenter(pid: u32) -> Command {
    let mut nsenter = Command::new("nsenter");
    nsenter.args(["-t", &pid.to_string(), "-n", "-m", "-p"]);
    nsenter
}

/// Goes on within the cluster's namespaces: this process becomes its own copy there.
pub fn inside<T>(state: &State, act: impl FnOnce() -> Result<T>) -> Result<ExitCode> {
    if is_inside() {
        act()?;
        return Ok(ExitCode::SUCCESS);
    }
    let words: Vec<_> = std::env::args().skip(1).collect();
    let own = std::env::current_exe()?.display().to_string();
    run(state, &own, &words)
}

/// This process becomes `program`, within the cluster's namespaces.
pub fn run(state: &State, program: &str, words: &[String]) -> Result<ExitCode> {
    let mut command = if is_inside() {
        Command::new(program)
    } else {
        host::must_be_root()?;
        let pid = holder(state, "cluster")
            .with_context(|| format!("no cluster in {}: `kubernetes up`", state.dir().display()))?;
        let mut nsenter = nsenter(pid);
        let here = std::env::current_dir()?;
        nsenter.arg(format!("--wdns={}", here.display())).arg("--").arg(program);
        nsenter
    };
    Err(environment(state, command.args(words))?.exec()).with_context(|| format!("cannot run {program}"))
}

/// This process, which is within the cluster's namespaces, becomes a command on one of its nodes.
pub fn on(state: &State, node: &str, words: &[String]) -> Result<()> {
    let pid = holder(state, node).with_context(|| format!("{node} is down, or there is no such node"))?;
    let error = nsenter(pid).arg("--").args(words).exec();
    Err(error).context("cannot run nsenter")
}

fn environment<'a>(state: &State, command: &'a mut Command) -> Result<&'a mut Command> {
    let tools = state.wishes()?.tools;
    ensure!(tools.is_absolute(), "the tools have no absolute path");
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env(INSIDE, "1")
        .env("KUBECONFIG", state.kubeconfig())
        .env("TAFFRAIL_KUBERNETES", state.dir())
        .env("TAFFRAIL_KUBERNETES_PROGRAM", std::env::current_exe()?)
        .env("PATH", format!("{}:{path}:/usr/sbin:/sbin", tools.display()));
    Ok(command)
}
