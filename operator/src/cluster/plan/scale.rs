//! As many as declared; and new ones for those that cannot be changed in place.

use taffrail_crds::LeavingReason;

use super::super::observe::{Member, Observed};
use super::super::wanted::Wanted;
use super::quorum::Health;
use super::repair::leave;
use super::{Phase, Plan, Step};

pub fn members(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    let roster = seen.roster.as_ref().ok()?;
    let health = Health::of(seen, roster);
    let there = seen.members.len();
    if there > wanted.replicas {
        return one_less(seen, wanted, health);
    }
    let replaced = seen.members.iter().find(|member| must_be_replaced(wanted, member));
    if there == wanted.replicas && replaced.is_none() {
        return None;
    }
    if !health.all() && there == wanted.replicas {
        return Some(Plan::wait(Phase::Updating, "a member is replaced once all are healthy"));
    }
    let why = match replaced {
        Some(member) if there == wanted.replicas => format!("a new member takes the place of {}", member.name()),
        _ => format!("{there} of {} members are there", wanted.replicas),
    };
    let step = Step::CreateMember {
        serial: seen.next_serial(),
        seed: false,
    };
    Some(Plan::new(Phase::Scaling, step, why))
}

fn is_voter(member: &Member) -> bool {
    member
        .facts
        .as_ref()
        .map_or(!member.was_learner(), |facts| !facts.is_learner)
}

/// What a restart cannot change: the storage class, plain or TLS between members; or somebody asked for it.
pub fn must_be_replaced(wanted: &Wanted, member: &Member) -> bool {
    member.wants_replacement()
        || member.record.spec.class_name != wanted.class_name
        || !member.record.spec.peer_url.starts_with(wanted.peer_scheme_prefix())
}

/// Who is replaced goes once all others are healthy: its successor may just be getting ready, and must not be taken for
/// one that is ill.
fn one_less(seen: &Observed, wanted: &Wanted, health: Health) -> Option<Plan> {
    let staying = || seen.members.iter().filter(|member| !member.is_leaving());
    let (old, new): (Vec<_>, Vec<_>) = staying().partition(|member| must_be_replaced(wanted, member));
    if let Some(starting) = new.iter().find(|member| !old.is_empty() && !member.is_healthy()) {
        let why = starting.why_unhealthy().unwrap_or_default();
        let why = format!("{} takes a place once it is healthy: {why}", starting.name());
        return Some(Plan::wait(Phase::Updating, why));
    }
    let (among, reason, message) = match old.is_empty() {
        true => (new, LeavingReason::ScaleIn, "fewer members are declared"),
        false => (old, LeavingReason::Replaced, "a new member has taken its place"),
    };
    let victim = victim(among)?;
    let survives = !is_voter(victim) || health.survives_removal(victim.is_healthy());
    Some(match survives {
        true => leave(Phase::Scaling, victim, reason, message),
        false => Plan::wait(
            Phase::Scaling,
            format!("{} stays: too few others are healthy", victim.name()),
        ),
    })
}

/// Unhealthy ones first, then learners, then followers; the newest of equals.
fn victim(among: Vec<&Member>) -> Option<&Member> {
    among.into_iter().min_by_key(|member| {
        (
            member.is_healthy(),
            is_voter(member),
            member.leads(),
            std::cmp::Reverse(member.record.spec.serial),
        )
    })
}
