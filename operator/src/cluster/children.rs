//! Objects that are wholly the operator's: applied as declared, whoever changed them.

use std::fmt::Debug;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Api, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Error;
use super::build;
use super::observe::Observed;
use crate::context::Context;
use crate::names::FIELD_MANAGER;
use crate::owner::is_owned_by;
use crate::problem::Problem;

/// Services and the disruption budget, and who a volume claim goes with.
pub async fn apply(context: &Context, seen: &mut Observed) -> Result<(), Error> {
    let peers = build::peer_service(&seen.cluster, &seen.names);
    let clients = build::client_service(&seen.cluster, &seen.names);
    for service in [peers, clients] {
        if let Some(problem) = owned(context, seen, "Service", &service).await? {
            seen.problems.push(problem);
        }
    }
    if let Some(problem) = owned(context, seen, "PodDisruptionBudget", &build::budget(&seen.cluster)).await? {
        seen.problems.push(problem);
    }
    retention(context, seen).await
}

/// Applies an object unless one of that name belongs to somebody else.
async fn owned<K>(context: &Context, seen: &Observed, kind: &str, wanted: &K) -> Result<Option<Problem>, Error>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + Serialize + DeserializeOwned + Debug,
    K::DynamicType: Default,
{
    let api: Api<K> = Api::namespaced(context.client.clone(), &seen.names.namespace);
    let name = wanted.name_any();
    let found = api.get_opt(&name).await?;
    if let Some(found) = &found {
        if !is_owned_by(found.meta(), seen.cluster.metadata.uid.as_deref()) {
            let message = format!("{kind} {name} is there already and not this cluster's: rename or remove it");
            return Ok(Some(Problem::new("NameTaken", message)));
        }
        if is_as(found, wanted) {
            return Ok(None);
        }
    }
    let patched = api
        .patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(wanted))
        .await;
    match patched {
        Ok(_) => Ok(None),
        // What the API server will not have is a person's to change: an immutable field, a quota.
        Err(kube::Error::Api(status)) if (400..500).contains(&status.code) && status.code != 409 => {
            let message = format!("{kind} {name}: {}", status.message);
            Ok(Some(Problem::new("Refused", message)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Every field that is wanted has its value.
fn is_as<K: Serialize>(found: &K, wanted: &K) -> bool {
    let (found, wanted) = (serde_json::to_value(found), serde_json::to_value(wanted));
    matches!((found, wanted), (Ok(found), Ok(wanted)) if holds(&found, &wanted))
}

fn holds(found: &serde_json::Value, wanted: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object};
    match (found, wanted) {
        (Object(found), Object(wanted)) => wanted
            .iter()
            .all(|(key, value)| found.get(key).is_some_and(|there| holds(there, value))),
        (Array(found), Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(there, value)| holds(there, value))
        }
        (found, wanted) => found == wanted,
    }
}

/// Volume claims go with the cluster or stay, as is declared now.
async fn retention(context: &Context, seen: &Observed) -> Result<(), Error> {
    let owners = build::owner_by_retention(&seen.cluster).unwrap_or_default();
    let api: Api<PersistentVolumeClaim> = Api::namespaced(context.client.clone(), &seen.names.namespace);
    for claim in seen.members.iter().filter_map(|member| member.volume.as_ref()) {
        let mine = |claim: &PersistentVolumeClaim| claim.owner_references().iter().any(|one| owners.contains(one));
        let as_declared = if owners.is_empty() {
            claim.owner_references().is_empty()
        } else {
            mine(claim)
        };
        if !as_declared && claim.metadata.deletion_timestamp.is_none() {
            let patch = json!({"metadata": {"ownerReferences": owners}});
            api.patch(&claim.name_any(), &PatchParams::default(), &Patch::Merge(patch))
                .await?;
        }
    }
    Ok(())
}
