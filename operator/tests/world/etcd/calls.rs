//! The operator's side of it: the trait `Etcd`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taffrail_operator::etcd::{
    Access, AccessChange, Alarm, ClientTls, Downgrade, Endpoint, Etcd, EtcdError, MemberFacts, Permission, Roster,
    RosterMember,
};

use super::super::kubelet::Process;
use super::super::{Incarnation, State, World, invariants};
use super::network::{host_of, in_touch};
use super::raft::has_quorum;
use super::{changes, handshake};

/// Members as one incarnation of the operator finds them.
pub struct FakeEtcd {
    pub world: World,
    pub incarnation: Arc<Incarnation>,
}

/// There is history to be compacted.
const REVISIONS_BEFORE: i64 = 2000;

type Answer<T> = Result<T, EtcdError>;

/// Who may do it, and whether another is asked when this one cannot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Read,
    Write,
}

impl FakeEtcd {
    /// Tried in their order until one answers, as the real client does.
    async fn through<T>(
        &self,
        access: &Access,
        through: &[Endpoint],
        (what, how): (&str, How),
        mut act: impl FnMut(&mut State, &Process) -> Answer<T>,
    ) -> Answer<T> {
        let call = |state: &mut State| {
            let mut reason = None;
            for at in through {
                let answer = let_in(state, access, at)
                    .and_then(|process| voter(state, &process).and_then(|()| act(state, &process)));
                match answer {
                    Err(error) if asks_next(&error, how) => reason = Some(weightier(reason, error)),
                    answer => return answer,
                }
            }
            Err(reason.unwrap_or_else(|| EtcdError::Unreachable("there is no member to ask".into())))
        };
        self.incarnation.call(&self.world, what, how == How::Write, call).await
    }
}

fn asks_next(error: &EtcdError, how: How) -> bool {
    match error {
        EtcdError::Unreachable(_) | EtcdError::TimedOut(_) | EtcdError::Tls(_) => true,
        EtcdError::Refused(text) => text == "rpc not supported for learner",
        EtcdError::NoQuorum(_) => how == How::Read,
        _ => false,
    }
}

fn weightier(before: Option<EtcdError>, now: EtcdError) -> EtcdError {
    match before {
        Some(before) if !matches!(now, EtcdError::NoQuorum(_)) => before,
        _ => now,
    }
}

/// The member at an address.
fn process_at(state: &State, at: &Endpoint) -> Answer<Process> {
    let host = host_of(&at.url);
    let pod = state.api.of_kind("Pod").find(|(_, pod)| pod["status"]["podIP"] == host);
    if pod.is_some_and(|(_, pod)| {
        pod["spec"]["nodeName"]
            .as_str()
            .is_some_and(|node| state.controls.nodes_down.contains(node))
    }) {
        return Err(EtcdError::TimedOut(5));
    }
    let process = state.processes.values().find(|process| process.ip == host).cloned();
    let process = process.ok_or_else(|| EtcdError::Unreachable(format!("{}: connection refused", at.url)))?;
    if state.controls.isolated.contains(&process.pod.name) {
        Err(EtcdError::TimedOut(5))
    } else {
        Ok(process)
    }
}

/// The member at an address, if it takes the certificate and is the one that was meant.
fn connected(state: &State, tls: Option<&ClientTls>, at: &Endpoint) -> Answer<Process> {
    let process = process_at(state, at)?;
    let side = if at.url.ends_with(":2380") {
        handshake::served_to_peers(state, &process)
    } else {
        handshake::client_side(state, &process)
    };
    match (at.url.starts_with("https://"), side) {
        (false, None) => Ok(process),
        // Only who was told to serves both ways.
        (false, Some(_))
            if process
                .flags
                .list("listen-client-urls")
                .iter()
                .any(|url| url.starts_with("http://")) =>
        {
            Ok(process)
        }
        (false, Some(_)) => Err(EtcdError::Unreachable("connection reset".into())),
        (true, None) => Err(EtcdError::Tls(
            "received corrupt message of type InvalidContentType".into(),
        )),
        (true, Some(server)) => {
            let tls = tls.ok_or_else(|| EtcdError::Tls("there is no certificate to ask with".into()))?;
            handshake::check(state, &tls.into(), &server, &at.server_name).map_err(EtcdError::Tls)?;
            Ok(process)
        }
    }
}

/// As [`connected`], and authentication lets it in.
fn let_in(state: &State, access: &Access, at: &Endpoint) -> Answer<Process> {
    let process = connected(state, access.tls.as_ref(), at)?;
    let history = &state.histories[process.history];
    let by_password = access
        .user
        .as_ref()
        .is_some_and(|(name, password)| name == "root" && Some(password) == history.root_password.as_ref());
    let by_name = process.flags.is("client-cert-auth")
        && access
            .tls
            .as_ref()
            .and_then(|tls| handshake::common_name(&tls.certificate))
            .as_deref()
            == Some("root");
    match (history.auth, &access.user) {
        (false, _) => Ok(process),
        (true, _) if by_password || by_name => Ok(process),
        (true, Some(_)) => Err(EtcdError::Denied(
            "authentication failed, invalid user ID or password".into(),
        )),
        (true, None) => Err(EtcdError::Denied("user name is empty".into())),
    }
}

/// Learners answer to Status alone.
fn voter(state: &State, process: &Process) -> Answer<()> {
    match state.histories[process.history].members.get(&process.member_id) {
        Some(member) if member.is_learner => Err(EtcdError::Refused("rpc not supported for learner".into())),
        _ => Ok(()),
    }
}

/// With a quorum, and this member part of it.
fn with_quorum(state: &State, process: &Process) -> Answer<()> {
    let leader = state.histories[process.history].leader;
    let part = leader.is_some_and(|leader| in_touch(state, process, leader));
    let listed = state.histories[process.history]
        .members
        .contains_key(&process.member_id);
    if part && listed && has_quorum(state, process.history) {
        Ok(())
    } else {
        Err(EtcdError::NoQuorum("request timed out".into()))
    }
}

fn facts(state: &State, process: &Process) -> MemberFacts {
    let history = &state.histories[process.history];
    let entries = state.disks[&process.disk].data.as_ref().map_or(0, |data| data.entries);
    let leader = history
        .leader
        .filter(|leader| in_touch(state, process, *leader))
        .unwrap_or(0);
    let alarm = history.alarms.iter().map(|alarm| {
        let kind = format!("{:?}", alarm.kind).to_uppercase();
        format!("memberID:{} alarm:{kind}", alarm.member_id)
    });
    let lost = (leader == 0).then(|| "etcdserver: no leader".to_owned());
    MemberFacts {
        member_id: process.member_id,
        cluster_id: history.cluster_id,
        version: process.version.clone(),
        leader_id: leader,
        is_learner: history
            .members
            .get(&process.member_id)
            .is_some_and(|member| member.is_learner),
        raft_term: history.term,
        raft_index: entries as u64,
        raft_applied_index: entries as u64,
        revision: entries as i64 + REVISIONS_BEFORE,
        db_size_bytes: history.size(process.member_id).0,
        db_size_in_use_bytes: history.size(process.member_id).1,
        errors: lost.into_iter().chain(alarm).collect(),
        storage_version: history.minor.map(|minor| format!("3.{minor}.0")).unwrap_or_default(),
    }
}

fn roster(state: &State, process: &Process) -> Roster {
    let history = &state.histories[process.history];
    let member = |(id, member): (&u64, &super::Member)| RosterMember {
        id: *id,
        name: member.name.clone(),
        peer_urls: member.peer_urls.clone(),
        client_urls: member.client_urls.clone(),
        is_learner: member.is_learner,
    };
    Roster {
        cluster_id: history.cluster_id,
        members: history.members.iter().map(member).collect(),
    }
}

#[async_trait]
impl Etcd for FakeEtcd {
    async fn facts(&self, access: &Access, member: &Endpoint) -> Answer<MemberFacts> {
        let call = |state: &mut State| let_in(state, access, member).map(|process| facts(state, &process));
        self.incarnation.call(&self.world, "facts", false, call).await
    }

    async fn roster(&self, access: &Access, through: &[Endpoint]) -> Answer<Roster> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            state.memory.changes_unseen = 0;
            Ok(roster(state, process))
        };
        self.through(access, through, ("roster", How::Read), act).await
    }

    async fn add_learner(&self, access: &Access, through: &[Endpoint], peer_url: &str) -> Answer<u64> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            changes::add_learner(state, process.history, peer_url)
        };
        self.through(access, through, (&format!("add {peer_url}"), How::Write), act)
            .await
    }

    async fn promote(&self, access: &Access, through: &[Endpoint], member_id: u64) -> Answer<()> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            changes::promote(state, process.history, member_id)
        };
        self.through(access, through, (&format!("promote {member_id:x}"), How::Write), act)
            .await
    }

    async fn remove(&self, access: &Access, through: &[Endpoint], member_id: u64) -> Answer<()> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            changes::remove(state, process.history, member_id)
        };
        self.through(access, through, (&format!("remove {member_id:x}"), How::Write), act)
            .await
    }

    async fn move_leader(&self, access: &Access, leader: &Endpoint, to_member_id: u64) -> Answer<()> {
        let act = |state: &mut State, process: &Process| {
            changes::move_leader(state, process.history, process.member_id, to_member_id)
        };
        let what = format!("move leader to {to_member_id:x}");
        self.through(access, std::slice::from_ref(leader), (&what, How::Write), act)
            .await
    }

    async fn alarms(&self, access: &Access, through: &[Endpoint]) -> Answer<Vec<Alarm>> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            Ok(state.histories[process.history].alarms.iter().copied().collect())
        };
        self.through(access, through, ("alarms", How::Read), act).await
    }

    async fn disarm(&self, access: &Access, through: &[Endpoint], alarm: Alarm) -> Answer<()> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            state.histories[process.history].alarms.remove(&alarm);
            Ok(())
        };
        self.through(access, through, ("disarm", How::Write), act).await
    }

    async fn downgrade(&self, access: &Access, through: &[Endpoint], action: Downgrade, version: &str) -> Answer<()> {
        let target = version
            .split('.')
            .nth(1)
            .and_then(|minor| minor.parse::<u64>().ok())
            .unwrap_or(0);
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            let history = &mut state.histories[process.history];
            match action {
                Downgrade::Cancel => history.downgrade = None,
                _ if history.minor != Some(target + 1) => {
                    return Err(EtcdError::Refused("invalid downgrade target version".into()));
                }
                _ if history.downgrade.is_some() => {
                    return Err(EtcdError::Refused("cluster has a downgrade job in progress".into()));
                }
                Downgrade::Validate => {}
                Downgrade::Enable => {
                    history.downgrade = Some(target);
                    history.minor = Some(target);
                }
            }
            Ok(())
        };
        let how = if action == Downgrade::Validate {
            How::Read
        } else {
            How::Write
        };
        self.through(access, through, (&format!("downgrade {action:?} {version}"), how), act)
            .await
    }

    async fn cluster_version(&self, access: &Access, member: &Endpoint) -> Answer<String> {
        let call = |state: &mut State| {
            let process = connected(state, access.tls.as_ref(), member)?;
            let minor = state.histories[process.history].minor;
            let undecided = || EtcdError::NoQuorum("the cluster's version is not decided".into());
            minor.map(|minor| format!("3.{minor}.0")).ok_or_else(undecided)
        };
        self.incarnation.call(&self.world, "cluster version", false, call).await
    }

    async fn ready(&self, metrics_url: &str) -> Answer<()> {
        let at = Endpoint {
            url: metrics_url.into(),
            server_name: String::new(),
        };
        let call = |state: &mut State| {
            let process = process_at(state, &at)?;
            with_quorum(state, &process).map_err(|_| EtcdError::Refused("[-]linearizable_read failed".into()))
        };
        self.incarnation.call(&self.world, "ready", false, call).await
    }

    async fn auth_enabled(&self, access: &Access, through: &[Endpoint]) -> Answer<bool> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            Ok(state.histories[process.history].auth)
        };
        match self.through(access, through, ("auth status", How::Read), act).await {
            Err(EtcdError::Denied(_)) => Ok(true),
            answer => answer,
        }
    }

    async fn set_root(&self, access: &Access, through: &[Endpoint], password: &str) -> Answer<()> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            state.histories[process.history].root_password = Some(password.to_owned());
            Ok(())
        };
        self.through(access, through, ("set root", How::Write), act).await
    }

    async fn enable_auth(&self, access: &Access, through: &[Endpoint]) -> Answer<()> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            let history = &mut state.histories[process.history];
            if history.root_password.is_none() {
                return Err(EtcdError::Refused("root user does not exist".into()));
            }
            history.auth = true;
            Ok(())
        };
        self.through(access, through, ("enable auth", How::Write), act).await
    }

    async fn disable_auth(&self, access: &Access, through: &[Endpoint]) -> Answer<()> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            state.histories[process.history].auth = false;
            Ok(())
        };
        self.through(access, through, ("disable auth", How::Write), act).await
    }

    async fn authenticates(&self, access: &Access, through: &[Endpoint], name: &str, password: &str) -> Answer<bool> {
        let call = |state: &mut State| {
            let mut reason = EtcdError::Unreachable("there is no member to ask".into());
            for at in through {
                let answer = connected(state, access.tls.as_ref(), at).and_then(|process| {
                    voter(state, &process)?;
                    with_quorum(state, &process).map(|()| process)
                });
                match answer {
                    Ok(process) => {
                        let history = &state.histories[process.history];
                        let on = history.auth.then_some(());
                        on.ok_or_else(|| EtcdError::Refused("authentication is not enabled".into()))?;
                        let known = match name {
                            "root" => history.root_password.as_ref(),
                            name => history.users.get(name).and_then(|user| user.password.as_ref()),
                        };
                        return Ok(known.is_some_and(|known| known == password));
                    }
                    Err(error) => reason = error,
                }
            }
            Err(reason)
        };
        self.incarnation.call(&self.world, "authenticate", false, call).await
    }

    async fn defragment(&self, access: &Access, member: &Endpoint, _: Duration) -> Answer<()> {
        let call = |state: &mut State| {
            let process = let_in(state, access, member)?;
            invariants::defragmented(state, process.history, process.member_id);
            let history = &mut state.histories[process.history];
            let in_use = history.size(process.member_id).1;
            history.sizes.insert(process.member_id, (in_use, in_use));
            Ok(())
        };
        let what = format!("defragment {}", member.url);
        self.incarnation.call(&self.world, &what, true, call).await
    }

    async fn compact(&self, access: &Access, through: &[Endpoint], revision: i64) -> Answer<()> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            let history = &mut state.histories[process.history];
            let live = history.live_bytes;
            history.sizes.values_mut().for_each(|size| size.1 = live);
            Ok(())
        };
        self.through(access, through, (&format!("compact {revision}"), How::Write), act)
            .await
    }

    async fn user(&self, access: &Access, through: &[Endpoint], name: &str) -> Answer<Option<BTreeSet<String>>> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            let user = state.histories[process.history].users.get(name);
            Ok(user.map(|user| user.roles.clone()))
        };
        self.through(access, through, ("user", How::Read), act).await
    }

    async fn role(&self, access: &Access, through: &[Endpoint], name: &str) -> Answer<Option<BTreeSet<Permission>>> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            Ok(state.histories[process.history].roles.get(name).cloned())
        };
        self.through(access, through, ("role", How::Read), act).await
    }

    async fn change_access(&self, access: &Access, through: &[Endpoint], change: &AccessChange) -> Answer<()> {
        let act = |state: &mut State, process: &Process| {
            with_quorum(state, process)?;
            invariants::access_changed(state, change);
            super::change(&mut state.histories[process.history], change.clone())
        };
        self.through(access, through, (&change.words(), How::Write), act).await
    }

    async fn trusts(&self, tls: &ClientTls, at: &Endpoint) -> Answer<bool> {
        let call = |state: &mut State| match connected(state, Some(tls), at) {
            Ok(_) => Ok(true),
            Err(EtcdError::Tls(_)) => Ok(false),
            Err(error) => Err(error),
        };
        self.incarnation.call(&self.world, "trusts", false, call).await
    }
}
