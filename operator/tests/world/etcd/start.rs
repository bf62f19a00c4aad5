//! What a member does as it starts: resume, found or join; or end at once.

use std::collections::BTreeMap;

use super::super::State;
use super::super::api::Key;
use super::super::invariants;
use super::super::kubelet::Data;
use super::super::kubelet::Flags;
use super::{History, Member, hash};

/// The history and the ID that it runs with, or why it ends.
pub fn start(
    state: &mut State,
    flags: &Flags,
    disk: &str,
    version: &str,
    owner: &str,
    pod: &Key,
) -> Result<(usize, u64), String> {
    let known = state.disks[disk].clone();
    if known.corrupt {
        return Err("failed to recover the data directory: checksum mismatch".into());
    }
    let (history, id) = match known.data {
        Some(data) if data.removed => return Err("the member has been permanently removed from the cluster".into()),
        Some(data) if flags.is("force-new-cluster") => (force(state, disk, &data, flags), data.member_id),
        Some(data) => (data.history, data.member_id),
        None if flags.get("initial-cluster-state") == Some("existing") => join(state, flags)?,
        None => found(state, flags, owner, pod)?,
    };
    skew(&state.histories[history], version)?;
    let slot = &mut state.disks.get_mut(disk).expect("a volume").data;
    if slot.is_none() {
        *slot = Some(Data {
            history,
            member_id: id,
            entries: 0,
            removed: false,
        });
        state.note(format!("etcd: {} {id:x} begins with an empty volume", pod.name));
    }
    Ok((history, id))
}

fn own_url(flags: &Flags) -> Result<String, String> {
    flags
        .list("initial-advertise-peer-urls")
        .into_iter()
        .next()
        .ok_or_else(|| "--initial-advertise-peer-urls is needed".into())
}

/// IDs of a new cluster come from URLs and token alone: the same flags make the same cluster again.
fn found(state: &mut State, flags: &Flags, owner: &str, pod: &Key) -> Result<(usize, u64), String> {
    let token = flags.get("initial-cluster-token").unwrap_or("etcd-cluster").to_owned();
    let initial = flags.initial_cluster();
    let url = own_url(flags)?;
    if !initial
        .iter()
        .any(|(name, peer)| Some(name.as_str()) == flags.get("name") && *peer == url)
    {
        return Err("--initial-cluster must include the member itself".into());
    }
    let member = |(_, url): &(String, String)| (hash(&[url.clone(), token.clone()]), url.clone());
    let members: BTreeMap<u64, String> = initial.iter().map(member).collect();
    let id = hash(&[url, token.clone()]);
    let cluster_id = hash(&members.keys().map(u64::to_string).collect::<Vec<_>>());
    let same = state
        .histories
        .iter()
        .rposition(|history| history.cluster_id == cluster_id && initial.len() > 1);
    if let Some(history) = same {
        let bootstrapped = state.histories[history]
            .members
            .get(&id)
            .is_some_and(|member| !member.name.is_empty());
        return if bootstrapped {
            Err(format!("member {id:x} has already been bootstrapped"))
        } else {
            Ok((history, id))
        };
    }
    let members = members.into_iter().map(|(id, url)| {
        (
            id,
            Member {
                peer_urls: vec![url],
                ..Member::default()
            },
        )
    });
    state.histories.push(History {
        cluster_id,
        owner: owner.into(),
        members: members.collect(),
        ..History::default()
    });
    let history = state.histories.len() - 1;
    invariants::founded(state, history, pod);
    Ok((history, id))
}

/// Asks the others for the roster: the URLs must be the same, and its own among them.
fn join(state: &State, flags: &Flags) -> Result<(usize, u64), String> {
    let initial = flags.initial_cluster();
    let url = own_url(flags)?;
    let is_peer = |one: &&super::super::Process| {
        let urls = one.flags.list("initial-advertise-peer-urls");
        urls.iter()
            .any(|peer| *peer != url && initial.iter().any(|(_, listed)| listed == peer))
    };
    let reachable = |one: &&super::super::Process| !state.controls.isolated.contains(&one.pod.name);
    let answering = state.processes.values().filter(is_peer).find(reachable);
    let peer = answering.ok_or("could not retrieve cluster information from the given URLs")?;
    let history = &state.histories[peer.history];
    let mut listed: Vec<&String> = initial.iter().map(|(_, url)| url).collect();
    let mut roster: Vec<&String> = history.members.values().flat_map(|member| &member.peer_urls).collect();
    listed.sort();
    roster.sort();
    if listed.len() != roster.len() {
        return Err("error validating peerURLs: member count is unequal".into());
    }
    if listed != roster {
        return Err("error validating peerURLs: unmatched member while checking PeerURLs".into());
    }
    let own = history
        .members
        .iter()
        .find(|(_, member)| member.peer_urls.contains(&url));
    own.map(|(id, _)| (peer.history, *id))
        .ok_or_else(|| "the member is not in the roster".into())
}

/// A new history with the same ID that begins with what is on this volume, and this member alone.
fn force(state: &mut State, disk: &str, data: &Data, flags: &Flags) -> usize {
    let old = &state.histories[data.history];
    // Forced already: starting so once more changes nothing.
    let alone = old.members.len() == 1 && old.members.contains_key(&data.member_id);
    if alone {
        return data.history;
    }
    let mut new = old.clone();
    let others: Vec<u64> = new.members.keys().copied().filter(|id| *id != data.member_id).collect();
    new.members.retain(|id, _| *id == data.member_id);
    let mut own = new.members.remove(&data.member_id).unwrap_or_default();
    own.is_learner = false;
    own.peer_urls = flags.list("initial-advertise-peer-urls");
    new.members.insert(data.member_id, own);
    new.removed.extend(others);
    new.log.truncate(data.entries);
    new.acknowledged = data.entries;
    new.leader = None;
    state.histories.push(new);
    let history = state.histories.len() - 1;
    state.disks.get_mut(disk).expect("a volume").data = Some(Data {
        history,
        ..data.clone()
    });
    invariants::forced(state, data.history, history);
    history
}

/// One minor up, none down unless a downgrade is under way.
fn skew(history: &History, version: &str) -> Result<(), String> {
    let minor = version
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse::<u64>().ok())
        .unwrap_or(0);
    match history.minor {
        Some(cluster) if minor < cluster => Err(format!(
            "cluster version 3.{cluster} is higher than the server's {version}"
        )),
        Some(cluster) if minor > cluster + 1 => Err(format!(
            "cluster version 3.{cluster} is too low for the server's {version}"
        )),
        _ => Ok(()),
    }
}
