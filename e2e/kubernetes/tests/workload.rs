//! The checked load finds what it must, on members that nobody looks after: three pods of fixed names.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use taffrail_e2e_kubernetes::workload::{Settings, any_etcd, thorough};
use taffrail_e2e_kubernetes::{Addresses, Kubernetes, Namespace, Workload, wait};

const PATIENCE: Duration = Duration::from_secs(90);
const SERVER: &str = concat!("taffrail/server:", env!("CARGO_PKG_VERSION"));
const STOCK: &str = "etcd:3.6.14";
const NAMES: [&str; 3] = ["a", "b", "c"];

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: etcd}\n\
    spec: {clusterIP: None, publishNotReadyAddresses: true, selector: {app: etcd}, ports: [{name: client, port: 2379}]}\n---\n";

/// A member as the operator runs one: by the same command whatever the image, with its data on a volume.
fn member(name: &str, image: &str) -> String {
    let founders = NAMES.map(|name| format!("{name}=http://{name}.etcd:2380")).join(",");
    format!(
        r#"
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {name}}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: etcd}}}}
spec:
  hostname: {name}
  subdomain: etcd
  terminationGracePeriodSeconds: 5
  automountServiceAccountToken: false
  securityContext: {{runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
    - name: etcd
      image: {image}
      command: [/usr/local/bin/etcd]
      args:
        - --name={name}
        - --data-dir=/data/etcd
        - --listen-client-urls=http://0.0.0.0:2379
        - --advertise-client-urls=http://{name}.etcd:2379
        - --listen-peer-urls=http://0.0.0.0:2380
        - --initial-advertise-peer-urls=http://{name}.etcd:2380
        - --initial-cluster={founders}
        - --listen-metrics-urls=http://0.0.0.0:2381
      readinessProbe: {{httpGet: {{path: /readyz, port: 2381}}, periodSeconds: 1}}
      securityContext: {{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {{drop: [ALL]}}}}
      volumeMounts: [{{name: data, mountPath: /data}}]
  topologySpreadConstraints:
    - {{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {{matchLabels: {{app: etcd}}}}}}
  volumes: [{{name: data, persistentVolumeClaim: {{claimName: {name}}}}}]
---
"#
    )
}

async fn found(namespace: &Namespace, image: &str) {
    let members: String = NAMES.iter().map(|name| member(name, image)).collect();
    namespace
        .apply(&(SERVICE.to_owned() + &members))
        .await
        .expect("the members are valid");
    are_ready(namespace).await;
}

async fn are_ready(namespace: &Namespace) {
    let pods: Api<Pod> = namespace.api();
    let ready = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions.is_some_and(|all| all.iter().any(|it| it.type_ == "Ready" && it.status == "True"))
    };
    wait::until("all members are ready", PATIENCE, async || {
        let pods = pods.list(&Default::default()).await.ok()?.items;
        (pods.len() == NAMES.len() && pods.iter().all(ready)).then_some(())
    })
    .await;
}

async fn workload(namespace: &Namespace, settings: Settings) -> Workload {
    let addresses = Addresses::of(namespace, "app=etcd", 2379);
    Workload::start_with(move || addresses.now(), None, settings)
        .await
        .expect("a folder for the history")
}

/// One member after the other is deleted without grace and made again, while clients work.
async fn members_may_be_killed(image: &str, settings: Settings) {
    let namespace = Kubernetes::from_env().await.namespace().await;
    found(&namespace, image).await;
    let workload = workload(&namespace, settings).await;
    workload.goes_on(200, PATIENCE).await;
    for name in NAMES {
        workload.note(&format!("{name} is killed"));
        namespace
            .kubectl(&["delete", "pod", name, "--grace-period=0", "--force"])
            .await
            .expect("the pod was there");
        workload.goes_on(50, PATIENCE).await;
        namespace
            .apply(&member(name, image))
            .await
            .expect("the member is valid");
        are_ready(&namespace).await;
        workload.goes_on(50, PATIENCE).await;
    }
    let verdict = workload.stop().await.expect("the cluster answers").expect_clean();
    assert!(verdict.longest_write_pause < Duration::from_secs(15), "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_members_are_killed_in_turn() {
    members_may_be_killed(SERVER, thorough()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_for_stock_etcd() {
    members_may_be_killed(STOCK, any_etcd()).await;
}

/// The figures are those of an outage, and the verdict does not hide it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_shows_in_the_verdict() {
    let namespace = Kubernetes::from_env().await.namespace().await;
    found(&namespace, SERVER).await;
    let workload = workload(&namespace, thorough()).await;
    workload.goes_on(100, PATIENCE).await;
    namespace.kubectl(&["delete", "pod", "a", "b"]).await.unwrap();
    wait::throughout("time passes without a quorum", Duration::from_secs(3), async || true).await;
    for name in ["a", "b"] {
        namespace.apply(&member(name, SERVER)).await.unwrap();
    }
    are_ready(&namespace).await;
    workload.goes_on(100, PATIENCE).await;
    let verdict = workload.stop().await.unwrap().expect_clean();
    assert!(verdict.longest_write_pause > Duration::from_secs(3), "{verdict}");
    assert!(verdict.failed_requests > 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_load_explains_what_it_finds_from_the_first() {
    let namespace = Kubernetes::from_env().await.namespace().await;
    found(&namespace, SERVER).await;
    for _ in 0..2 {
        let workload = workload(&namespace, thorough()).await;
        workload.goes_on(150, PATIENCE).await;
        let verdict = workload.stop().await.unwrap().expect_clean();
        assert!(verdict.acknowledged >= 150, "{verdict}");
    }
}
