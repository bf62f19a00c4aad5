//! The way back to a backup's data: before a new cluster is founded its first volume is filled.
//!
//! What is decided on is written down first, so that a newer backup of a schedule changes nothing half-way. Nobody
//! starts a member on a volume that is being filled, and a volume that was filled is never filled again.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use taffrail_crds::{RestorePhase, RestoreStatus};

use super::super::observe::{Member, Observed};
use super::super::pods;
use super::super::restore::{failure, is_filled};
use super::super::wanted::Wanted;
use super::{Phase, Plan, Step};

/// Attempts that may fail before the declaration has to change.
const FAILURES_MAX: i32 = 6;
/// Pause after the first failure; it doubles with each.
const PAUSE_SECONDS: i64 = 5;

/// Fills the first member's volume if it is to be filled and is not.
pub fn bring_back(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    if seen.cluster_id().is_some() || wanted.replicas == 0 {
        return None;
    }
    let Some(restore) = seen.restore_status() else {
        return decide(seen);
    };
    if restore.phase == RestorePhase::Failed {
        return Some(again_or_stuck(seen, restore));
    }
    let first = seen.members.iter().find(|member| !member.is_leaving())?;
    if let Some(key) = &first.record.spec.restored_from {
        // Whoever wrote it down may have died before telling.
        let untold = restore.phase == RestorePhase::Restoring && *key == restore.object.key;
        return if untold {
            Some(remember(first, restore))
        } else {
            clear(seen)
        };
    }
    // The volume comes first, and is written down.
    (first.record.spec.volume_uid.is_some() && first.has_its_data()).then(|| fill(seen, restore, first))
}

/// Nothing is founded before there is something to restore.
fn decide(seen: &Observed) -> Option<Plan> {
    seen.cluster.spec.bootstrap.as_ref()?.restore.as_ref()?;
    Some(match &seen.restore_source {
        Some(Ok(chosen)) => {
            let why = format!("it begins with the data of {}", chosen.object.key);
            Plan::new(Phase::Restoring, Step::NoteRestore(Box::new(chosen.clone())), why)
        }
        Some(Err(problem)) => Plan::stuck(Phase::Restoring, format!("{}: {}", problem.reason, problem.message)),
        None => Plan::wait(Phase::Restoring, "the backup is looked up"),
    })
}

/// A declaration that has changed since it failed is tried.
fn again_or_stuck(seen: &Observed, failed: &RestoreStatus) -> Plan {
    match &seen.restore_source {
        Some(Ok(chosen)) if !is_same(chosen, failed) => {
            let why = format!("{} is tried instead", chosen.object.key);
            let chosen = RestoreStatus {
                // The pod that is still there is the last attempt's.
                failed_at: failed.failed_at.clone(),
                ..chosen.clone()
            };
            Plan::new(Phase::Restoring, Step::NoteRestore(Box::new(chosen)), why)
        }
        _ => Plan::stuck(Phase::Restoring, said(failed)),
    }
}

/// The same object, fetched in the same way.
pub fn is_same(chosen: &RestoreStatus, failed: &RestoreStatus) -> bool {
    let plain = |status: &RestoreStatus| (status.object.clone(), status.pod.clone(), status.artifact.clone());
    plain(chosen) == plain(failed)
}

fn said(failed: &RestoreStatus) -> String {
    let (reason, message) = (failed.reason.as_deref(), failed.message.as_deref());
    format!(
        "{}: {}",
        reason.unwrap_or("Failed"),
        message.unwrap_or("the restore failed")
    )
}

fn fill(seen: &Observed, restore: &RestoreStatus, first: &Member) -> Plan {
    let member = first.name().to_owned();
    let Some(pod) = &seen.restore_pod else {
        if let Some(again) = pauses_until(seen.now, restore) {
            return Plan::wait(Phase::Restoring, format!("tried again at {again}: {}", said(restore)));
        }
        let why = format!("the volume of {member} is filled from {}", restore.object.key);
        return Plan::new(Phase::Restoring, Step::RunRestore { member }, why);
    };
    match pods::phase(pod) {
        _ if pods::is_going(pod) => Plan::wait(Phase::Restoring, "the pod of the last attempt is ending"),
        "Succeeded" => remember(first, restore),
        // The last attempt had come to its end, and nobody heard of it.
        "Failed" if is_filled(pod) => remember(first, restore),
        "Failed" => note_failure(seen, restore, pod),
        _ => Plan::wait(Phase::Restoring, doing(restore, pod)),
    }
}

fn remember(first: &Member, restore: &RestoreStatus) -> Plan {
    let step = Step::RememberRestored {
        member: first.name().to_owned(),
        key: restore.object.key.clone(),
    };
    Plan::new(Phase::Restoring, step, "the first volume is filled")
}

/// What the failed pod said is written down once; then the pod goes.
fn note_failure(seen: &Observed, restore: &RestoreStatus, pod: &Pod) -> Plan {
    let failed_at = pods::ended_at(pod).unwrap_or(seen.now).to_string();
    if restore.failed_at.as_ref() == Some(&failed_at) {
        return delete(pod, "it has failed, and is tried again").unwrap_or_else(|| Plan::wait(Phase::Restoring, ""));
    }
    let why = failure(pod);
    let failures = restore.failures + 1;
    let over = why.hopeless || failures >= FAILURES_MAX;
    let noted = RestoreStatus {
        phase: if over {
            RestorePhase::Failed
        } else {
            RestorePhase::Restoring
        },
        failures,
        failed_at: Some(failed_at),
        reason: Some(why.reason),
        message: Some(why.message),
        ..restore.clone()
    };
    let text = said(&noted);
    Plan::new(Phase::Restoring, Step::NoteRestore(Box::new(noted)), text)
}

/// When another attempt is made, if that is not yet.
fn pauses_until(now: Timestamp, restore: &RestoreStatus) -> Option<Timestamp> {
    let failed_at: Timestamp = restore.failed_at.as_deref()?.parse().ok()?;
    let pause = PAUSE_SECONDS << restore.failures.clamp(1, FAILURES_MAX);
    let again = failed_at.checked_add(SignedDuration::from_secs(pause)).ok()?;
    (again > now).then_some(again)
}

fn doing(restore: &RestoreStatus, pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let all = status.and_then(|status| status.init_container_statuses.as_ref());
    let runs = |one: &&k8s_openapi::api::core::v1::ContainerStatus| {
        one.state.as_ref().is_some_and(|state| state.running.is_some())
    };
    let running = all.into_iter().flatten().find(runs).map(|one| one.name.as_str());
    match running {
        Some("fetch") => format!("{} is fetched and checked", restore.object.key),
        Some(_) => format!("{} is restored", restore.object.key),
        None => format!("the pod that restores: {}", pods::why_not_running(pod)),
    }
}

/// Its work is done and written down.
fn clear(seen: &Observed) -> Option<Plan> {
    let pod = seen.restore_pod.as_ref().filter(|pod| !pods::is_going(pod))?;
    delete(pod, "the pod that restored has done its work")
}

fn delete(pod: &Pod, why: &str) -> Option<Plan> {
    let step = Step::DeletePod {
        pod: pod.metadata.name.clone()?,
        uid: pod.metadata.uid.clone()?,
    };
    Some(Plan::new(Phase::Restoring, step, why))
}

impl Observed {
    pub fn restore_status(&self) -> Option<&RestoreStatus> {
        self.cluster.status.as_ref()?.restore.as_ref()
    }
}
