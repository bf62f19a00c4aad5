//! From nothing to a cluster of one; and back to the records of a cluster whose records have gone.

use kube::ResourceExt;
use taffrail_crds::MEMBER;

use super::super::observe::Observed;
use super::super::wanted::Wanted;
use super::step::next_serial;
use super::{Phase, Plan, Step};
use crate::etcd::MemberFacts;

/// Once this is written down nobody founds a cluster again, whatever becomes of disks.
pub fn remember_cluster(seen: &Observed, _: &Wanted) -> Option<Plan> {
    if seen.cluster_id().is_some() {
        return None;
    }
    let told = |facts: &MemberFacts| (facts.cluster_id != 0 && facts.leader_id != 0).then_some(facts.cluster_id);
    let id = seen
        .members
        .iter()
        .find_map(|member| member.facts.as_ref().ok().and_then(told))?;
    Some(Plan::new(
        Phase::Creating,
        Step::RememberCluster { id },
        "the cluster is founded",
    ))
}

/// Records that somebody deleted are written again from the volumes that belong to them.
pub fn recall(seen: &Observed, _: &Wanted) -> Option<Plan> {
    let claim = seen
        .orphans
        .iter()
        .find(|claim| claim.metadata.deletion_timestamp.is_none())?;
    let member = claim.labels().get(MEMBER)?.clone();
    let step = Step::RecallMember {
        claim: claim.name_any(),
        member: member.clone(),
    };
    let why = format!("the volume of {member} is there, but not its EtcdMember");
    Some(Plan::new(Phase::Repairing, step, why))
}

/// The first member founds the cluster, and only it, and only once.
pub fn found(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    if !seen.members.is_empty() || wanted.replicas == 0 {
        return None;
    }
    if seen.cluster_id().is_some() {
        let why = "every member and every volume is gone, and a cluster is never founded twice under one EtcdCluster: \
                   delete it and create it again, empty or from a backup";
        return Some(Plan::stuck(Phase::QuorumLost, why));
    }
    let serial = seen.next_serial();
    Some(Plan::new(
        Phase::Creating,
        Step::CreateMember { serial, seed: true },
        "the first member founds the cluster",
    ))
}

impl Observed {
    pub fn cluster_id(&self) -> Option<u64> {
        let status = self.cluster.status.as_ref()?;
        u64::from_str_radix(status.cluster_id.as_deref()?, 16).ok()
    }

    pub fn next_serial(&self) -> i64 {
        let serials = self.members.iter().map(|member| member.record.spec.serial);
        next_serial(
            self.cluster.status.as_ref(),
            serials.chain(self.highest_serial_of_volumes),
        )
    }
}
