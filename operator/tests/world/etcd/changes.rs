//! Changes of the roster, with the checks that etcd makes before them.

use taffrail_operator::etcd::EtcdError;

use super::super::State;
use super::super::invariants;
use super::network::{in_touch, running};
use super::raft::{elect, has_quorum, is_caught_up};
use super::{Member, hash};

fn guarded(state: &State, history: usize) -> Result<(), EtcdError> {
    if has_quorum(state, history) {
        Ok(())
    } else {
        Err(EtcdError::NoQuorum("request timed out".into()))
    }
}

const FEW: &str = "re-configuration failed due to not enough started members";

/// Voters in touch with the leader for at least a tick.
fn active(state: &State, history: usize) -> Vec<u64> {
    let one = &state.histories[history];
    let Some(leader) = one.leader else { return Vec::new() };
    let there = running(state, history);
    let settled = there
        .iter()
        .filter(|process| process.since < state.ticks && in_touch(state, process, leader));
    settled
        .map(|process| process.member_id)
        .filter(|id| !one.members[id].is_learner)
        .collect()
}

pub fn add_learner(state: &mut State, history: usize, peer_url: &str) -> Result<u64, EtcdError> {
    guarded(state, history)?;
    let one = &state.histories[history];
    if one
        .members
        .values()
        .any(|member| member.peer_urls.iter().any(|url| url == peer_url))
    {
        return Err(EtcdError::PeerUrlExists);
    }
    if one.members.values().any(|member| member.is_learner) {
        return Err(EtcdError::TooManyLearners);
    }
    if active(state, history).len() < one.voters().count() {
        return Err(EtcdError::Unhealthy("unhealthy cluster".into()));
    }
    let id = hash(&[peer_url.to_owned(), state.now.to_string()]);
    let learner = Member {
        peer_urls: vec![peer_url.to_owned()],
        is_learner: true,
        ..Member::default()
    };
    state.histories[history].members.insert(id, learner);
    invariants::roster_changed(state, history, &format!("added {id:x} {peer_url}"));
    Ok(id)
}

pub fn promote(state: &mut State, history: usize, id: u64) -> Result<(), EtcdError> {
    guarded(state, history)?;
    let one = &state.histories[history];
    let member = one.members.get(&id).ok_or(EtcdError::MemberNotFound)?;
    if !member.is_learner {
        return Err(EtcdError::NotLearner);
    }
    let started = one.voters().filter(|(_, member)| !member.name.is_empty()).count() + 1;
    if started < one.voters().count().div_ceil(2) + 1 {
        return Err(EtcdError::Unhealthy(FEW.into()));
    }
    if !is_caught_up(state, history, id) {
        return Err(EtcdError::LearnerNotReady);
    }
    state.histories[history].members.get_mut(&id).expect("there").is_learner = false;
    invariants::roster_changed(state, history, &format!("promoted {id:x}"));
    Ok(())
}

pub fn remove(state: &mut State, history: usize, id: u64) -> Result<(), EtcdError> {
    guarded(state, history)?;
    let one = &state.histories[history];
    let member = one.members.get(&id).ok_or(EtcdError::MemberNotFound)?;
    if !member.is_learner {
        let left = one.voters().count() - 1;
        let started = one
            .voters()
            .filter(|(other, member)| *other != id && !member.name.is_empty())
            .count();
        if left == 0 || started < left / 2 + 1 {
            return Err(EtcdError::Unhealthy(FEW.into()));
        }
        let active = active(state, history);
        if active.contains(&id) && active.len() - 1 < left / 2 + 1 {
            return Err(EtcdError::Unhealthy("unhealthy cluster".into()));
        }
    }
    let one = &mut state.histories[history];
    one.members.remove(&id);
    one.removed.insert(id);
    one.alarms.retain(|alarm| alarm.member_id != id);
    if one.leader == Some(id) {
        one.leader = None;
    }
    invariants::roster_changed(state, history, &format!("removed {id:x}"));
    elect(state, history);
    Ok(())
}

pub fn move_leader(state: &mut State, history: usize, asked: u64, to: u64) -> Result<(), EtcdError> {
    guarded(state, history)?;
    let one = &state.histories[history];
    if one.leader != Some(asked) {
        return Err(EtcdError::Refused("not leader".into()));
    }
    if one.members.get(&to).is_none_or(|member| member.is_learner) {
        return Err(EtcdError::Refused("bad leader transferee".into()));
    }
    if !active(state, history).contains(&to) {
        return Err(EtcdError::Refused("leader transfer timed out".into()));
    }
    let one = &mut state.histories[history];
    one.leader = Some(to);
    one.term += 1;
    Ok(())
}
