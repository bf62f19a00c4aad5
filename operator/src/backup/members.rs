//! Whose snapshot is taken.

use taffrail_crds::{ConditionType, EtcdCluster, MemberSummary};

use super::request::MemberAddress;
use crate::names::Names;
use crate::problem::Problem;

/// Members that may be asked, best first: the leader has most to do, so it is the last. One whose health is not known
/// is not asked at all.
///
/// # Errors
/// Why no backup can be made of the cluster now.
pub fn members(cluster: Option<&EtcdCluster>, name: &str, names: &Names) -> Result<Vec<MemberAddress>, Problem> {
    let Some(cluster) = cluster.filter(|one| one.metadata.deletion_timestamp.is_none()) else {
        let message = format!("there is no EtcdCluster {name} in this namespace");
        return Err(Problem::new("ClusterMissing", message));
    };
    if cluster.spec.replicas == 0 {
        let message = format!("the EtcdCluster {name} is hibernated: set spec.replicas to wake it");
        return Err(Problem::new("ClusterHibernated", message));
    }
    let addresses = healthy(cluster, names);
    match is_available(cluster) && !addresses.is_empty() {
        true => Ok(addresses),
        false => Err(unavailable(name)),
    }
}

fn unavailable(name: &str) -> Problem {
    let message = format!("the EtcdCluster {name} has no quorum that answers: see its status");
    Problem::new("ClusterNotAvailable", message)
}

fn is_available(cluster: &EtcdCluster) -> bool {
    let conditions = cluster.status.iter().flat_map(|status| &status.conditions);
    let mut available = conditions.filter(|one| one.type_ == ConditionType::Available.name());
    available.any(|one| one.status == "True")
}

fn healthy(cluster: &EtcdCluster, names: &Names) -> Vec<MemberAddress> {
    let members = cluster.status.iter().flat_map(|status| &status.members);
    let mut healthy: Vec<_> = members
        .filter(|member| member.healthy && member.role.is_some())
        .collect();
    healthy.sort_by_key(|member| rank(member));
    let address = |member: &MemberSummary| MemberAddress {
        name: member.name.clone(),
        url: member.endpoint.clone().unwrap_or_default(),
        server_name: names.member_host(&member.name),
    };
    healthy.into_iter().map(address).collect()
}

fn rank(member: &MemberSummary) -> u8 {
    match member.role.as_deref() {
        Some("follower") => 0,
        Some("learner") => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::cluster;

    fn with_members(members: serde_json::Value) -> EtcdCluster {
        let mut cluster = cluster();
        let available = json!({"type": "Available", "status": "True", "reason": "x", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"});
        cluster.status = serde_json::from_value(json!({"members": members, "conditions": [available]})).unwrap();
        cluster
    }

    fn of(cluster: Option<&EtcdCluster>) -> Result<Vec<String>, &'static str> {
        let names = Names::of(&super::tests::cluster(), "cluster.local");
        let found = members(cluster, "a", &names);
        found
            .map(|all| all.into_iter().map(|one| one.name).collect())
            .map_err(|problem| problem.reason)
    }

    #[test]
    fn the_leader_is_asked_last_and_the_sick_never() {
        let members = json!([
            {"name": "a-0", "role": "leader", "healthy": true, "endpoint": "https://a-0:2379"},
            {"name": "a-1", "role": "learner", "healthy": true, "endpoint": "https://a-1:2379"},
            {"name": "a-2", "role": "follower", "healthy": false, "endpoint": "https://a-2:2379"},
            {"name": "a-3", "role": "follower", "healthy": true, "endpoint": "https://a-3:2379"},
        ]);
        assert_eq!(of(Some(&with_members(members))).unwrap(), ["a-3", "a-1", "a-0"]);
    }

    #[test]
    fn no_backup_is_made_of_a_cluster_that_does_not_serve() {
        assert_eq!(of(None), Err("ClusterMissing"));
        assert_eq!(of(Some(&cluster())), Err("ClusterNotAvailable"));
        assert_eq!(of(Some(&with_members(json!([])))), Err("ClusterNotAvailable"));
        let mut asleep = with_members(json!([]));
        asleep.spec.replicas = 0;
        assert_eq!(of(Some(&asleep)), Err("ClusterHibernated"));
    }
}
