//! The operator without its rights, and no operator.

use std::path::Path;

use taffrail_e2e_kubernetes::{Kubernetes, OPERATOR_NAMESPACE};

use crate::raised::Raised;

const RIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../operator/deploy/rbac.yaml");

pub async fn is_in_trouble(kubernetes: &Kubernetes, raised: &Raised) {
    assert!(Path::new(RIGHTS).exists());
    kubernetes
        .kubectl(&["delete", "-f", RIGHTS])
        .await
        .expect("they were there");
    let lost = ["TaffrailReconcileFailures", "TaffrailOperatorNotLeading"];
    raised.by("its rights are taken away", &lost).await;
    scaled(kubernetes, "0").await;
    raised.by("there is none", &["TaffrailOperatorAbsent"]).await;
    kubernetes
        .kubectl(&["apply", "-f", RIGHTS])
        .await
        .expect("they are valid");
    scaled(kubernetes, "2").await;
    kubernetes.operator_is_there().await.expect("it rolls out");
}

async fn scaled(kubernetes: &Kubernetes, count: &str) {
    let replicas = format!("--replicas={count}");
    let words = [
        "scale",
        "-n",
        OPERATOR_NAMESPACE,
        "deployment/taffrail-operator",
        &replicas,
    ];
    kubernetes.kubectl(&words).await.expect("it is there");
}
