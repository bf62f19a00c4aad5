//! How many voters a drain must leave standing.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use taffrail_crds::{CLUSTER, EtcdCluster, ROLE};

use super::meta;

/// A quorum of the voters that are declared: of those that there happen to be would let a cluster be drained away
/// while it is being replaced. A single member may be evicted: nothing could ever be drained otherwise.
pub fn budget(cluster: &EtcdCluster) -> PodDisruptionBudget {
    let least = match cluster.spec.replicas {
        0 | 1 => 0,
        replicas => replicas / 2 + 1,
    };
    let voters = [
        (CLUSTER.to_owned(), cluster.name_any()),
        (ROLE.to_owned(), "voter".into()),
    ];
    PodDisruptionBudget {
        metadata: meta(cluster, cluster.name_any()),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(least)),
            selector: Some(LabelSelector {
                match_labels: Some(voters.into()),
                ..LabelSelector::default()
            }),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}
