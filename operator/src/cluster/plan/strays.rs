//! Pods that only look like members.

use kube::ResourceExt;

use super::super::observe::Observed;
use super::super::pods;
use super::super::wanted::Wanted;
use super::{Phase, Plan, Step};

/// Services would send clients there, and the disruption budget would count it as a voter that it is not. It is
/// somebody's all the same: it stays as it is, but for the label.
pub fn disown(seen: &Observed, _: &Wanted) -> Option<Plan> {
    let stray = seen.strays.iter().find(|pod| !pods::is_going(pod))?;
    let pod = stray.name_any();
    let why = format!("{pod} bears the label of this cluster, but is none of its members");
    Some(Plan::new(Phase::Repairing, Step::DisownPod { pod }, why))
}
