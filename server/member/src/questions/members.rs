//! Changes of the membership, carried to the leader.

use taffrail_consensus::{MemberChange, Peer};
use taffrail_proto::etcdserverpb::{Member as WireMember, MemberUpdateRequest};
use taffrail_proto::taffrailpb::change_members::Change;
use taffrail_proto::taffrailpb::question::Question as Asked;
use taffrail_proto::taffrailpb::reply::Reply as Told;
use taffrail_proto::taffrailpb::{ChangeMembers, Members};

use super::refusal::member_error;
use crate::{Member, MemberError, MemberInfo};

impl Member {
    pub(super) async fn answer_change(&self, asked: ChangeMembers) -> Result<Members, MemberError> {
        let change = asked.change.map(from_wire).ok_or(MemberError::NotNow)?;
        let members = self.change_here(&change).await?;
        Ok(Members {
            members: members.into_iter().map(member_to_wire).collect(),
        })
    }

    pub(crate) async fn ask_to_change(
        &self,
        leader: u64,
        change: &MemberChange,
    ) -> Result<Vec<MemberInfo>, MemberError> {
        let (id, patience) = (subject(change), self.config().request_timeout);
        let asked = Asked::ChangeMembers(ChangeMembers {
            change: Some(to_wire(change)),
        });
        let told = self.ask(leader, asked, patience).await;
        match told.map_err(|unanswered| member_error(unanswered, id))? {
            Told::Members(Members { members }) => Ok(members.into_iter().map(member_from_wire).collect()),
            _ => Err(MemberError::LeaderChanged),
        }
    }
}

fn subject(change: &MemberChange) -> u64 {
    match change {
        MemberChange::Add { id, .. }
        | MemberChange::Promote { id }
        | MemberChange::Remove { id }
        | MemberChange::Update { id, .. } => *id,
    }
}

fn to_wire(change: &MemberChange) -> Change {
    match change.clone() {
        MemberChange::Add { id, peer } => Change::Add(WireMember {
            id,
            peer_ur_ls: peer.peer_urls,
            is_learner: peer.learner,
            ..Default::default()
        }),
        MemberChange::Promote { id } => Change::Promote(id),
        MemberChange::Remove { id } => Change::Remove(id),
        MemberChange::Update { id, peer_urls } => Change::Update(MemberUpdateRequest {
            id,
            peer_ur_ls: peer_urls,
        }),
    }
}

fn from_wire(change: Change) -> MemberChange {
    match change {
        Change::Add(member) => MemberChange::Add {
            id: member.id,
            peer: Peer {
                peer_urls: member.peer_ur_ls,
                learner: member.is_learner,
            },
        },
        Change::Promote(id) => MemberChange::Promote { id },
        Change::Remove(id) => MemberChange::Remove { id },
        Change::Update(update) => MemberChange::Update {
            id: update.id,
            peer_urls: update.peer_ur_ls,
        },
    }
}

fn member_to_wire(member: MemberInfo) -> WireMember {
    WireMember {
        id: member.id,
        name: member.name,
        peer_ur_ls: member.peer_urls,
        client_ur_ls: member.client_urls,
        is_learner: member.is_learner,
    }
}

fn member_from_wire(member: WireMember) -> MemberInfo {
    MemberInfo {
        id: member.id,
        name: member.name,
        peer_urls: member.peer_ur_ls,
        client_urls: member.client_ur_ls,
        is_learner: member.is_learner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_arrives_as_it_was_asked() {
        let peer = Peer {
            peer_urls: vec!["http://a:1".into()],
            learner: true,
        };
        for change in [
            MemberChange::Add { id: 1, peer },
            MemberChange::Promote { id: 2 },
            MemberChange::Remove { id: 3 },
            MemberChange::Update {
                id: 4,
                peer_urls: vec!["http://b:1".into()],
            },
        ] {
            assert_eq!(from_wire(to_wire(&change)), change);
        }
    }
}
