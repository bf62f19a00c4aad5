//! What the other tests take for granted.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Api, ResourceExt};
use taffrail_e2e_kubernetes::{Error, Kubernetes, Namespace, run, wait};

const PATIENCE: Duration = Duration::from_secs(60);
const CLIENT: &str = concat!("taffrail/client:", env!("CARGO_PKG_VERSION"));

/// A pod as restricted pod security wants it, that serves its own name, with what else a test wants of it.
fn pod(name: &str, mounts: &str, volumes: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: web}}}}
spec:
  terminationGracePeriodSeconds: 1
  automountServiceAccountToken: false
  securityContext: {{runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
    - name: web
      image: {CLIENT}
      command: [sh, -c, "echo {name} >/www/index.html; exec httpd -f -p 8080 -h /www"]
      securityContext: {{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {{drop: [ALL]}}}}
      readinessProbe: {{httpGet: {{path: /index.html, port: 8080}}, periodSeconds: 1}}
      volumeMounts: [{{name: www, mountPath: /www}}{mounts}]
  volumes: [{{name: www, emptyDir: {{}}}}{volumes}]
---
"#
    )
}

fn claim(name: &str, size: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\n\
         spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: {size}}}}}}}\n---\n"
    )
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n---\n";

async fn is_ready(namespace: &Namespace, name: &str) {
    let pods: Api<Pod> = namespace.api();
    wait::until(&format!("pod {name} is ready"), PATIENCE, async || {
        let pod = pods.get_opt(name).await.ok()??;
        let conditions = pod.status?.conditions?;
        conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn nodes_are_ready() {
    let kubernetes = Kubernetes::from_env().await;
    let nodes: Api<Node> = Api::all(kubernetes.client.clone());
    let nodes = nodes.list(&Default::default()).await.unwrap();
    assert!(!nodes.items.is_empty());
    for node in nodes {
        let conditions = node.status.clone().unwrap_or_default().conditions.unwrap_or_default();
        assert!(
            conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True"),
            "{}",
            node.name_any()
        );
    }
}

#[tokio::test]
async fn a_pod_that_may_do_nothing_writes_to_its_volume() {
    let namespace = Kubernetes::from_env().await.namespace().await;
    let pod = pod(
        "writer",
        ", {name: data, mountPath: /data}",
        ", {name: data, persistentVolumeClaim: {claimName: data}}",
    );
    namespace.apply(&(claim("data", "1Gi") + &pod)).await.unwrap();
    is_ready(&namespace, "writer").await;
    assert_eq!(namespace.exec("writer", &["id", "-u"]).await.unwrap().trim(), "1000");
    namespace.exec("writer", &["touch", "/data/mine"]).await.unwrap();
    assert!(namespace.exec("writer", &["touch", "/not-mine"]).await.is_err());
}

#[tokio::test]
async fn a_pod_that_asks_for_too_much_is_refused() {
    let namespace = Kubernetes::from_env().await.namespace().await;
    let refused = namespace
        .kubectl(&["run", "bad", "--image", CLIENT, "--privileged"])
        .await
        .unwrap_err();
    assert!(refused.said.contains("violates PodSecurity"), "{refused}");
}

#[tokio::test]
async fn names_and_services_lead_to_pods() {
    let namespace = Kubernetes::from_env().await.namespace().await;
    namespace
        .apply(&(SERVICE.to_owned() + &pod("one", "", "")))
        .await
        .unwrap();
    is_ready(&namespace, "one").await;
    // A connection that was begun before the service led anywhere may hang: it is begun again.
    let inside = async || {
        let asked = namespace.exec("one", &["wget", "-q", "-O-", "http://web"]);
        tokio::time::timeout(Duration::from_secs(5), asked).await.ok()?.ok()
    };
    assert_eq!(
        wait::until("the service answers a pod", PATIENCE, inside).await,
        "one\n"
    );
    let address = format!("web.{}.svc.cluster.local:80", namespace.name());
    let outside = async || tokio::net::TcpStream::connect(&address).await.ok();
    wait::until("the service answers the test", PATIENCE, outside).await;
    let services: Api<Service> = namespace.api();
    assert!(services.get("web").await.unwrap().spec.unwrap().cluster_ip.is_some());
}

/// As kubectl asks for it: the kube crate would try again for minutes, for a budget answers "too many requests".
async fn evict(namespace: &Namespace, pod: &str) -> Result<String, Error> {
    let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction", namespace.name());
    let eviction = format!(r#"{{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {{"name": "{pod}"}}}}"#);
    run("kubectl", &["create", "--raw", &path, "-f", "-"], Some(&eviction)).await
}

#[tokio::test]
async fn an_eviction_waits_for_the_budget() {
    let namespace = Kubernetes::from_env().await.namespace().await;
    let budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\n\
                  spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}\n---\n";
    namespace
        .apply(&(budget.to_owned() + &pod("one", "", "") + &pod("two", "", "")))
        .await
        .unwrap();
    is_ready(&namespace, "one").await;
    is_ready(&namespace, "two").await;
    let budgets: Api<PodDisruptionBudget> = namespace.api();
    let allowed = async || {
        budgets
            .get("web")
            .await
            .ok()?
            .status
            .filter(|status| status.disruptions_allowed == Some(1))
    };
    wait::until("one may go", PATIENCE, allowed).await;
    evict(&namespace, "one").await.unwrap();
    let refused = evict(&namespace, "two").await.unwrap_err();
    assert!(refused.said.contains("disruption budget"), "{refused}");
}

#[tokio::test]
async fn a_volume_grows_while_it_is_used_and_goes_with_its_claim() {
    let namespace = Kubernetes::from_env().await.namespace().await;
    let pod = pod(
        "user",
        ", {name: data, mountPath: /data}",
        ", {name: data, persistentVolumeClaim: {claimName: data}}",
    );
    namespace.apply(&(claim("data", "1Gi") + &pod)).await.unwrap();
    is_ready(&namespace, "user").await;
    namespace.apply(&claim("data", "2Gi")).await.unwrap();
    let claims: Api<PersistentVolumeClaim> = namespace.api();
    let grown = async || {
        claims
            .get("data")
            .await
            .ok()?
            .status?
            .capacity?
            .remove("storage")
            .filter(|size| size.0 == "2Gi")
    };
    wait::until("the claim has 2Gi", PATIENCE, grown).await;
    let volume = claims.get("data").await.unwrap().spec.unwrap().volume_name.unwrap();
    namespace.kubectl(&["delete", "pod/user", "pvc/data"]).await.unwrap();
    let volumes: Api<PersistentVolume> = Api::all(namespace.kubernetes.client.clone());
    wait::until("the volume is gone", PATIENCE, async || {
        volumes.get_opt(&volume).await.ok()?.is_none().then_some(())
    })
    .await;
}
