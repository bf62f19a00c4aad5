//! A living cluster goes back to a backup, because a person asked for it and took the loss upon them.
//!
//! Every member stops, every record goes and every volume is kept for people; then the cluster is founded once more, by
//! a new member with the backup's data. Nothing of the old data is written to.

use kube::ResourceExt;
use taffrail_crds::{ACCEPT_DATA_LOSS, LeavingReason, ROLL_BACK_TO, RollBackPhase, RollBackStatus};

use super::super::observe::Observed;
use super::super::pods;
use super::super::wanted::Wanted;
use super::repair::leave;
use super::{Phase, Plan, Step};

/// Begins a roll-back if one was asked for, and goes on with one that was begun.
pub fn go_on(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    let under_way = seen.cluster.status.as_ref().and_then(|status| status.roll_back.as_ref());
    match under_way.filter(|one| one.phase != RollBackPhase::Done) {
        Some(roll_back) => Some(next(seen, wanted, roll_back)),
        None => start(seen),
    }
}

/// Only with the backup at hand: a living cluster is not stopped for one that cannot be had.
fn start(seen: &Observed) -> Option<Plan> {
    let to = seen.roll_back_to()?;
    let chosen = seen.restore_source.as_ref()?.as_ref().ok()?;
    seen.cluster_id()?;
    let roll_back = RollBackStatus {
        phase: RollBackPhase::Stopping,
        to: to.to_owned(),
        started_at: seen.now.to_string(),
        finished_at: None,
    };
    let step = Step::RollBack {
        roll_back,
        restore: Some(Box::new(chosen.clone())),
    };
    Some(Plan::new(Phase::Restoring, step, format!("the cluster goes back to {to}")))
}

fn next(seen: &Observed, wanted: &Wanted, roll_back: &RollBackStatus) -> Plan {
    match roll_back.phase {
        RollBackPhase::Stopping => stop(seen, roll_back),
        RollBackPhase::KeepingAside => keep_aside(seen, wanted, roll_back),
        RollBackPhase::Done => Plan::wait(Phase::Restoring, "done"),
    }
}

fn stop(seen: &Observed, roll_back: &RollBackStatus) -> Plan {
    let pods = || {
        let all = seen.members.iter();
        all.filter_map(|member| Some((member.name(), member.pod.as_ref()?)))
    };
    if let Some((name, pod)) = pods().find(|(_, pod)| !pods::is_going(pod)) {
        let (pod, uid) = (name.to_owned(), pod.uid().unwrap_or_default());
        return Plan::new(Phase::Restoring, Step::DeletePod { pod, uid }, format!("{name} stops"));
    }
    match pods().next() {
        Some((name, _)) => Plan::wait(Phase::Restoring, format!("the pod of {name} is ending")),
        None => reached(seen, roll_back, RollBackPhase::KeepingAside, "every member has stopped"),
    }
}

fn keep_aside(seen: &Observed, wanted: &Wanted, roll_back: &RollBackStatus) -> Plan {
    if let Some(member) = seen.members.iter().find(|member| !member.is_leaving()) {
        let message = format!("the cluster goes back to {}", roll_back.to);
        return leave(Phase::Restoring, member, LeavingReason::RolledBack, &message);
    }
    super::leave::finish(seen, wanted)
        .unwrap_or_else(|| reached(seen, roll_back, RollBackPhase::Done, "the old volumes are kept aside"))
}

fn reached(seen: &Observed, roll_back: &RollBackStatus, phase: RollBackPhase, why: &str) -> Plan {
    let roll_back = RollBackStatus {
        phase,
        finished_at: (phase == RollBackPhase::Done).then(|| seen.now.to_string()),
        ..roll_back.clone()
    };
    let step = Step::RollBack {
        roll_back,
        restore: None,
    };
    Plan::new(Phase::Restoring, step, why)
}

impl Observed {
    /// The EtcdBackup that a person wants to go back to, having written the cluster's name under the loss.
    pub fn roll_back_to(&self) -> Option<&str> {
        let annotations = self.cluster.annotations();
        let accepted = annotations.get(ACCEPT_DATA_LOSS) == Some(&self.names.cluster);
        annotations.get(ROLL_BACK_TO).filter(|_| accepted).map(String::as_str)
    }
}
