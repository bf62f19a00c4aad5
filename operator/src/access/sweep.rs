//! What is kept in etcd for objects that have gone: it goes too, or nobody keeps it any more.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, ListParams};
use taffrail_crds::{DeletionPolicy, EtcdCluster, EtcdRole, EtcdUser, KeptAccess};

use super::declared::{Declared, Kind};
use super::place::{self, Place};
use super::record;
use crate::cluster::Error;
use crate::context::Context;
use crate::etcd::AccessChange;
use crate::poller::Key;

/// How soon it is tried again.
const AGAIN: Duration = Duration::from_secs(15);

/// Removes users and roles from etcd whose objects have gone, and takes them off the record. When to look again; none
/// if nothing is kept there.
///
/// # Errors
/// What Kubernetes said. What etcd says is told by an event.
pub async fn sweep(context: &Context, cluster: &EtcdCluster) -> Result<Option<Duration>, Error> {
    let kept = record::of(cluster);
    if kept.users.is_empty() && kept.roles.is_empty() {
        return Ok(None);
    }
    let key = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let _gate = context.outlets.gates.enter_alone(&key).await;
    let Some(cluster) = place::cluster(context, &key).await? else {
        return Ok(None);
    };
    let gone = gone(context, &key, &cluster).await?;
    if gone.is_empty() {
        return Ok(Some(context.settings.resync));
    }
    let ended = end(context, &key, &cluster, &gone).await;
    let mut left = record::of(&cluster);
    for (kind, entry) in &ended {
        left = record::without(left, *kind, entry);
    }
    if !ended.is_empty() {
        record::write(context, &cluster, &left).await?;
    }
    Ok(Some(if ended.len() == gone.len() {
        context.settings.resync
    } else {
        AGAIN
    }))
}

type Entry = (Kind, KeptAccess);

/// Read from the API server itself: what is not in a cache may be there.
async fn gone(context: &Context, key: &Key, cluster: &EtcdCluster) -> Result<Vec<Entry>, Error> {
    let kept = record::of(cluster);
    let mut gone = Vec::new();
    for (kind, entries) in [(Kind::User, kept.users), (Kind::Role, kept.roles)] {
        if entries.is_empty() {
            continue;
        }
        let there = match kind {
            Kind::User => uids::<EtcdUser>(context, key).await?,
            Kind::Role => uids::<EtcdRole>(context, key).await?,
        };
        gone.extend(
            entries
                .into_iter()
                .filter(|one| !there.contains(&one.uid))
                .map(|one| (kind, one)),
        );
    }
    Ok(gone)
}

/// Of all objects, those among them that this operator cannot read.
async fn uids<K: Declared>(context: &Context, (namespace, _): &Key) -> Result<BTreeSet<String>, Error> {
    let api = Api::<K>::namespaced(context.client.clone(), namespace);
    let all = api.list_metadata(&ListParams::default()).await?.items;
    Ok(all.into_iter().filter_map(|one| one.metadata.uid).collect())
}

/// Those that nothing is kept of any more.
async fn end(context: &Context, key: &Key, cluster: &EtcdCluster, gone: &[Entry]) -> Vec<Entry> {
    let place = place::enter(context, key, cluster.clone()).await;
    let mut ended = Vec::new();
    for (kind, entry) in gone {
        let done = match (entry.deletion_policy, &place) {
            (DeletionPolicy::Retain, _) => Ok(()),
            (DeletionPolicy::Delete, Ok(place)) => remove(context, place, *kind, entry).await,
            (DeletionPolicy::Delete, Err(problem)) => Err(problem.message.clone()),
        };
        tell(context, cluster, (*kind, entry), &done).await;
        if done.is_ok() {
            ended.push((*kind, entry.clone()));
        }
    }
    ended
}

async fn remove(context: &Context, place: &Place, kind: Kind, entry: &KeptAccess) -> Result<(), String> {
    let name = entry.name.clone();
    let change = match kind {
        Kind::User => AccessChange::DeleteUser { name },
        Kind::Role => AccessChange::DeleteRole { name },
    };
    let done = context.etcd.change_access(&place.access, &place.through, &change).await;
    done.map_err(|error| error.to_string())
}

async fn tell(context: &Context, cluster: &EtcdCluster, (kind, entry): (Kind, &KeptAccess), done: &Result<(), String>) {
    let (word, name, object) = (kind.word(), &entry.name, &entry.object);
    let events = &context.outlets.events;
    match (done, entry.deletion_policy) {
        (Ok(()), DeletionPolicy::Delete) => {
            let note = format!("{word} {name} is removed from etcd: {object} has gone");
            events.done(cluster, "AccessRemoved", &note).await;
        }
        (Ok(()), DeletionPolicy::Retain) => {
            let note = format!("{word} {name} stays in etcd, and nobody keeps it: {object} has gone");
            events.done(cluster, "AccessRetained", &note).await;
        }
        (Err(error), _) => {
            let note = format!("{word} {name} cannot be removed yet, though {object} has gone: {error}");
            events.warn(cluster, "AccessNotRemoved", &note).await;
        }
    }
}
