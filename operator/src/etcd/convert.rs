//! Messages of etcd as the operator's own types, and back.

use taffrail_proto::etcdserverpb::downgrade_request::DowngradeAction;
use taffrail_proto::etcdserverpb::{AlarmMember, AlarmType, Member, MemberListResponse, StatusResponse};

use super::{Alarm, AlarmKind, Downgrade, MemberFacts, Roster, RosterMember};

pub(super) fn facts(status: StatusResponse) -> MemberFacts {
    let header = status.header.unwrap_or_default();
    MemberFacts {
        member_id: header.member_id,
        cluster_id: header.cluster_id,
        version: status.version,
        leader_id: status.leader,
        is_learner: status.is_learner,
        raft_term: status.raft_term,
        raft_index: status.raft_index,
        raft_applied_index: status.raft_applied_index,
        revision: header.revision,
        db_size_bytes: status.db_size,
        db_size_in_use_bytes: status.db_size_in_use,
        errors: status.errors,
        storage_version: status.storage_version,
    }
}

pub(super) fn roster(list: MemberListResponse) -> Roster {
    Roster {
        cluster_id: list.header.map_or(0, |header| header.cluster_id),
        members: list.members.into_iter().map(member).collect(),
    }
}

fn member(member: Member) -> RosterMember {
    RosterMember {
        id: member.id,
        name: member.name,
        peer_urls: member.peer_ur_ls,
        client_urls: member.client_ur_ls,
        is_learner: member.is_learner,
    }
}

/// None: an alarm of a kind that only a later etcd knows.
pub(super) fn alarm(alarm: &AlarmMember) -> Option<Alarm> {
    let kind = match alarm.alarm() {
        AlarmType::Nospace => AlarmKind::NoSpace,
        AlarmType::Corrupt => AlarmKind::Corrupt,
        AlarmType::None => return None,
    };
    Some(Alarm {
        member_id: alarm.member_id,
        kind,
    })
}

pub(super) fn alarm_type(kind: AlarmKind) -> AlarmType {
    match kind {
        AlarmKind::NoSpace => AlarmType::Nospace,
        AlarmKind::Corrupt => AlarmType::Corrupt,
    }
}

pub(super) fn downgrade_action(action: Downgrade) -> DowngradeAction {
    match action {
        Downgrade::Validate => DowngradeAction::Validate,
        Downgrade::Enable => DowngradeAction::Enable,
        Downgrade::Cancel => DowngradeAction::Cancel,
    }
}
