//! Joining and leaving a cluster that runs.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use taffrail_proto::etcdserverpb::cluster_client::ClusterClient;
use taffrail_proto::etcdserverpb::{
    Member, MemberAddRequest, MemberListRequest, MemberPromoteRequest, MemberRemoveRequest,
};
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use super::client::connect;
use super::process::Ended;
use super::start::{Cluster, Join};

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// How a new member comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Voter,
    /// Catches up before it votes.
    Learner,
}

impl Cluster {
    /// Adds the member of an empty slot and starts it; a learner is promoted as soon as the cluster lets it.
    pub async fn add(&mut self, member: usize, entry: Entry) -> Result<()> {
        let id = self.announce(member, entry).await?;
        self.start(member)?;
        match entry {
            Entry::Learner => self.promote(id).await?,
            Entry::Voter => {}
        }
        self.wait_until_healthy(PATIENCE).await
    }

    /// Takes a member out of the cluster; its process then ends by itself or is killed. How it ended, if it did.
    pub async fn remove(&mut self, member: usize, grace: Duration) -> Result<Option<Ended>> {
        let id = self.member_id_of(member).await?;
        let others: Vec<_> = self.awake().into_iter().filter(|&other| other != member).collect();
        let remove =
            async |client: &mut ClusterClient<Channel>| match client.member_remove(MemberRemoveRequest { id }).await {
                Err(status) if status.code() == tonic::Code::NotFound => Ok(()),
                removed => removed.map(drop),
            };
        self.ask_any(&others, remove).await?;
        let until = Instant::now() + grace;
        while Instant::now() < until {
            if let Some(ended) = self.processes[member].ended() {
                return Ok(Some(ended));
            }
            sleep(POLL).await;
        }
        self.kill_nine(member);
        Ok(None)
    }

    /// A new, empty member takes the place of an old one.
    pub async fn replace(&mut self, member: usize, entry: Entry) -> Result<Option<Ended>> {
        let ended = self.remove(member, Duration::from_secs(2)).await?;
        self.wipe(member)?;
        self.add(member, entry).await?;
        Ok(ended)
    }

    /// Tells the cluster of the member to come, and the member of the cluster.
    async fn announce(&mut self, member: usize, entry: Entry) -> Result<u64> {
        let url = self.peer_url(member);
        let request = MemberAddRequest {
            peer_ur_ls: vec![url.clone()],
            is_learner: entry == Entry::Learner,
        };
        let add = async |client: &mut ClusterClient<Channel>| match client.member_add(request.clone()).await {
            // The answer to an earlier attempt was lost.
            Err(status) if status.message().contains("already exist") => Ok(()),
            added => added.map(drop),
        };
        self.ask_any(&self.awake(), add).await?;
        let listed = self.list().await?;
        let own = listed.iter().find(|listed| listed.peer_ur_ls.contains(&url));
        let id = own.context("an added member is listed")?.id;
        let others = listed
            .iter()
            .filter(|listed| listed.id != id && !listed.name.is_empty());
        let mut members: Vec<_> = others.flat_map(listing).collect();
        members.push(self.listed(member));
        self.joins[member] = Join {
            state: "existing",
            members: members.join(","),
        };
        Ok(id)
    }

    async fn promote(&self, id: u64) -> Result<()> {
        let promote = async |client: &mut ClusterClient<Channel>| match client
            .member_promote(MemberPromoteRequest { id })
            .await
        {
            // It is a voter already. One that is not in sync yet gets a longer message.
            Err(status) if status.message().ends_with("can only promote a learner member") => Ok(()),
            promoted => promoted.map(drop),
        };
        self.ask_any(&self.awake(), promote).await
    }

    async fn member_id_of(&self, member: usize) -> Result<u64> {
        if let Ok(id) = self.member_id(member).await {
            return Ok(id);
        }
        let url = self.peer_url(member);
        let listed = self.list().await?;
        let found = listed.iter().find(|listed| listed.peer_ur_ls.contains(&url));
        Ok(found.context("the member is listed")?.id)
    }

    async fn list(&self) -> Result<Vec<Member>> {
        let list = async |client: &mut ClusterClient<Channel>| {
            let listed = client.member_list(MemberListRequest { linearizable: true }).await;
            listed.map(|listed| listed.into_inner().members)
        };
        self.ask_any(&self.awake(), list).await
    }

    /// Asks one member after the other until one does it.
    async fn ask_any<T>(
        &self,
        members: &[usize],
        ask: impl AsyncFn(&mut ClusterClient<Channel>) -> Result<T, tonic::Status>,
    ) -> Result<T> {
        let until = Instant::now() + PATIENCE;
        let mut last = String::new();
        while Instant::now() < until {
            for &member in members {
                let Ok(channel) = connect(&self.client_url(member)).await else {
                    continue;
                };
                match ask(&mut ClusterClient::new(channel)).await {
                    Ok(done) => return Ok(done),
                    Err(status) => last = format!("m{}: {status}", member + 1),
                }
            }
            sleep(POLL).await;
        }
        bail!("the cluster did not change its members in {PATIENCE:?}: {last}")
    }
}

fn listing(member: &Member) -> Vec<String> {
    let urls = member.peer_ur_ls.iter();
    urls.map(|url| format!("{}={url}", member.name)).collect()
}
