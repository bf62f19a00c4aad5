//! What an operator costs while nothing happens. Heavy: fifty members run.

use std::time::{Duration, Instant};

use kube::Api;
use kube::api::ListParams;
use taffrail_crds::EtcdCluster;
use taffrail_e2e_kubernetes::{Image, Kubernetes, Namespace, wait};

const CLUSTERS: usize = 50;
const PATIENCE: Duration = Duration::from_secs(900);
const SPAN: Duration = Duration::from_secs(120);
/// Two operators renew or look at one Lease every few seconds, and every cluster is looked at each five minutes.
const CALLS_PER_MINUTE_MAX: f64 = 400.0;

/// Counts the requests of the operator's account alone.
const FLOW: &str = r#"
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: taffrail-operator}
spec:
  matchingPrecedence: 1000
  priorityLevelConfiguration: {name: workload-low}
  distinguisherMethod: {type: ByUser}
  rules:
    - subjects: [{kind: ServiceAccount, serviceAccount: {name: taffrail-operator, namespace: taffrail-system}}]
      resourceRules: [{verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"], clusterScope: true}]
      nonResourceRules: [{verbs: ["*"], nonResourceURLs: ["*"]}]
"#;

fn manifest(number: usize) -> String {
    format!(
        "apiVersion: etcd.taffrail.dev/v1alpha1\nkind: EtcdCluster\nmetadata: {{name: c{number}}}\n\
         spec: {{replicas: 1, image: \"{}\", storage: {{size: 64Mi}}, quota: 32Mi}}\n---\n",
        Image::Taffrail.name()
    )
}

async fn all_run(namespace: &Namespace) {
    let clusters: Api<EtcdCluster> = namespace.api();
    let runs = |one: &EtcdCluster| one.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
    wait::until("every cluster runs", PATIENCE, async || {
        let items = clusters.list(&ListParams::default()).await.ok()?.items;
        (items.len() == CLUSTERS && items.iter().all(runs)).then_some(())
    })
    .await;
}

async fn calls(kubernetes: &Kubernetes) -> f64 {
    let text = kubernetes
        .kubectl(&["get", "--raw", "/metrics"])
        .await
        .expect("the API server tells");
    let lines = text
        .lines()
        .filter(|line| line.starts_with("apiserver_flowcontrol_dispatched_requests_total"));
    let ours = lines.filter(|line| line.contains("flow_schema=\"taffrail-operator\""));
    ours.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[derive(Default, Clone, Copy)]
struct Use {
    cpu_ticks: u64,
    resident_kib: u64,
}

/// Of all operators together, from the kernel.
fn used() -> Use {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let operators = entries.map(|entry| entry.path()).filter(|path| {
        let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
        line.starts_with(b"/usr/local/bin/taffrail-operator\0")
    });
    operators.fold(Use::default(), |sum, path| {
        let stat = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let status = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        Use {
            cpu_ticks: sum.cpu_ticks + number(11) + number(12),
            resident_kib: sum.resident_kib + kib.unwrap_or(0),
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "heavy: fifty members run"]
async fn fifty_clusters_at_rest() {
    let kubernetes = Kubernetes::from_env().await;
    kubernetes.with_operator().await.expect("the operator rolls out");
    kubernetes.apply(FLOW).await.expect("the flow is valid");
    let namespace = kubernetes.namespace().await;
    let start = Instant::now();
    let manifests: String = (0..CLUSTERS).map(manifest).collect();
    namespace.apply(&manifests).await.expect("they are valid");
    all_run(&namespace).await;
    println!("FIFTY_CLUSTERS founded_in_s={}", start.elapsed().as_secs());
    let (calls_before, used_before, from) = (calls(&kubernetes).await, used(), Instant::now());
    wait::throughout("time passes at rest", SPAN, async || true).await;
    let (minutes, used_after) = (from.elapsed().as_secs_f64() / 60.0, used());
    let per_minute = (calls(&kubernetes).await - calls_before) / minutes;
    let cpu = (used_after.cpu_ticks - used_before.cpu_ticks) as f64 / 100.0 / (minutes * 60.0);
    println!(
        "FIFTY_CLUSTERS_AT_REST api_calls_per_minute={per_minute:.0} operator_cpu_cores={cpu:.3} resident_kib={}",
        used_after.resident_kib
    );
    assert!(per_minute > 0.0 && per_minute < CALLS_PER_MINUTE_MAX, "{per_minute}");
}
