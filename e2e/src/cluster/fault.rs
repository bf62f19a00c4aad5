//! What can happen to members.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::network::Network;
use super::place::Place;
use super::process::Ended;
use super::start::Cluster;
use crate::wait;

/// How long a member may take to end when asked to.
const TERMINATE_PATIENCE: Duration = Duration::from_secs(25);

impl Cluster {
    pub fn kill_nine(&mut self, member: usize) {
        self.processes[member].kill_nine();
    }
    pub fn pause(&mut self, member: usize) {
        self.processes[member].pause();
    }
    pub fn resume(&mut self, member: usize) {
        self.processes[member].resume();
    }

    /// SIGTERM, and how the member ended; None if it did not in time, and was killed.
    pub async fn terminate(&mut self, member: usize) -> Option<Ended> {
        let process = &mut self.processes[member];
        process.terminate();
        let ended = tokio::time::timeout(
            TERMINATE_PATIENCE,
            wait::until("the member to end", async || process.ended()),
        )
        .await;
        process.kill_nine();
        ended.ok()
    }

    /// Forgets everything a stopped member had on disk.
    pub fn wipe(&mut self, member: usize) -> Result<()> {
        let data = self.data_dir(member);
        match std::fs::remove_dir_all(&data) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("the data can be removed"),
            _ => Ok(()),
        }
    }

    /// Nobody of one side reaches anybody of the other.
    pub fn partition(&mut self, one: &[usize], other: &[usize]) -> Result<()> {
        for &from in one {
            for &to in other {
                self.network()?.one_way(from, to)?;
                self.network()?.one_way(to, from)?;
            }
        }
        Ok(())
    }
    pub fn one_way(&mut self, from: usize, to: usize) -> Result<()> {
        self.network()?.one_way(from, to)
    }
    /// Pulls a member's peer cable.
    pub fn isolate(&mut self, member: usize) -> Result<()> {
        self.network()?.unplug(member)
    }
    pub fn heal(&mut self) -> Result<()> {
        self.network()?.heal()
    }

    pub fn fill_disk(&mut self, member: usize) -> Result<()> {
        self.disks
            .get_mut(member)
            .context("members have no disks of their own")?
            .fill()
    }
    pub fn free_disks(&mut self) -> Result<()> {
        self.disks.iter_mut().try_for_each(super::disk::Disk::free)
    }

    /// Whether something was done to a member that explains why it ended.
    pub fn has_full_disk(&self, member: usize) -> bool {
        self.disks.get(member).is_some_and(super::disk::Disk::is_full)
    }

    fn network(&mut self) -> Result<&mut Network> {
        match &mut self.place {
            Place::World(network) => Ok(network),
            Place::Loopback { .. } => bail!("only members in namespaces can be cut off"),
        }
    }
}
