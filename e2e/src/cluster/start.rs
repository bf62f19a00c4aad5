//! A cluster and how it begins.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::disk::Disk;
use super::network::Network;
use super::place::Place;
use super::process::{Ended, Process};

const TOKEN: &str = "taffrail-e2e";

/// What a cluster is made of.
pub struct Layout {
    pub program: PathBuf,
    pub members: usize,
    /// Further flags for every member.
    pub args: Vec<String>,
    /// For logs and, without disks of their own, data.
    pub dir: PathBuf,
    /// Every member gets a disk of this size, if there is a network of namespaces.
    pub disk_bytes: u64,
    /// On loopback: how many of the members, from the first on, speak TLS with their peers.
    pub secure_peers: usize,
}

/// Members by slot; a slot keeps its addresses whoever is in it.
pub struct Cluster {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) dir: PathBuf,
    pub(super) place: Place,
    pub(super) processes: Vec<Process>,
    pub(super) disks: Vec<Disk>,
    /// How each slot joins if its data are empty.
    pub(super) joins: Vec<Join>,
}

#[derive(Clone)]
pub(super) struct Join {
    pub state: &'static str,
    pub members: String,
}

impl Cluster {
    /// On loopback, without any rights, with the first `founders` slots as its members; not started.
    pub fn on_loopback(layout: Layout, founders: usize) -> Result<Self> {
        let place = Place::loopback(layout.members, layout.secure_peers);
        let mut cluster = Self::new(layout, place)?;
        cluster.found_with(founders);
        Ok(cluster)
    }

    /// In namespaces, with the first `founders` slots as its members; not started.
    pub fn in_network(layout: Layout, network: Network, founders: usize) -> Result<Self> {
        let (disk_bytes, slots) = (layout.disk_bytes, network.members());
        let mut cluster = Self::new(
            Layout {
                members: slots,
                ..layout
            },
            Place::World(network),
        )?;
        cluster.found_with(founders);
        for member in 0..slots {
            cluster.disks.push(Disk::mount(&cluster.folder(member), disk_bytes)?);
        }
        Ok(cluster)
    }

    fn new(layout: Layout, place: Place) -> Result<Self> {
        let Layout {
            program,
            members,
            args,
            dir,
            disk_bytes: _,
            secure_peers: _,
        } = layout;
        std::fs::create_dir_all(&dir).context("the folder of the cluster can be made")?;
        let processes = (0..members).map(|member| Process::new(name(member), &dir)).collect();
        let nobody = Join {
            state: "new",
            members: String::new(),
        };
        let joins = vec![nobody; members];
        let mut cluster = Self {
            program,
            args,
            dir,
            place,
            processes,
            disks: Vec::new(),
            joins,
        };
        cluster.found_with(members);
        Ok(cluster)
    }

    fn found_with(&mut self, founders: usize) {
        let members: Vec<_> = (0..founders).map(|member| self.listed(member)).collect();
        self.joins.fill(Join {
            state: "new",
            members: members.join(","),
        });
    }

    pub fn slots(&self) -> usize {
        self.processes.len()
    }
    pub fn client_url(&self, member: usize) -> String {
        self.place.client_url(member)
    }
    pub fn peer_url(&self, member: usize) -> String {
        self.place.peer_url(member)
    }
    pub fn client_urls(&self) -> Vec<String> {
        (0..self.slots()).map(|member| self.client_url(member)).collect()
    }
    /// `name=peer url`, as in `--initial-cluster`.
    pub(super) fn listed(&self, member: usize) -> String {
        format!("{}={}", name(member), self.peer_url(member))
    }

    pub fn pid(&self, member: usize) -> Option<u32> {
        self.processes[member].pid()
    }
    /// What the last run of the member has logged.
    pub fn log(&self, member: usize) -> String {
        let log = std::fs::read(self.processes[member].log_path());
        log.map_or(String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }
    pub fn data_dir(&self, member: usize) -> PathBuf {
        self.folder(member).join("data")
    }
    fn folder(&self, member: usize) -> PathBuf {
        self.dir.join(name(member))
    }

    /// Starts the process of a member, again if it ran before.
    pub fn start(&mut self, member: usize) -> Result<()> {
        self.start_with(member, &[])
    }

    /// With further flags for this start alone.
    pub fn start_with(&mut self, member: usize, flags: &[&str]) -> Result<()> {
        let mut command = self.place.command(member, &self.program);
        command.args(self.flags(member)).args(&self.args).args(flags);
        self.processes[member].spawn(command)
    }

    /// The next start of `member` is to join a cluster that has it and `others`.
    pub fn joins(&mut self, member: usize, others: &[usize]) {
        let listed: Vec<_> = others.iter().chain([&member]).map(|&each| self.listed(each)).collect();
        self.joins[member] = Join {
            state: "existing",
            members: listed.join(","),
        };
    }

    /// Members that ended by themselves since this was last asked.
    pub fn ended(&mut self) -> Vec<(usize, Ended)> {
        let processes = self.processes.iter_mut().enumerate();
        processes
            .filter_map(|(member, process)| Some((member, process.ended()?)))
            .collect()
    }

    pub fn is_running(&self, member: usize) -> bool {
        self.processes[member].is_running()
    }
    pub fn is_paused(&self, member: usize) -> bool {
        self.processes[member].is_paused()
    }

    fn flags(&self, member: usize) -> Vec<String> {
        let (client, peer) = (self.client_url(member), self.peer_url(member));
        let Join { state, members } = &self.joins[member];
        vec![
            format!("--name={}", name(member)),
            format!("--data-dir={}", self.data_dir(member).display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster={members}"),
            format!("--initial-cluster-state={state}"),
            format!("--initial-cluster-token={TOKEN}"),
        ]
    }
}

pub(super) fn name(member: usize) -> String {
    format!("m{}", member + 1)
}
