//! One minor version down: etcd is told first, and lowers the cluster's version before any member changes.
//!
//! Source: etcd's downgrade guide for 3.6 and server/etcdserver/version/downgrade.go.

use super::super::observe::Observed;
use super::super::version::Version;
use super::super::wanted::Wanted;
use super::{Phase, Plan, Step};
use crate::etcd::Downgrade;

pub fn prepare(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    let cluster: Version = seen.cluster_version.as_ref()?.parse().ok()?;
    if wanted.blocks_roll.is_some() {
        return None;
    }
    let members: Vec<Version> = seen.members.iter().filter_map(|member| member.version()).collect();
    let highest = members.iter().max()?;
    if wanted.version.minor < cluster.minor && wanted.version.minor < highest.minor {
        if seen.members.iter().any(|member| !member.is_healthy()) {
            return Some(Plan::wait(
                Phase::Updating,
                "a downgrade begins once all members are healthy",
            ));
        }
        let why = format!(
            "the cluster goes down from {cluster} to {}",
            wanted.version.of_cluster()
        );
        return Some(Plan::new(
            Phase::Updating,
            step(Downgrade::Enable, &wanted.version),
            why,
        ));
    }
    let given_up = members.iter().all(|one| one.minor == wanted.version.minor) && cluster.minor < wanted.version.minor;
    let was_going_down = given_up && seen.went_down();
    was_going_down.then(|| {
        let why = format!("the downgrade to {cluster} is called off");
        Plan::new(Phase::Updating, step(Downgrade::Cancel, &wanted.version), why)
    })
}

fn step(action: Downgrade, version: &Version) -> Step {
    Step::Downgrade {
        action,
        version: version.of_cluster(),
    }
}

impl Observed {
    /// The last that was written down is a way down that was not finished.
    fn went_down(&self) -> bool {
        let upgrade = self.cluster.status.as_ref().and_then(|status| status.upgrade.as_ref());
        upgrade.is_some_and(|upgrade| {
            let (from, to) = (upgrade.from.parse::<Version>(), upgrade.to.parse::<Version>());
            matches!((from, to), (Ok(from), Ok(to)) if to < from)
        })
    }
}
