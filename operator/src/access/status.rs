//! What an EtcdUser or EtcdRole is told.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use taffrail_crds::AccessStatus;

use super::content::Plan;
use super::declared::Declared;
use super::place::{Era, Place};
use crate::backup::conditions::set;
use crate::cluster::Error;
use crate::context::Context;
use crate::problem::Problem;

const READY: &str = "Ready";
/// Somebody is at it right now.
const AT_ONCE: Duration = Duration::from_secs(2);
/// What passes by itself.
const SOON: Duration = Duration::from_secs(15);
/// What somebody has to change, which leads to a look of its own.
const LATER: Duration = Duration::from_secs(60);

/// What came of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing was changed.
    Unready(Problem),
    Kept {
        era: Era,
        /// It is in etcd and what the object says it is.
        made: bool,
        password_hash: Option<String>,
        problem: Option<Problem>,
        auth: bool,
    },
}

impl Told {
    pub fn of(place: &Place, plan: &Plan) -> Self {
        Self::Kept {
            era: place.era.clone(),
            made: plan.made,
            password_hash: plan.password_hash.clone(),
            problem: plan.problem.clone(),
            auth: place.auth,
        }
    }

    fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Unready(problem) => Some(problem),
            Self::Kept { problem, .. } => problem.as_ref(),
        }
    }

    /// When to look again. `resync`: when all is well.
    pub fn pause(&self, resync: Duration) -> Duration {
        match self.problem().map(|problem| problem.reason) {
            None => resync,
            Some("BeingRemoved" | "ClusterUnknown") => AT_ONCE,
            Some("ClusterUnavailable" | "ClusterIsChanging" | "NotLetIn" | "RoleMissing") => SOON,
            Some(_) => LATER,
        }
    }
}

/// It was as declared when it was last looked at, and nothing was declared anew since.
pub fn was_kept<K: Declared>(object: &K, place: &Place) -> bool {
    let Some(status) = object.told() else { return false };
    let here = status.cluster_id.as_ref() == Some(&place.era.cluster_id) && status.recovery == place.era.recovery;
    let ready = status
        .conditions
        .iter()
        .any(|one| one.type_ == READY && one.status == "True");
    here && ready && status.observed_generation == object.meta().generation
}

pub fn status<K: Declared>(object: &K, told: &Told, now: Timestamp) -> AccessStatus {
    let mut status = object.told().cloned().unwrap_or_default();
    status.observed_generation = object.meta().generation;
    status.name = Some(object.name_in_etcd());
    if let Told::Kept {
        era,
        made: true,
        password_hash,
        ..
    } = told
    {
        status.cluster_id = Some(era.cluster_id.clone());
        status.recovery = era.recovery.clone();
        status.password_hash = password_hash.clone();
    }
    let (ready, reason, message) = match (told.problem(), told) {
        (Some(problem), _) => (false, problem.reason, problem.message.as_str()),
        (None, Told::Kept { auth: false, .. }) => (
            true,
            "AuthDisabled",
            "it is in etcd as declared; nobody is asked who they are until spec.auth of the EtcdCluster is enabled",
        ),
        (None, _) => (true, "Kept", "it is in etcd as declared"),
    };
    let at = (now, object.meta().generation);
    set(&mut status.conditions, READY, ready, (reason, message), at);
    status
}

/// Writes what changed, unless somebody wrote since it was read.
///
/// # Errors
/// What the API server said; 409 if somebody did.
pub async fn write<K: Declared>(context: &Context, object: &K, told: &Told) -> Result<(), Error> {
    let status = status(object, told, context.now());
    if object.told() == Some(&status) {
        return Ok(());
    }
    let mut fields = serde_json::to_value(&status).unwrap_or_default();
    // In a merge patch what is not there stays as it was: what has gone is said to be null.
    for optional in ["clusterId", "recovery", "passwordHash"] {
        fields
            .as_object_mut()
            .map(|all| all.entry(optional).or_insert(Value::Null));
    }
    let patch = json!({"metadata": {"resourceVersion": object.resource_version()}, "status": fields});
    let api = Api::<K>::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    api.patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    warn(context, object, told).await;
    Ok(())
}

/// Only who wrote it tells of it, and only what was not told before.
async fn warn<K: Declared>(context: &Context, object: &K, told: &Told) {
    let Some(problem) = told.problem() else { return };
    let mut before = object.told().into_iter().flat_map(|status| &status.conditions);
    if !before.any(|one| one.type_ == READY && one.reason == problem.reason) {
        context
            .outlets
            .events
            .warn(object, problem.reason, &problem.message)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use taffrail_crds::EtcdRole;

    use super::*;

    fn role(status: Value) -> EtcdRole {
        let meta = json!({"name": "app", "namespace": "ns", "generation": 2});
        let spec = json!({"clusterRef": {"name": "a"}});
        let head = "etcd.taffrail.dev/v1alpha1";
        let role = json!({"apiVersion": head, "kind": "EtcdRole", "metadata": meta, "spec": spec, "status": status});
        serde_json::from_value(role).unwrap()
    }

    fn kept(made: bool, auth: bool) -> Told {
        Told::Kept {
            era: Era {
                cluster_id: "c1".into(),
                recovery: None,
            },
            made,
            password_hash: Some("d".into()),
            problem: None,
            auth,
        }
    }

    fn reason(status: &AccessStatus) -> (&str, &str) {
        let ready = &status.conditions[0];
        (ready.status.as_str(), ready.reason.as_str())
    }

    #[test]
    fn without_authentication_it_is_ready_and_says_so() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(
            reason(&status(&role(Value::Null), &kept(true, true), now)),
            ("True", "Kept")
        );
        let without = status(&role(Value::Null), &kept(true, false), now);
        assert_eq!(reason(&without), ("True", "AuthDisabled"));
    }

    #[test]
    fn what_was_made_is_remembered_while_something_stands_in_the_way() {
        let now = Timestamp::UNIX_EPOCH;
        let made = status(&role(Value::Null), &kept(true, true), now);
        assert_eq!(
            (made.cluster_id.as_deref(), made.password_hash.as_deref()),
            (Some("c1"), Some("d"))
        );
        let role = role(serde_json::to_value(&made).unwrap());
        let told = status(&role, &Told::Unready(Problem::new("ClusterPaused", "x")), now);
        assert_eq!(
            (told.cluster_id.as_deref(), reason(&told)),
            (Some("c1"), ("False", "ClusterPaused"))
        );
    }

    #[test]
    fn what_could_not_be_made_is_not_said_to_be() {
        let told = status(&role(Value::Null), &kept(false, true), Timestamp::UNIX_EPOCH);
        assert_eq!((told.cluster_id, told.password_hash), (None, None));
    }
}
