//! The upkeep of one EtcdCluster: its policy, what is done when a quota is reached, and users whose objects have gone.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::runtime::controller::Action;
use taffrail_crds::{ConditionType, EtcdCluster, EtcdDefragmentation};

use super::act;
use super::look::{Picture, look};
use super::nospace::{Remedy, remedy};
use super::policy;
use crate::access;
use crate::cluster::Error;
use crate::cluster::observe::Observed;
use crate::context::Context;

/// How soon a cluster without space is looked at again.
const NOSPACE_AGAIN: Duration = Duration::from_secs(15);
/// Compaction, defragmentation, and an alarm per member.
const REMEDIES_MAX: usize = 12;

/// Makes defragmentations that are due, frees a cluster that has reached its quota, and removes users and roles whose
/// objects have gone.
///
/// # Errors
/// What Kubernetes or etcd said; nothing is lost by calling again.
pub async fn reconcile(cluster: Arc<EtcdCluster>, context: Arc<Context>) -> Result<Action, Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let api = Api::<EtcdCluster>::namespaced(context.client.clone(), &namespace);
    let fresh = api.get_opt(&cluster.name_any()).await?;
    let alive = |one: &EtcdCluster| one.metadata.deletion_timestamp.is_none() && !one.spec.paused;
    let Some(cluster) = fresh.filter(alive) else {
        return Ok(Action::await_change());
    };
    // None of them waits for another's success.
    let scheduled = keep_policy(&context, &cluster).await;
    let healing = match is_without_space(&cluster) {
        true => heal(&context, &cluster).await.map(Some),
        false => Ok(None),
    };
    let swept = access::sweep(&context, &cluster).await;
    let again = [scheduled?, healing?, swept?].into_iter().flatten().min();
    Ok(again.map_or_else(Action::await_change, |pause| {
        Action::requeue(pause.max(Duration::from_secs(1)))
    }))
}

/// As the last look at it found.
fn is_without_space(cluster: &EtcdCluster) -> bool {
    let conditions = cluster.status.iter().flat_map(|status| &status.conditions);
    let mut of_space = conditions.filter(|one| one.type_ == ConditionType::NoSpace.name());
    of_space.any(|one| one.status == "True")
}

async fn tasks(context: &Context, cluster: &EtcdCluster) -> Result<Vec<EtcdDefragmentation>, Error> {
    let api = act::api(context, &cluster.namespace().unwrap_or_default());
    let mut all = api.list(&ListParams::default()).await?.items;
    all.retain(|one| one.spec.cluster_ref.name == cluster.name_any());
    Ok(all)
}

async fn keep_policy(context: &Context, cluster: &EtcdCluster) -> Result<Option<Duration>, Error> {
    if cluster.spec.defragmentation.is_none() {
        return Ok(None);
    }
    let due = policy::due(cluster, &tasks(context, cluster).await?, context.now());
    for one in &due.forget {
        act::forget(context, one).await?;
    }
    if let Some(task) = &due.make {
        act::make(context, task).await?;
        let note = format!("EtcdDefragmentation {} is due", task.name_any());
        context.outlets.events.done(cluster, "DefragmentationDue", &note).await;
    }
    Ok(due.again)
}

async fn heal(context: &Context, cluster: &EtcdCluster) -> Result<Duration, Error> {
    let mut compacted = false;
    for _ in 0..REMEDIES_MAX {
        let namespace = cluster.namespace().unwrap_or_default();
        let Picture::Seen(seen) = look(context, &namespace, &cluster.name_any()).await? else {
            break;
        };
        let remedy = remedy(&seen, &tasks(context, cluster).await?, compacted);
        compacted |= matches!(remedy, Remedy::Compact(_));
        if !take(context, &seen, &remedy).await? {
            break;
        }
    }
    Ok(NOSPACE_AGAIN)
}

/// Whether there may be more to do at once.
async fn take(context: &Context, seen: &Observed, remedy: &Remedy) -> Result<bool, Error> {
    let (etcd, through) = (&context.etcd, seen.through());
    let (reason, note) = match remedy {
        Remedy::None | Remedy::Wait => return Ok(false),
        Remedy::Full => {
            let note = "the data are too large for the quota: see the condition SpaceLow";
            context.outlets.events.warn(&*seen.cluster, "QuotaTooSmall", note).await;
            return Ok(false);
        }
        Remedy::Compact(revision) => {
            etcd.compact(&seen.access, &through, *revision).await?;
            (
                "Compacted",
                format!("the quota is reached: revisions before {revision} are given up"),
            )
        }
        Remedy::Defragment(task) => {
            act::make(context, task).await?;
            (
                "MakingRoom",
                format!(
                    "the quota is reached: EtcdDefragmentation {} gives back what is free",
                    task.name_any()
                ),
            )
        }
        Remedy::Disarm(alarm) => {
            etcd.disarm(&seen.access, &through, *alarm).await?;
            (
                "SpaceRegained",
                format!("there is room again: the alarm of {:x} is taken back", alarm.member_id),
            )
        }
    };
    context.outlets.events.done(&*seen.cluster, reason, &note).await;
    Ok(!matches!(remedy, Remedy::Defragment(_)))
}
