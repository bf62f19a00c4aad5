//! `replicas: 0`: every member stops, followers first, and keeps its data.

use super::super::observe::{Member, Observed};
use super::super::pods;
use super::super::wanted::Wanted;
use super::{Phase, Plan, Step};

pub fn wake_or_sleep(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    if wanted.replicas > 0 {
        return None;
    }
    let awake: Vec<&Member> = seen.members.iter().filter(|member| member.pod.is_some()).collect();
    let running = awake
        .iter()
        .filter(|member| member.pod.as_ref().is_some_and(|pod| !pods::is_going(pod)));
    let last = running.min_by_key(|member| (member.leads(), member.record.spec.serial));
    Some(match last {
        Some(member) => {
            let pod = member.pod.as_ref()?;
            let step = Step::DeletePod {
                pod: member.name().to_owned(),
                uid: pod.metadata.uid.clone()?,
            };
            Plan::new(Phase::Hibernated, step, format!("{} goes to sleep", member.name()))
        }
        None if awake.is_empty() => Plan::new(Phase::Hibernated, Step::Nothing, "every member sleeps; data are kept"),
        None => Plan::wait(Phase::Hibernated, "pods are ending"),
    })
}
