//! What retention keeps no longer is removed, of one schedule and one cluster: the manifest first, then the object.
//!
//! Always holds: what is not understood is left alone; the newest whole backup stays; what somebody else put there is
//! never touched.

mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::manifest::{ENDING, MANIFEST_BYTES_MAX, Manifest};
use super::places::Places;
use super::progress::Progress;
use super::request::Prune;
use super::retention::{Dated, kept};
use super::store::{Listed, Store};
use super::{Failure, Outcome, Reason};

/// Manifests that are read at a time.
const READS_MAX: usize = 8;
/// An upload may take as long: an object without a manifest is not looked at before.
const ORPHAN_AGE: SignedDuration = SignedDuration::from_hours(24);
/// What a termination message has room for.
const KEYS_BYTES_MAX: usize = 3000;

/// # Errors
/// If the store cannot be listed, or does not let something go. What was removed until then is gone.
pub async fn prune(request: &Prune, places: &Places, progress: Arc<Progress>) -> Result<Outcome, Failure> {
    let stall = Duration::from_secs(request.stall_seconds.max(1));
    let store = Store::open(&request.target, places, progress, stall)?;
    within(&store, request, Timestamp::now()).await
}

/// In this store, at this time.
///
/// # Errors
/// As [`prune`].
pub async fn within(store: &Store, request: &Prune, now: Timestamp) -> Result<Outcome, Failure> {
    let (namespace, name) = request.schedule.split_once('/').ok_or_else(|| {
        Failure::new(
            Reason::Invalid,
            format!("{:?} is no schedule: it is NAMESPACE/NAME", request.schedule),
        )
    })?;
    let listed: BTreeMap<String, Listed> = store
        .list(namespace)
        .await?
        .into_iter()
        .map(|one| (one.key.clone(), one))
        .collect();
    let ours = ours(store, request, &listed, name).await?;
    let dated: Vec<Dated> = ours.iter().filter_map(|manifest| whole(manifest, &listed)).collect();
    let kept = kept(&dated, &request.retention, &request.keep, now);
    let mut doomed: Vec<Dated> = dated.into_iter().filter(|one| !kept.contains(&one.key)).collect();
    doomed.sort();
    let mut removed = Vec::new();
    for one in doomed {
        store.delete(&Manifest::key_of(&one.key)).await?;
        store.delete(&one.key).await?;
        tracing::info!(key = one.key, taken_at = %one.taken_at, "is removed");
        removed.push(one.key);
    }
    removed.extend(remove_orphans(store, &listed, &folders(&ours), now).await?);
    Ok(outcome(removed, kept.len()))
}

/// Manifests of this schedule and cluster.
async fn ours(
    store: &Store,
    request: &Prune,
    listed: &BTreeMap<String, Listed>,
    name: &str,
) -> Result<Vec<Manifest>, Failure> {
    let candidates: Vec<&str> = listed
        .keys()
        .filter_map(|key| key.strip_suffix(ENDING))
        .filter(|object| names::is_ours(object) && names::is_in(object, name))
        .collect();
    let read = stream::iter(candidates).map(|object| async move { manifest(store, object).await });
    let all: Vec<Option<Manifest>> = read.buffer_unordered(READS_MAX).try_collect().await?;
    let mine = |manifest: &Manifest| {
        manifest.origin.schedule.as_ref() == Some(&request.schedule)
            && manifest.origin.cluster_uid == request.cluster_uid
    };
    Ok(all.into_iter().flatten().filter(mine).collect())
}

/// None: damaged, of a later version, of another object, or gone since. Such are left alone.
async fn manifest(store: &Store, object: &str) -> Result<Option<Manifest>, Failure> {
    let text = match store.read_small(&Manifest::key_of(object), MANIFEST_BYTES_MAX).await {
        Err(failure) if failure.reason == Reason::Invalid => None,
        text => text?,
    };
    let decoded = text.map(|text| Manifest::decode(&text));
    Ok(match decoded {
        Some(Ok(manifest)) if manifest.artifact.key == object => Some(manifest),
        Some(Err(failure)) => {
            tracing::warn!(object, %failure, "is left alone");
            None
        }
        _ => None,
    })
}

/// A backup that counts: its object is there with all its bytes.
fn whole(manifest: &Manifest, listed: &BTreeMap<String, Listed>) -> Option<Dated> {
    let artifact = &manifest.artifact;
    let bytes = listed
        .get(&artifact.key)
        .and_then(|object| i64::try_from(object.bytes).ok());
    let taken_at = artifact.taken_at.parse().ok();
    if bytes != Some(artifact.size_bytes) || taken_at.is_none() {
        tracing::warn!(key = artifact.key, "is not whole: it does not count, and is left alone");
        return None;
    }
    Some(Dated {
        taken_at: taken_at?,
        key: artifact.key.clone(),
    })
}

fn folders(ours: &[Manifest]) -> BTreeSet<&str> {
    ours.iter()
        .filter_map(|manifest| manifest.artifact.key.rsplit_once('/'))
        .map(|(folder, _)| folder)
        .collect()
}

/// Objects of attempts that came to nothing, and of removals that were cut short.
async fn remove_orphans(
    store: &Store,
    listed: &BTreeMap<String, Listed>,
    folders: &BTreeSet<&str>,
    now: Timestamp,
) -> Result<Vec<String>, Failure> {
    let mut removed = Vec::new();
    for (key, object) in listed {
        let in_ours = key.rsplit_once('/').is_some_and(|(folder, _)| folders.contains(folder));
        let old = now.duration_since(object.modified) > ORPHAN_AGE;
        if !(in_ours && old && names::is_ours(key)) || listed.contains_key(&Manifest::key_of(key)) {
            continue;
        }
        // A list may be older than what it was asked for.
        if store.size(&Manifest::key_of(key)).await?.is_none() {
            store.delete(key).await?;
            tracing::info!(key, "is removed: it never became a backup, or was one no longer");
            removed.push(key.clone());
        }
    }
    Ok(removed)
}

fn outcome(removed: Vec<String>, kept: usize) -> Outcome {
    let (count, mut bytes) = (removed.len(), 0);
    let fit = removed.into_iter().take_while(|key| {
        bytes += key.len() + 3;
        bytes <= KEYS_BYTES_MAX
    });
    Outcome::Pruned {
        keys: fit.collect(),
        count,
        kept,
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
