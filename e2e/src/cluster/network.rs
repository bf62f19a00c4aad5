//! Network namespaces: a hub with two bridges, and a namespace per member with a link to each.
//!
//! ```text
//!  hub:  driver -- 10.77.2.254 -- clients (bridge) --- c1 .. cN
//!                                 peers   (bridge) --- p1 .. pN
//!  mI:   client 10.77.2.I   peer 10.77.1.I
//! ```

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Names of namespaces start with this and the process id of the driver's guardian.
const PREFIX: &str = "taffrail-";

/// A world that exists; the process is in its hub.
pub struct Network {
    name: String,
    members: usize,
    /// Who cannot send to whom.
    dropped: BTreeSet<(usize, usize)>,
    down: BTreeSet<usize>,
}

impl Network {
    pub fn entered(name: String, members: usize) -> Self {
        Self {
            name,
            members,
            dropped: BTreeSet::new(),
            down: BTreeSet::new(),
        }
    }

    pub fn client_ip(member: usize) -> String {
        format!("10.77.2.{}", member + 1)
    }
    pub fn peer_ip(member: usize) -> String {
        format!("10.77.1.{}", member + 1)
    }
    pub fn namespace(&self, member: usize) -> String {
        namespace(&self.name, member)
    }

    /// Packets from one member to the other are lost.
    pub fn one_way(&mut self, from: usize, to: usize) -> Result<()> {
        if from != to && self.dropped.insert((from, to)) {
            self.route("add", from, to)?;
        }
        Ok(())
    }

    /// The peer link of a member is pulled out.
    pub fn unplug(&mut self, member: usize) -> Result<()> {
        self.down.insert(member);
        ip(&["link", "set", &format!("p{member}"), "down"])
    }

    pub fn heal(&mut self) -> Result<()> {
        for (from, to) in std::mem::take(&mut self.dropped) {
            self.route("del", from, to)?;
        }
        for member in std::mem::take(&mut self.down) {
            ip(&["link", "set", &format!("p{member}"), "up"])?;
        }
        Ok(())
    }

    pub fn members(&self) -> usize {
        self.members
    }

    fn route(&self, verb: &str, from: usize, to: usize) -> Result<()> {
        ip(&[
            "-n",
            &self.namespace(from),
            "route",
            verb,
            "blackhole",
            &format!("{}/32", Self::peer_ip(to)),
        ])
    }
}

pub fn namespace(world: &str, member: usize) -> String {
    format!("{world}-m{}", member + 1)
}

/// Builds the world of this process; it is not entered yet.
pub fn build(members: usize) -> Result<String> {
    remove_stale();
    let world = format!("{PREFIX}{}", std::process::id());
    ip(&["netns", "add", &world])?;
    for bridge in ["peers", "clients"] {
        ip(&["-n", &world, "link", "add", bridge, "type", "bridge"])?;
        ip(&["-n", &world, "link", "set", bridge, "up"])?;
    }
    ip(&["-n", &world, "link", "set", "lo", "up"])?;
    ip(&["-n", &world, "addr", "add", "10.77.2.254/24", "dev", "clients"])?;
    (0..members).try_for_each(|member| add_member(&world, member))?;
    Ok(world)
}

fn add_member(world: &str, member: usize) -> Result<()> {
    let own = namespace(world, member);
    ip(&["netns", "add", &own])?;
    ip(&["-n", &own, "link", "set", "lo", "up"])?;
    link(
        world,
        &own,
        &format!("p{member}"),
        "peer",
        "peers",
        &Network::peer_ip(member),
    )?;
    link(
        world,
        &own,
        &format!("c{member}"),
        "client",
        "clients",
        &Network::client_ip(member),
    )
}

/// A cable from a bridge into a member's namespace.
fn link(world: &str, own: &str, outer: &str, inner: &str, bridge: &str, address: &str) -> Result<()> {
    ip(&[
        "-n", world, "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", own,
    ])?;
    ip(&["-n", world, "link", "set", outer, "master", bridge])?;
    ip(&["-n", world, "link", "set", outer, "up"])?;
    ip(&["-n", own, "addr", "add", &format!("{address}/24"), "dev", inner])?;
    ip(&["-n", own, "link", "set", inner, "up"])
}

/// Ends what still runs in a world, and the world.
pub fn remove(world: &str) {
    for namespace in namespaces()
        .into_iter()
        .filter(|name| name == world || name.starts_with(&format!("{world}-")))
    {
        for pid in output(&["netns", "pids", &namespace]).split_whitespace() {
            let _ = Command::new("kill").args(["-9", pid]).status();
        }
        let _ = ip(&["netns", "del", &namespace]);
    }
}

/// Worlds whose guardian is gone.
fn remove_stale() {
    let owner = |name: &String| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok();
    for pid in namespaces().iter().filter_map(owner).collect::<BTreeSet<_>>() {
        if !std::path::Path::new(&format!("/proc/{pid}")).exists() {
            remove(&format!("{PREFIX}{pid}"));
        }
    }
}

fn namespaces() -> Vec<String> {
    let list = output(&["netns", "list"]);
    list.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn output(args: &[&str]) -> String {
    let output = Command::new("ip").args(args).output();
    output.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).into_owned()
    })
}

fn ip(args: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(args)
        .output()
        .context("the program `ip` can be run")?;
    ensure!(
        output.status.success(),
        "ip {} failed: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
