//! Which defragmentations are due by the policy of a cluster, and which need not be kept. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use taffrail_crds::{
    CAUSE, ClusterRef, DefragmentationThresholds, EtcdCluster, EtcdDefragmentation, EtcdDefragmentationSpec,
};

use super::plan::is_over;
use crate::backup::cron::Timetable;
use crate::cluster::build::{labels, owner};
use crate::owner::is_owned_by;

/// Those that are over and are kept to be looked at.
const KEPT: usize = 3;
/// A time that was missed for longer is left out: the next one comes.
const LATE_MAX: SignedDuration = SignedDuration::from_mins(15);
/// A policy is looked at once in a while.
const PAUSE_MAX: Duration = Duration::from_secs(300);
const TIMEOUT_SECONDS: i64 = 300;
/// Value of [`CAUSE`].
pub const POLICY: &str = "policy";

/// What is to be done by a policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Due {
    pub make: Option<EtcdDefragmentation>,
    pub forget: Vec<EtcdDefragmentation>,
    /// When to look again.
    pub again: Option<Duration>,
}

/// `all`: of this cluster.
pub fn due(cluster: &EtcdCluster, all: &[EtcdDefragmentation], now: Timestamp) -> Due {
    let forget = superfluous(cluster, all);
    let policy = cluster.spec.defragmentation.as_ref().filter(|one| !one.suspend);
    let table = policy.and_then(|one| Timetable::new(&one.schedule, one.time_zone.as_deref()).ok());
    let (Some(policy), Some(table)) = (policy, table) else {
        return Due {
            forget,
            ..Due::default()
        };
    };
    let busy = all.iter().any(|one| !is_over(one.status.as_ref()));
    let last = table.last(since(cluster, all, now), now).filter(|_| !busy);
    let make = last.map(|time| task(cluster, POLICY, time, policy.thresholds()));
    let until = table.next(now).map(|next| next.duration_since(now));
    let again = until.and_then(|until| Duration::try_from(until).ok());
    Due {
        make,
        forget,
        again: Some(again.unwrap_or(PAUSE_MAX).min(PAUSE_MAX)),
    }
}

/// The time after which one may be due: that of the last one, if it is not too long ago.
fn since(cluster: &EtcdCluster, all: &[EtcdDefragmentation], now: Timestamp) -> Timestamp {
    let made = all.iter().filter(|one| is_of(one, POLICY)).filter_map(minute);
    let born = cluster.creation_timestamp().map(|time| time.0);
    let earliest = now.checked_sub(LATE_MAX).unwrap_or(now);
    made.chain(born).chain([earliest]).max().unwrap_or(earliest)
}

/// As its name says.
fn minute(task: &EtcdDefragmentation) -> Option<Timestamp> {
    let name = task.name_any();
    let minutes: i64 = name.rsplit_once('-')?.1.parse().ok()?;
    Timestamp::from_second(minutes.checked_mul(60)?).ok()
}

pub fn is_of(task: &EtcdDefragmentation, cause: &str) -> bool {
    task.labels().get(CAUSE).is_some_and(|one| one == cause)
}

/// Those that the operator made for this very cluster and that are over, but for the newest.
fn superfluous(cluster: &EtcdCluster, all: &[EtcdDefragmentation]) -> Vec<EtcdDefragmentation> {
    let uid = cluster.uid();
    let ours = |one: &&EtcdDefragmentation| {
        let owned = is_owned_by(&one.metadata, uid.as_deref());
        one.labels().contains_key(CAUSE) && owned && is_over(one.status.as_ref())
    };
    let mut over: Vec<&EtcdDefragmentation> = all.iter().filter(ours).collect();
    over.sort_by_key(|one| std::cmp::Reverse((minute(one), one.name_any())));
    over.into_iter().skip(KEPT).cloned().collect()
}

/// `CLUSTER-CAUSE-29631234`: minutes since 1970, so that two who make it make the same.
pub fn task(
    cluster: &EtcdCluster,
    cause: &str,
    time: Timestamp,
    only_if: Option<DefragmentationThresholds>,
) -> EtcdDefragmentation {
    let name = cluster.name_any();
    let minutes = time.as_second().div_euclid(60);
    let spec = EtcdDefragmentationSpec {
        cluster_ref: ClusterRef { name: name.clone() },
        only_if,
        timeout_seconds: TIMEOUT_SECONDS,
    };
    let mut task = EtcdDefragmentation::new(&format!("{name}-{cause}-{minutes}"), spec);
    let mut labels = labels(cluster);
    labels.insert(CAUSE.into(), cause.into());
    task.metadata.namespace = cluster.namespace();
    task.metadata.labels = Some(labels);
    task.metadata.owner_references = Some(owner(cluster));
    task
}
