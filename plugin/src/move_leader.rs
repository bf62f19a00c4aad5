//! `move-leader`: another member leads.

use taffrail_crds::{EtcdCluster, EtcdClusterStatus, MemberSummary};
use taffrail_proto::etcdserverpb::{MoveLeaderRequest, StatusRequest};

use crate::args::MoveLeader;
use crate::failure::Failure;
use crate::find;
use crate::member::{Keys, connect, said};
use crate::session::Session;

pub async fn run(session: &Session, flags: MoveLeader) -> Result<(), Failure> {
    let cluster: EtcdCluster = find::cluster(session, &flags.cluster).await?;
    let status = cluster.status.clone().unwrap_or_default();
    let (leader, to) = choose(&status, flags.to.as_deref())?;
    let (name, id) = (&to.name, id(to)?);
    if leader.name == *name {
        session.out.line(&format!("{name} leads already"));
        return Ok(());
    }
    let keys = Keys::read(session, &cluster, flags.secret.as_deref()).await?;
    let mut client = connect(session, leader, keys.as_ref()).await?;
    let moved = client.move_leader(MoveLeaderRequest { target_id: id }).await;
    moved.map_err(|refused| said(&leader.name, &refused))?;
    let seen = client
        .status(StatusRequest {})
        .await
        .map_err(|refused| said(&leader.name, &refused))?;
    match seen.into_inner().leader {
        now if now == id => session.out.line(&format!("{name} leads, {} did", leader.name)),
        now => {
            return Err(Failure::Failed(format!(
                "{} sees {now:x} lead, not {name}",
                leader.name
            )));
        }
    }
    Ok(())
}

/// Who leads as the operator last saw it, and who shall.
fn choose<'a>(
    status: &'a EtcdClusterStatus,
    to: Option<&str>,
) -> Result<(&'a MemberSummary, &'a MemberSummary), Failure> {
    let named = |name: &str| status.members.iter().find(|member| member.name == name);
    let leader = status.leader.as_deref().and_then(named);
    let leader = leader.ok_or_else(|| Failure::Failed("nobody is seen to lead: look at `status`".into()))?;
    let fit = |member: &&MemberSummary| member.healthy && member.role.as_deref() == Some("follower");
    let chosen = match to {
        Some(name) => named(name).ok_or_else(|| no_member(status, name))?,
        None => status
            .members
            .iter()
            .find(fit)
            .ok_or_else(|| Failure::Failed("there is no other voter that is healthy".into()))?,
    };
    if chosen.role.as_deref() == Some("learner") {
        return Err(Failure::Wrong(format!("{} is a learner and cannot lead", chosen.name)));
    }
    Ok((leader, chosen))
}

fn no_member(status: &EtcdClusterStatus, name: &str) -> Failure {
    let names: Vec<_> = status.members.iter().map(|member| member.name.as_str()).collect();
    Failure::Missing(format!("there is no member {name}; there is: {}", names.join(", ")))
}

fn id(member: &MemberSummary) -> Result<u64, Failure> {
    let id = member
        .id
        .as_deref()
        .and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    id.ok_or_else(|| Failure::Failed(format!("etcd has not given {} an ID yet", member.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, role: &str, healthy: bool) -> MemberSummary {
        MemberSummary {
            name: name.into(),
            id: Some("8e9e05c52164694d".into()),
            role: Some(role.into()),
            healthy,
            ..MemberSummary::default()
        }
    }

    #[test]
    fn leadership_goes_to_a_healthy_voter_or_to_who_is_named() {
        let status = EtcdClusterStatus {
            leader: Some("a-0".into()),
            members: vec![
                member("a-0", "leader", true),
                member("a-1", "follower", false),
                member("a-2", "follower", true),
                member("a-3", "learner", true),
            ],
            ..EtcdClusterStatus::default()
        };
        let to = |name| choose(&status, name).map(|(_, to)| to.name.clone());
        assert_eq!(to(None).unwrap(), "a-2");
        assert_eq!(to(Some("a-1")).unwrap(), "a-1");
        assert_eq!(to(Some("a-3")).unwrap_err().code(), 2);
        assert_eq!(to(Some("a-9")).unwrap_err().code(), 3);
        assert_eq!(choose(&EtcdClusterStatus::default(), None).unwrap_err().code(), 1);
    }

    #[test]
    fn ids_are_hexadecimal() {
        assert_eq!(id(&member("a-0", "leader", true)).unwrap(), 0x8e9e_05c5_2164_694d);
        assert!(id(&MemberSummary::default()).is_err());
    }
}
