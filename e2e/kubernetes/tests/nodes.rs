//! A node that loses its power. Alone in its file: other tests have pods on that node.

use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use taffrail_e2e_kubernetes::{Kubernetes, wait};

const PATIENCE: Duration = Duration::from_secs(90);
const VICTIM: &str = "node2";

async fn status_of_ready(nodes: &Api<Node>, name: &str) -> Option<String> {
    let conditions = nodes.get(name).await.ok()?.status?.conditions?;
    conditions
        .into_iter()
        .find(|condition| condition.type_ == "Ready")
        .map(|condition| condition.status)
}

#[tokio::test]
async fn a_node_without_power_is_noticed_and_comes_back() {
    let kubernetes = Kubernetes::from_env().await;
    let nodes: Api<Node> = Api::all(kubernetes.client.clone());
    if nodes.get_opt(VICTIM).await.unwrap().is_none() {
        return eprintln!("there is no {VICTIM}: kubernetes up --nodes 2");
    }
    let becomes = async |status: &str| {
        let ask = async || status_of_ready(&nodes, VICTIM).await.filter(|found| found == status);
        wait::until(&format!("Ready of {VICTIM} is {status}"), PATIENCE, ask).await
    };
    becomes("True").await;
    kubernetes.stop(VICTIM, "KILL").await.unwrap();
    becomes("Unknown").await;
    kubernetes.start(VICTIM).await.unwrap();
    becomes("True").await;
}
