//! Programs that make up the cluster: started, stopped, and started again as they were.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::node::Node;
use crate::state::State;
use crate::{cgroup, host, space, wait};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Component {
    /// Also the name of its log.
    pub name: String,
    /// The node it runs on; none is the control plane's place.
    pub node: Option<u8>,
    pub words: Vec<String>,
}

impl Component {
    pub fn new(name: &str, words: Vec<String>) -> Self {
        let name = name.to_owned();
        Self {
            name,
            node: None,
            words,
        }
    }
    pub fn on(name: &str, node: u8, words: Vec<String>) -> Self {
        let name = format!("{name}.node{node}");
        Self {
            name,
            node: Some(node),
            words,
        }
    }

    /// Starts it, and keeps how, for a later start.
    pub fn start(&self, state: &State) -> Result<()> {
        if let Some(pid) = pid(state, &self.name) {
            bail!("{} runs already: process {pid}", self.name);
        }
        state.write(
            &format!("components/{}.json", self.name),
            &serde_json::to_string_pretty(self)?,
        )?;
        let mut child = self
            .command(state)?
            .spawn()
            .with_context(|| format!("cannot start {}", self.name))?;
        let pid = match self.node {
            None => child.id(),
            Some(_) => self.forked(&mut child)?,
        };
        state.write(&format!("pid/{}", self.name), &pid.to_string())?;
        Ok(())
    }

    fn command(&self, state: &State) -> Result<Command> {
        let path = state.folder("log")?.join(format!("{}.log", self.name));
        let log = fs::OpenOptions::new().create(true).append(true).open(path)?;
        let group = match self.node {
            None => format!("{}/control", cgroup::name(state)),
            Some(node) => Node::of(state, node).system_group(),
        };
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("{}exec \"$@\"", cgroup::enter(&group)))
            .arg("sh");
        if let Some(node) = self.node {
            let pid = space::holder(state, &format!("node{node}")).with_context(|| format!("node{node} is down"))?;
            let nsenter = space::nsenter(pid);
            command.arg(nsenter.get_program()).args(nsenter.get_args()).arg("--");
        }
        command
            .args(&self.words)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        Ok(command)
    }

    /// nsenter forks to get into a pid namespace: its child is the program.
    fn forked(&self, nsenter: &mut Child) -> Result<u32> {
        let mut found = None;
        wait::until(&format!("{} starts", self.name), PATIENCE, || {
            found = space::child(nsenter.id());
            found.is_some() || !matches!(nsenter.try_wait(), Ok(None))
        })?;
        found.with_context(|| format!("{} ended at once: see its log", self.name))
    }
}

/// The process, if it is alive.
pub fn pid(state: &State, name: &str) -> Option<u32> {
    let pid = state.read(&format!("pid/{name}")).ok()?.trim().parse().ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let is_zombie = status
        .rsplit(')')
        .next()
        .is_some_and(|rest| rest.trim_start().starts_with('Z'));
    (!is_zombie).then_some(pid)
}

pub fn start_again(state: &State, name: &str) -> Result<()> {
    if let Some(node) = Node::by_name(state, name) {
        return node.start_again();
    }
    let known = state.read(&format!("components/{name}.json"));
    let known = known.with_context(|| format!("no component {name}: {}", names(state).join(" ")))?;
    serde_json::from_str::<Component>(&known)?.start(state)
}

/// Returns when it has ended, if the signal is one that ends programs.
pub fn stop(state: &State, name: &str, signal: &str) -> Result<()> {
    if Node::by_name(state, name).is_some() {
        return space::destroy(state, name);
    }
    let running =
        pid(state, name).with_context(|| format!("{name} does not run; there are: {}", names(state).join(" ")))?;
    let signal = signal.trim_start_matches("SIG");
    host::run("kill", &["-s", signal, &running.to_string()])?;
    if ["TERM", "KILL", "INT", "QUIT"].contains(&signal) {
        wait::until(&format!("{name} ends"), PATIENCE, || pid(state, name) != Some(running))?;
    }
    Ok(())
}

fn names(state: &State) -> Vec<String> {
    let entries = fs::read_dir(state.path("components")).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}
