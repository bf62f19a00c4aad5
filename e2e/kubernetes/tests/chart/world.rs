//! One Kubernetes with helm, and an operator that helm installs.

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use taffrail_e2e_kubernetes::{Helm, Kubernetes, Namespace, OPERATOR_NAMESPACE};

const IMAGE: &str = "image.repository=taffrail/operator";
pub const RELEASE: &str = "keeper";
pub const NAME: &str = "keeper-etcd-operator";
pub const KINDS: &str = "etcdclusters.etcd.taffrail.dev";
const ROLLOUT: &str = "--timeout=180s";

/// One Kubernetes with helm, and where the operator is.
pub struct World {
    pub kubernetes: Kubernetes,
    pub helm: Helm,
    pub system: Namespace,
}

impl World {
    /// Neither an operator nor a kind is there: what other tests have left is taken away.
    pub async fn empty() -> Self {
        let kubernetes = Kubernetes::from_env().await;
        let operator = [
            "delete",
            "deployment",
            "-n",
            OPERATOR_NAMESPACE,
            "taffrail-operator",
            "--ignore-not-found",
        ];
        kubernetes.kubectl(&operator).await.expect("it goes");
        for kind in taffrail_crds::KINDS {
            let name = (kind.definition)().name_any();
            let words = ["delete", "crd", "--ignore-not-found", &name];
            kubernetes.kubectl(&words).await.expect("it goes");
        }
        let system = kubernetes.namespace().await;
        Self {
            kubernetes,
            helm: Helm::new(),
            system,
        }
    }

    /// `helm VERB keeper CHART` with the operator's image of this machine; waits until it has rolled out.
    pub async fn operator(&self, verb: &str, chart: &Path, settings: &[&str]) {
        let chart = chart.display().to_string();
        let mut words = vec![verb, RELEASE, &chart, "--set", IMAGE];
        settings.iter().for_each(|one| words.extend(["--set", one]));
        self.keeper(&words).await;
        self.rolled_out().await;
    }

    pub async fn keeper(&self, words: &[&str]) -> String {
        let mut all = words.to_vec();
        all.extend(["--namespace", self.system.name()]);
        self.helm.run(&all).await.expect("helm does it")
    }

    pub async fn rolled_out(&self) {
        let deployment = format!("deployment/{NAME}");
        let done = self.system.kubectl(&["rollout", "status", &deployment, ROLLOUT]).await;
        done.expect("the operator rolls out");
    }

    pub async fn deployment(&self) -> (i32, Vec<String>) {
        let found = self.system.api::<Deployment>().get(NAME).await.expect("it is there");
        let spec = found.spec;
        let args = spec.template.spec.expect("it has one").containers[0].args.clone();
        (spec.replicas.unwrap_or_default(), args.unwrap_or_default())
    }

    /// The columns that `kubectl get etcd` shows.
    pub async fn columns(&self) -> Vec<String> {
        let kinds: Api<CustomResourceDefinition> = Api::all(self.kubernetes.client.clone());
        let kind = kinds.get(KINDS).await.expect("the kind is there");
        let columns = kind.spec.versions[0].additional_printer_columns.clone();
        columns.unwrap_or_default().into_iter().map(|one| one.name).collect()
    }

    /// The largest Secret that helm keeps.
    pub async fn release_bytes(&self) -> usize {
        let params = ListParams::default().labels("owner=helm");
        let secrets = self
            .system
            .api::<Secret>()
            .list(&params)
            .await
            .expect("they are listed");
        let sizes = secrets
            .iter()
            .flat_map(|secret| secret.data.iter().flat_map(BTreeMap::values));
        sizes.map(|data| data.0.len()).max().unwrap_or_default()
    }
}
