//! Asking members how they are.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use taffrail_proto::etcdserverpb::kv_client::KvClient;
use taffrail_proto::etcdserverpb::maintenance_client::MaintenanceClient;
use taffrail_proto::etcdserverpb::{StatusRequest, StatusResponse};
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::{Channel, Endpoint};

use super::start::{Cluster, name};
use crate::requests;

const ANSWER_PATIENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);

/// Whether everybody who should answers.
#[derive(Debug)]
pub enum Health {
    Well,
    Ill(String),
}

pub async fn connect(url: &str) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(url.to_owned())?
        .connect_timeout(ANSWER_PATIENCE)
        .timeout(ANSWER_PATIENCE);
    Ok(timeout(ANSWER_PATIENCE, endpoint.connect()).await??)
}

pub async fn status(url: &str) -> Result<StatusResponse> {
    let mut client = MaintenanceClient::new(connect(url).await?);
    Ok(timeout(ANSWER_PATIENCE, client.status(StatusRequest {}))
        .await??
        .into_inner())
}

/// A linearizable read: needs a leader and a majority.
async fn read(url: &str) -> Result<()> {
    let mut client = KvClient::new(connect(url).await?);
    timeout(ANSWER_PATIENCE, client.range(requests::get("?"))).await??;
    Ok(())
}

impl Cluster {
    /// Slots whose processes should be able to answer.
    pub fn awake(&self) -> Vec<usize> {
        (0..self.slots())
            .filter(|&member| self.is_running(member) && !self.is_paused(member))
            .collect()
    }

    /// The slot that somebody awake takes for the leader, believing the highest term.
    pub async fn leader(&self) -> Option<usize> {
        let mut claims = Vec::new();
        for member in self.awake() {
            if let Ok(status) = status(&self.client_url(member)).await {
                let own = status.header.as_ref().map_or(0, |header| header.member_id);
                claims.extend((status.leader == own && own != 0).then_some((status.raft_term, member)));
            }
        }
        claims.into_iter().max().map(|(_, member)| member)
    }

    pub async fn wait_for_leader(&self, patience: Duration) -> Result<usize> {
        let until = Instant::now() + patience;
        loop {
            if let Some(leader) = self.leader().await {
                return Ok(leader);
            }
            if Instant::now() > until {
                bail!("no leader for {patience:?}");
            }
            sleep(POLL).await;
        }
    }

    /// Every running member answers a linearizable read.
    pub async fn wait_until_healthy(&mut self, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        loop {
            let health = self.health().await;
            match health {
                Health::Well => return Ok(()),
                Health::Ill(why) if Instant::now() > until => bail!("not healthy after {patience:?}: {why}"),
                Health::Ill(_) => sleep(POLL).await,
            }
        }
    }

    pub async fn health(&mut self) -> Health {
        for member in 0..self.slots() {
            if !self.is_running(member) {
                continue;
            }
            if let Err(error) = read(&self.client_url(member)).await {
                return Health::Ill(format!("{}: {error:#}", name(member)));
            }
        }
        Health::Well
    }

    pub(super) async fn member_id(&self, member: usize) -> Result<u64> {
        let status = status(&self.client_url(member)).await?;
        Ok(status.header.context("an answer has a header")?.member_id)
    }
}
