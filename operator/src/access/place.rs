//! The etcd that users and roles are kept in: which one it is, and how to get in.

use futures::future::join_all;
use kube::ResourceExt;
use kube::api::Api;
use taffrail_crds::{EtcdCluster, RecoveryPhase, RollBackPhase};

use crate::cluster::Error;
use crate::context::Context;
use crate::etcd::{Access, Endpoint, EtcdError};
use crate::poller::{Key, Watched};
use crate::problem::Problem;

/// The etcd that users and roles are kept in.
#[derive(Clone)]
pub struct Place {
    pub cluster: EtcdCluster,
    pub key: Key,
    pub access: Access,
    /// Voters that answer and are of this very cluster, the leader first.
    pub through: Vec<Endpoint>,
    pub era: Era,
    /// Authentication is on.
    pub auth: bool,
}

/// What was in etcd in another era may not be there any more, or be as it was long ago.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Era {
    pub cluster_id: String,
    pub recovery: Option<String>,
}

/// Reads a cluster; none if it is not there.
///
/// # Errors
/// What the API server said.
pub async fn cluster(context: &Context, (namespace, name): &Key) -> Result<Option<EtcdCluster>, Error> {
    let api = Api::<EtcdCluster>::namespaced(context.client.clone(), namespace);
    let found = api.get_opt(name).await?;
    Ok(found.filter(|one| one.metadata.deletion_timestamp.is_none()))
}

/// The cluster's etcd, or what stands in the way.
///
/// # Errors
/// What the API server said.
pub async fn look(context: &Context, key: &Key) -> Result<Result<Place, Problem>, Error> {
    let Some(cluster) = cluster(context, key).await? else {
        let message = format!("there is no EtcdCluster {} in this namespace", key.1);
        return Ok(Err(Problem::new("ClusterMissing", message)));
    };
    Ok(enter(context, key, cluster).await)
}

/// # Errors
/// Why nothing can be kept there at present.
pub async fn enter(context: &Context, key: &Key, cluster: EtcdCluster) -> Result<Place, Problem> {
    let era = era(&cluster)?;
    let watched = context.outlets.watchlist.watched(key);
    let unknown = || Problem::new("ClusterUnknown", format!("nobody has looked at {} yet", key.1));
    let Watched { access, members } = watched.ok_or_else(unknown)?;
    let through = voters(context, &access, &members, &era.cluster_id).await?;
    Ok(Place {
        auth: cluster.status.as_ref().is_some_and(|status| status.auth_enabled),
        key: key.clone(),
        cluster,
        access,
        through,
        era,
    })
}

/// Which etcd it is, if it is one that stays.
fn era(cluster: &EtcdCluster) -> Result<Era, Problem> {
    let name = cluster.name_any();
    if cluster.spec.paused {
        return Err(Problem::new("ClusterPaused", format!("spec.paused of {name} is true")));
    }
    if cluster.spec.replicas == 0 {
        return Err(Problem::new(
            "ClusterHibernated",
            format!("spec.replicas of {name} is 0"),
        ));
    }
    let status = cluster.status.clone().unwrap_or_default();
    let recovering = status
        .recovery
        .as_ref()
        .is_some_and(|one| one.phase != RecoveryPhase::Done);
    let going_back = status
        .roll_back
        .as_ref()
        .is_some_and(|one| one.phase != RollBackPhase::Done);
    if recovering || going_back {
        let what = if recovering {
            "recovers"
        } else {
            "goes back to a backup"
        };
        return Err(Problem::new("ClusterIsChanging", format!("{name} {what}")));
    }
    let begun = |id: &String| !id.is_empty();
    let Some(cluster_id) = status.cluster_id.filter(begun) else {
        return Err(Problem::new(
            "ClusterUnknown",
            format!("the members of {name} have not begun yet"),
        ));
    };
    Ok(Era {
        cluster_id,
        recovery: status.recovery.map(|one| one.started),
    })
}

/// Addresses may have passed to somebody else since they were seen: every member is asked which cluster it is of.
async fn voters(
    context: &Context,
    access: &Access,
    members: &[Endpoint],
    cluster_id: &str,
) -> Result<Vec<Endpoint>, Problem> {
    let asked = members.iter().map(|member| context.etcd.facts(access, member));
    let answers = join_all(asked).await;
    let mut reason = EtcdError::Unreachable("no member runs".into());
    let mut voters = Vec::new();
    for (member, answer) in members.iter().zip(answers) {
        match answer {
            Ok(facts) if facts.is_learner || format!("{:x}", facts.cluster_id) != cluster_id => {}
            Ok(facts) => voters.push((
                facts.leader_id == 0 || facts.leader_id != facts.member_id,
                member.clone(),
            )),
            Err(error) => reason = error,
        }
    }
    if voters.is_empty() {
        return Err(of_etcd(&reason));
    }
    voters.sort_by_key(|(follows, _)| *follows);
    Ok(voters.into_iter().map(|(_, member)| member).collect())
}

/// As a condition says it.
pub fn of_etcd(error: &EtcdError) -> Problem {
    let reason = match error {
        EtcdError::Denied(_) => "NotLetIn",
        EtcdError::Unreachable(_) | EtcdError::TimedOut(_) | EtcdError::Tls(_) | EtcdError::NoQuorum(_) => {
            "ClusterUnavailable"
        }
        _ => "EtcdRefused",
    };
    Problem::new(reason, format!("etcd: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(spec: Value, status: Value) -> Result<Era, &'static str> {
        let mut cluster = crate::testing::cluster();
        cluster.spec = serde_json::from_value(spec).unwrap();
        cluster.status = serde_json::from_value(status).unwrap();
        era(&cluster).map_err(|problem| problem.reason)
    }

    #[test]
    fn an_era_is_one_cluster_id_and_one_recovery() {
        let era = |recovery: Option<&str>| Era {
            cluster_id: "c1".into(),
            recovery: recovery.map(str::to_owned),
        };
        assert_eq!(of(json!({}), json!({"clusterId": "c1"})), Ok(era(None)));
        let recovery =
            |phase: &str| json!({"clusterId": "c1", "recovery": {"survivor": "a-0", "phase": phase, "started": "t"}});
        assert_eq!(of(json!({}), recovery("Done")), Ok(era(Some("t"))));
        assert_eq!(of(json!({}), recovery("Forcing")), Err("ClusterIsChanging"));
    }

    #[test]
    fn nothing_is_kept_in_an_etcd_that_does_not_stay_or_is_not_there() {
        let here = json!({"clusterId": "c1"});
        assert_eq!(of(json!({"paused": true}), here.clone()), Err("ClusterPaused"));
        assert_eq!(of(json!({"replicas": 0}), here), Err("ClusterHibernated"));
        assert_eq!(of(json!({}), json!({})), Err("ClusterUnknown"));
        let back = json!({"clusterId": "c1", "rollBack": {"phase": "Stopping", "to": "b"}});
        assert_eq!(of(json!({}), back), Err("ClusterIsChanging"));
    }
}
