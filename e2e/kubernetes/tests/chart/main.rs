//! The charts on a real Kubernetes: installed, upgraded, rolled back, uninstalled and installed again. Whatever happens
//! to the operator, clusters and their data stay. A program of its own: there is one operator at a time.

mod monitors;
mod policies;
mod scraped;
mod world;

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use taffrail_crds::{CLUSTER, EtcdCluster};
use taffrail_e2e_kubernetes::{Cluster, Helm, Image, PATIENCE, wait};
use world::{KINDS, NAME, RELEASE, World};

/// What a Secret may hold.
const RELEASE_BYTES_MAX: usize = 1024 * 1024;

/// What must stay the same whatever happens to the operator: the cluster, its pods, its volumes, by UID.
#[derive(Debug, PartialEq)]
struct Lasting {
    cluster: Option<String>,
    pods: Vec<(String, String)>,
    claims: Vec<(String, Option<String>)>,
}

async fn lasting(cluster: &Cluster) -> Lasting {
    let params = ListParams::default().labels(&format!("{CLUSTER}={}", cluster.name));
    let claims = cluster.namespace.api::<PersistentVolumeClaim>().list(&params).await;
    let claims = claims.expect("they are listed");
    Lasting {
        cluster: cluster.get().await.uid(),
        pods: cluster.pod_uids().await,
        claims: claims.iter().map(|one| (one.name_any(), one.uid())).collect(),
    }
}

/// As a user has one: by the other chart.
async fn with_a_cluster(world: &World) -> Cluster {
    let namespace = world.kubernetes.namespace().await;
    let image = format!("spec.image={}", Image::Taffrail.name());
    let chart = Helm::chart("etcd-cluster").display().to_string();
    let words = ["install", "demo", &chart, "-n", namespace.name(), "--set", &image];
    let more = [
        "--set",
        "spec.storage.size=1Gi,spec.options.metrics=extensive",
        "--set",
        "networkPolicy.enabled=true",
    ];
    world
        .helm
        .run(&[&words[..], &more].concat())
        .await
        .expect("helm installs it");
    let cluster = Cluster {
        namespace,
        name: "demo".into(),
        image: Image::Taffrail,
    };
    cluster.condition("Available", "True").await;
    cluster.settles().await;
    cluster
}

/// The chart before this one: its kind had a column less.
fn older(helm: &Helm) -> std::path::PathBuf {
    let chart = helm.copy("etcd-operator");
    let (about, kind) = (chart.join("Chart.yaml"), chart.join("files/crds/etcdclusters.yaml"));
    let text = std::fs::read_to_string(&about).expect("it is there");
    let older = text.replace("\nversion: 0.1.0", "\nversion: 0.0.9");
    assert_ne!(older, text);
    std::fs::write(&about, older).expect("it is a copy");
    let text = std::fs::read_to_string(&kind).expect("it is there");
    let column = "    - jsonPath: .status.leader\n      name: Leader\n      type: string\n";
    assert!(text.contains(column), "the column is written in another way");
    std::fs::write(&kind, text.replace(column, "")).expect("it is a copy");
    chart
}

async fn value(cluster: &Cluster) -> String {
    let got = cluster
        .etcdctl_as("demo-client", &["get", "kept", "--print-value-only"])
        .await;
    got.expect("it answers").trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_helm_does_clusters_and_their_data_stay() {
    let world = World::empty().await;
    monitors::what_prometheus_operator_is_given_it_understands(&world.kubernetes).await;
    let (old, new) = (older(&world.helm), Helm::chart("etcd-operator"));
    world.operator("install", &old, &[]).await;
    assert!(!world.columns().await.contains(&"Leader".to_owned()));
    let cluster = with_a_cluster(&world).await;
    let put = ["put", "kept", "yes"];
    cluster.etcdctl_as("demo-client", &put).await.expect("it answers");
    let before = lasting(&cluster).await;
    assert_eq!((before.pods.len(), before.claims.len()), (3, 3));
    let monitors = world
        .system
        .kubectl(&["get", "podmonitors,prometheusrules", "-o", "name"])
        .await;
    assert_eq!(monitors.expect("they are listed").lines().count(), 3);

    scraped::everything_is_seen(&world, &cluster).await;

    upgraded_and_rolled_back(&world, &new).await;
    assert_eq!(lasting(&cluster).await, before);
    policies::let_through_what_has_to(&world, &new, &cluster).await;

    let before = lasting(&cluster).await;
    world.keeper(&["uninstall", RELEASE, "--wait"]).await;
    gone(&world).await;
    assert_eq!(
        lasting(&cluster).await,
        before,
        "without an operator everything is there"
    );
    assert_eq!(value(&cluster).await, "yes");

    world.operator("install", &new, &[]).await;
    assert_eq!(value(&cluster).await, "yes");
    taken_over(&world, &cluster).await;
    end(&world, &cluster).await;
}

async fn upgraded_and_rolled_back(world: &World, new: &Path) {
    let changed = [
        "replicas=1",
        "logLevel=debug",
        "networkPolicy.enabled=true",
        "metricsService.enabled=true",
        "monitoring.dashboards.enabled=true",
    ];
    world.operator("upgrade", new, &changed).await;
    let (replicas, args) = world.deployment().await;
    assert_eq!(replicas, 1);
    assert!(args.contains(&"--log-level=debug".to_owned()), "{args:?}");
    assert!(
        world.columns().await.contains(&"Leader".to_owned()),
        "kinds are upgraded"
    );
    let bytes = world.release_bytes().await;
    println!("CHART release_bytes={bytes}");
    assert!(bytes > 0 && bytes < RELEASE_BYTES_MAX / 2, "{bytes}");
    world.keeper(&["rollback", RELEASE, "1"]).await;
    world.rolled_out().await;
    assert_eq!(world.deployment().await.0, 2);
    world.operator("upgrade", new, &[]).await;
}

async fn gone(world: &World) {
    wait::until("the operator has gone", PATIENCE, async || {
        let found = world.system.api::<Deployment>().get_opt(NAME).await.ok()?;
        found.is_none().then_some(())
    })
    .await;
    let kinds: Api<CustomResourceDefinition> = Api::all(world.kubernetes.client.clone());
    let kind = kinds.get(KINDS).await.expect("the kind stays");
    assert!(kind.metadata.deletion_timestamp.is_none());
}

/// The new operator does what is declared, by the chart of the cluster.
async fn taken_over(world: &World, cluster: &Cluster) {
    let chart = Helm::chart("etcd-cluster").display().to_string();
    let words = [
        "upgrade",
        "demo",
        &chart,
        "-n",
        cluster.namespace.name(),
        "--reuse-values",
    ];
    let fewer = ["--set", "spec.replicas=1"];
    world
        .helm
        .run(&[&words[..], &fewer].concat())
        .await
        .expect("helm upgrades it");
    cluster
        .reaches("one member is left", |_, status| {
            status.replicas == 1 && status.ready_replicas == 1
        })
        .await;
    assert_eq!(value(cluster).await, "yes");
}

/// The chart of the cluster leaves the cluster, unless it is told otherwise.
async fn end(world: &World, cluster: &Cluster) {
    let before = cluster.get().await.uid();
    let words = ["uninstall", "demo", "-n", cluster.namespace.name()];
    world.helm.run(&words).await.expect("helm uninstalls it");
    let still = async || {
        let found = cluster.namespace.api::<EtcdCluster>().get_opt(&cluster.name).await;
        found.is_ok_and(|found| {
            found.is_some_and(|one| one.uid() == before && one.metadata.deletion_timestamp.is_none())
        })
    };
    wait::throughout("the cluster is there", Duration::from_secs(3), still).await;
    world.keeper(&["uninstall", RELEASE, "--wait"]).await;
}
