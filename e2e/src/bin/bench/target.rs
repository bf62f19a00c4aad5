//! Whom the load generator asks, and whose work that is.

use anyhow::{Context, Result};
use taffrail_e2e::Member;
use taffrail_e2e::cluster::Plain;

use crate::access::Access;
use crate::process;

pub struct Target {
    /// Connections go to one after the other.
    pub endpoints: String,
    /// What the load generator needs to get in.
    pub tool: Vec<String>,
    pids: Vec<u32>,
}

impl Target {
    pub fn member(member: &Member, access: &Access) -> Result<Self> {
        Ok(Self {
            endpoints: access.endpoint(member.address()),
            tool: access.tool.clone(),
            pids: vec![member.pid().context("the member runs")?],
        })
    }

    pub fn cluster(cluster: &Plain) -> Result<Self> {
        let members = 0..cluster.slots();
        let endpoints: Vec<_> = members.clone().map(|member| cluster.client(member).address()).collect();
        let pids = members.map(|member| cluster.pid(member).context("the member runs"));
        Ok(Self {
            endpoints: endpoints.join(","),
            tool: Vec::new(),
            pids: pids.collect::<Result<_>>()?,
        })
    }

    /// Of all its processes together.
    pub fn cpu_us(&self) -> Result<f64> {
        self.pids.iter().map(|pid| process::cpu_us(*pid)).sum()
    }

    pub fn rss_mib(&self) -> Result<f64> {
        self.pids.iter().map(|pid| process::rss_mib(*pid)).sum()
    }
}
