//! Volumes grow while members run.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
use taffrail_crds::bytes_of;

use super::super::observe::Observed;
use super::{Phase, Plan, Step};

pub fn grow(seen: &Observed) -> Option<Plan> {
    let wanted = &seen.cluster.spec.storage.size;
    let claims = seen.members.iter().filter_map(|member| member.volume.as_ref());
    let small = claims.into_iter().find(|claim| asked_for(claim) < bytes_of(wanted))?;
    let step = Step::GrowVolume {
        claim: small.name_any(),
        size: wanted.clone(),
    };
    Some(Plan::new(
        Phase::Updating,
        step,
        format!("{} grows to {wanted}", small.name_any()),
    ))
}

fn asked_for(claim: &PersistentVolumeClaim) -> Option<u64> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    bytes_of(&requests.get("storage")?.0)
}

/// It was asked to grow and has not grown yet.
pub fn capacity_is_behind(claim: &PersistentVolumeClaim) -> bool {
    capacity(claim).is_some_and(|bytes| Some(bytes) < asked_for(claim))
}

/// What the volume has, as Kubernetes says.
fn capacity(claim: &PersistentVolumeClaim) -> Option<u64> {
    bytes_of(&claim.status.as_ref()?.capacity.as_ref()?.get("storage")?.0)
}
