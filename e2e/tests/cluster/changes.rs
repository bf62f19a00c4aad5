//! Asking for changes of the membership, in few words.

use taffrail_e2e::cluster::Plain;
use taffrail_e2e::{Client, wait};
use taffrail_proto::etcdserverpb::{
    Member, MemberAddRequest, MemberPromoteRequest, MemberRemoveRequest, MemberUpdateRequest,
};
use tonic::Status;

pub async fn add(client: &Client, urls: &[&str], is_learner: bool) -> Result<Member, Status> {
    let request = MemberAddRequest {
        peer_ur_ls: urls.iter().map(|url| (*url).to_owned()).collect(),
        is_learner,
    };
    let added = client.cluster().member_add(request).await?;
    Ok(added.into_inner().member.expect("who was added is told"))
}

pub async fn promote(client: &Client, id: u64) -> Result<Vec<Member>, Status> {
    let promoted = client.cluster().member_promote(MemberPromoteRequest { id }).await?;
    Ok(promoted.into_inner().members)
}

pub async fn remove(client: &Client, id: u64) -> Result<Vec<Member>, Status> {
    let removed = client.cluster().member_remove(MemberRemoveRequest { id }).await?;
    Ok(removed.into_inner().members)
}

pub async fn update(client: &Client, id: u64, url: &str) -> Result<Vec<Member>, Status> {
    let peer_ur_ls = vec![url.to_owned()];
    let updated = client
        .cluster()
        .member_update(MemberUpdateRequest { id, peer_ur_ls })
        .await?;
    Ok(updated.into_inner().members)
}

/// Adds the member of a slot through another and starts it.
pub async fn join(cluster: &mut Plain, through: usize, slot: usize, is_learner: bool) -> u64 {
    let url = cluster.peer_url(slot);
    let added = wait::until("members to be in touch for long enough", async || {
        match add(cluster.client(through), &[&url], is_learner).await {
            Err(status) if status.message() == "etcdserver: unhealthy cluster" => None,
            added => Some(added.expect("the member is added")),
        }
    })
    .await;
    let others: Vec<_> = cluster.awake();
    cluster.joins(slot, &others);
    cluster.run_until_up(slot).await;
    added.id
}

/// A learner may vote as soon as it is in sync, and not before.
pub async fn promote_when_in_sync(client: &Client, id: u64) {
    wait::until("the learner to be in sync", async || match promote(client, id).await {
        Err(status) if status.message().ends_with("in sync with leader") => None,
        promoted => Some(promoted.expect("the learner is promoted")),
    })
    .await;
}
