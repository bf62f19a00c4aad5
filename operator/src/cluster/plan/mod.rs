//! The one next step towards what was declared. Pure: the same picture gives the same step.
//!
//! What is first is done first: what was begun is finished, data are saved before anything is changed, what is broken
//! is mended before anything is improved. At most one change of membership is under way.

mod begin;
mod downgrade;
mod join;
mod leave;
mod quorum;
mod recover;
mod repair;
mod restore;
mod roll;
mod roll_back;
mod scale;
mod sleep;
mod step;
mod strays;
mod volumes;

#[cfg(test)]
mod restore_tests;
#[cfg(test)]
mod tests;

pub use leave::hand_over;
pub use quorum::{Health, cannot_come_back};
pub use recover::kept_name;
pub use roll::is_outdated;
pub use step::{Phase, Plan, Step, next_serial};
pub use volumes::capacity_is_behind;

use super::observe::{Member, Observed};
use super::wanted::Wanted;

/// Decides on one thing or leaves it to the next.
type Rule = fn(&Observed, &Wanted) -> Option<Plan>;

/// In the order of their weight.
const RULES: [Rule; 19] = [
    roll_back::go_on,
    recover::go_on,
    begin::remember_cluster,
    leave::finish,
    sleep::wake_or_sleep,
    begin::recall,
    restore::bring_back,
    begin::found,
    strays::disown,
    join::keep_running,
    roll::cure_without_quorum,
    quorum::without,
    repair::corrupt_alarms,
    join::bring_in,
    repair::give_up,
    repair::phantoms,
    downgrade::prepare,
    roll::restart,
    scale::members,
];

/// The one next step.
pub fn plan(seen: &Observed, wanted: &Wanted) -> Plan {
    if seen.cluster.spec.paused {
        return Plan::new(Phase::Paused, Step::Nothing, "spec.paused is true");
    }
    let decided = RULES.iter().find_map(|rule| rule(seen, wanted));
    decided.or_else(|| volumes::grow(seen)).unwrap_or_else(|| settled(seen))
}

fn settled(seen: &Observed) -> Plan {
    if let Some(problem) = seen.problems.first() {
        return Plan::stuck(Phase::Invalid, format!("{}: {}", problem.reason, problem.message));
    }
    let sick = |member: &Member| Some(format!("{}: {}", member.name(), member.why_unhealthy()?));
    match seen.members.iter().find_map(sick) {
        Some(why) => Plan::new(Phase::Degraded, Step::Nothing, why),
        None => Plan::new(Phase::Running, Step::Nothing, "all is as declared"),
    }
}
