//! Enforces NetworkPolicies on every node, which Kubernetes leaves to the network's plugin.
//!
//! Pods are let reach what `networking.k8s.io/v1` says; what comes from their own node always gets through. Neither
//! `except` nor `endPort` is known here.

mod rules;

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use crate::{Kubernetes, wait};
use rules::{CHAIN, Known, rules};

const POLL: Duration = Duration::from_millis(300);

/// Follows policies and pods until [`Guard::end`].
pub struct Guard {
    kubernetes: Kubernetes,
    nodes: Vec<String>,
    task: JoinHandle<()>,
}

impl Guard {
    /// Returns once what is declared now is in force.
    pub async fn begin(kubernetes: &Kubernetes) -> Self {
        let nodes: Vec<String> = all::<Node>(kubernetes)
            .await
            .iter()
            .map(ResourceExt::name_any)
            .collect();
        let mut last = rules(&known(kubernetes).await);
        put(kubernetes, &nodes, &last).await;
        for node in &nodes {
            let jump = ["iptables", "-w", "-I", "FORWARD", "-j", CHAIN];
            kubernetes.on(node, &jump, None).await.expect("the chain is there");
        }
        let (own, places) = (kubernetes.clone(), nodes.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(POLL).await;
                let now = rules(&known(&own).await);
                if now != last {
                    put(&own, &places, &now).await;
                }
                last = now;
            }
        });
        let kubernetes = kubernetes.clone();
        Self {
            kubernetes,
            nodes,
            task,
        }
    }

    /// Everybody may talk to everybody again.
    pub async fn end(self) {
        self.task.abort();
        for node in &self.nodes {
            let words = ["iptables", "-w", "-D", "FORWARD", "-j", CHAIN];
            self.kubernetes.on(node, &words, None).await.expect("it was there");
        }
    }
}

async fn put(kubernetes: &Kubernetes, nodes: &[String], rules: &str) {
    for node in nodes {
        let words = ["iptables-restore", "-w", "--noflush"];
        let done = kubernetes.on(node, &words, Some(rules)).await;
        done.unwrap_or_else(|error| panic!("{error}\n{rules}"));
    }
}

async fn all<K>(kubernetes: &Kubernetes) -> Vec<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::all(kubernetes.client.clone());
    loop {
        match api.list(&ListParams::default()).await {
            Ok(list) => return list.items,
            Err(_) => wait::pause().await,
        }
    }
}

async fn known(kubernetes: &Kubernetes) -> Known {
    let namespaces = all::<Namespace>(kubernetes).await;
    let labels = |one: &Namespace| (one.name_any(), one.labels().clone());
    let namespaces: BTreeMap<_, _> = namespaces.iter().map(labels).collect();
    Known {
        policies: all::<NetworkPolicy>(kubernetes).await,
        pods: all::<Pod>(kubernetes).await,
        namespaces,
    }
}
