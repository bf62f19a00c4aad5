//! Election, replication and what members do by themselves with time.

use super::super::State;
use super::super::kubelet::Process;
use super::network::{in_touch, running};

/// Ticks in touch with the leader after which a new member holds what the leader holds.
const CATCH_UP_TICKS: u32 = 2;

/// One tick of every history.
pub fn tick(state: &mut State) {
    for history in 0..state.histories.len() {
        elect(state, history);
        replicate(state, history);
        write(state, history);
        versions(state, history);
    }
    expel(state);
}

fn entries(state: &State, process: &Process) -> usize {
    state.disks[&process.disk].data.as_ref().map_or(0, |data| data.entries)
}

/// The leader has a majority of voters in touch.
pub fn has_quorum(state: &State, history: usize) -> bool {
    let Some(leader) = state.histories[history].leader else {
        return false;
    };
    let there = running(state, history);
    let is_voter = |process: &&Process| !state.histories[history].members[&process.member_id].is_learner;
    let with_it = there
        .iter()
        .filter(is_voter)
        .filter(|process| in_touch(state, process, leader));
    there.iter().any(|process| process.member_id == leader) && with_it.count() >= state.histories[history].quorum()
}

pub fn elect(state: &mut State, history: usize) {
    if has_quorum(state, history) {
        return;
    }
    state.histories[history].leader = None;
    let is_voter = |process: &Process| !state.histories[history].members[&process.member_id].is_learner;
    let mut voters: Vec<Process> = running(state, history).into_iter().filter(is_voter).collect();
    voters.sort_by_key(|process| (std::cmp::Reverse(entries(state, process)), process.member_id));
    let wins = |candidate: &Process| {
        let votes = voters
            .iter()
            .filter(|voter| in_touch(state, voter, candidate.member_id));
        votes
            .filter(|voter| entries(state, voter) <= entries(state, candidate))
            .count()
            >= state.histories[history].quorum()
    };
    let Some(winner) = voters.iter().find(|candidate| wins(candidate)).cloned() else {
        return;
    };
    let holds = entries(state, &winner);
    let acknowledged = state.histories[history].acknowledged;
    if holds < acknowledged {
        state.violated(format!(
            "{} acknowledged writes are lost: {} leads without them",
            acknowledged - holds,
            winner.pod.name
        ));
    }
    let one = &mut state.histories[history];
    one.leader = Some(winner.member_id);
    one.term += 1;
    one.log.truncate(holds);
    one.acknowledged = one.acknowledged.min(holds);
    state.note(format!("etcd: {} leads", winner.pod.name));
}

fn replicate(state: &mut State, history: usize) {
    let Some(leader) = state.histories[history].leader else {
        return;
    };
    let length = state.histories[history].log.len();
    for process in running(state, history) {
        let slow = state.controls.slow.contains(&process.pod.name);
        if slow || !in_touch(state, &process, leader) {
            continue;
        }
        let held = entries(state, &process);
        let member = state.histories[history]
            .members
            .get_mut(&process.member_id)
            .expect("in the roster");
        member.fed_ticks += 1;
        let caught_up = member.fed_ticks > CATCH_UP_TICKS || process.member_id == leader || held == length;
        if caught_up && member.fed_ticks > 1 || process.member_id == leader {
            state
                .disks
                .get_mut(&process.disk)
                .expect("a volume")
                .data
                .as_mut()
                .expect("data")
                .entries = length;
        }
        publish(state, history, &process);
    }
}

/// Name and client URLs become known once it is in touch.
fn publish(state: &mut State, history: usize, process: &Process) {
    let member = state.histories[history]
        .members
        .get_mut(&process.member_id)
        .expect("in the roster");
    member.name = process.flags.get("name").unwrap_or_default().into();
    member.client_urls = process.flags.list("advertise-client-urls");
    member.minor = Some(process.minor());
}

/// A learner can be promoted once it holds what the leader holds.
pub fn is_caught_up(state: &State, history: usize, id: u64) -> bool {
    let length = state.histories[history].log.len();
    let fed = state.histories[history].members[&id].fed_ticks > CATCH_UP_TICKS;
    let there = running(state, history);
    fed && there
        .iter()
        .any(|process| process.member_id == id && entries(state, process) * 10 >= length * 9)
}

/// A client writes once a tick, if a majority takes it.
fn write(state: &mut State, history: usize) {
    if state.controls.no_writes || !has_quorum(state, history) {
        return;
    }
    let length = state.histories[history].log.len();
    let leader = state.histories[history].leader.expect("a quorum has one");
    let there = running(state, history);
    let up_to_date: Vec<&Process> = there
        .iter()
        .filter(|process| in_touch(state, process, leader) && entries(state, process) == length)
        .collect();
    let is_voter = |process: &&&Process| !state.histories[history].members[&process.member_id].is_learner;
    if up_to_date.iter().filter(is_voter).count() < state.histories[history].quorum() {
        return;
    }
    let disks: Vec<String> = up_to_date.iter().map(|process| process.disk.clone()).collect();
    for disk in disks {
        state
            .disks
            .get_mut(&disk)
            .expect("a volume")
            .data
            .as_mut()
            .expect("data")
            .entries += 1;
    }
    let ticks = state.ticks;
    let one = &mut state.histories[history];
    one.log.push(ticks);
    one.acknowledged = one.log.len();
}

/// The lowest minor of all members is the cluster's, and never less than before but by a downgrade.
fn versions(state: &mut State, history: usize) {
    let one = &mut state.histories[history];
    if one.leader.is_none() {
        return;
    }
    let known: Vec<u64> = one.members.values().filter_map(|member| member.minor).collect();
    let lowest = known.iter().min().copied();
    if let Some(target) = one.downgrade {
        one.minor = Some(target);
        if known.iter().all(|minor| *minor == target) {
            one.downgrade = None;
        }
    } else if lowest > one.minor {
        one.minor = lowest;
    }
}

/// Whoever was removed and hears of it ends for good.
fn expel(state: &mut State) {
    let expelled: Vec<(String, Process)> = state
        .processes
        .iter()
        .filter(|(_, process)| {
            let history = &state.histories[process.history];
            history.leader.is_some() && !history.members.contains_key(&process.member_id)
        })
        .map(|(uid, process)| (uid.clone(), process.clone()))
        .collect();
    for (uid, process) in expelled {
        state
            .disks
            .get_mut(&process.disk)
            .expect("a volume")
            .data
            .as_mut()
            .expect("data")
            .removed = true;
        state.processes.remove(&uid);
        state.note(format!("etcd: {} was removed and ends", process.pod.name));
    }
}
