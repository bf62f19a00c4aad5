//! What Prometheus Operator is given.

use taffrail_e2e_kubernetes::{Helm, Kubernetes};

/// The kinds of Prometheus Operator, as it publishes them.
pub async fn what_prometheus_operator_is_given_it_understands(kubernetes: &Kubernetes) {
    let kinds = std::env::var("TAFFRAIL_TOOLS").unwrap_or_else(|_| "../../target/tools/bin".into()) + "/monitoring";
    kubernetes
        .kubectl(&["apply", "--server-side", "-f", &kinds])
        .await
        .expect("they are valid");
    for kind in ["podmonitors", "servicemonitors", "prometheusrules"] {
        let name = format!("crd/{kind}.monitoring.coreos.com");
        let words = ["wait", "--for=condition=Established", &name, "--timeout=60s"];
        kubernetes.kubectl(&words).await.expect("it is served");
    }
    let (helm, namespace) = (Helm::new(), kubernetes.namespace().await);
    let chart = Helm::chart("etcd-operator").display().to_string();
    for scraped in ["PodMonitor", "ServiceMonitor"] {
        let (operator, members) = (
            format!("monitoring.operator={scraped}"),
            format!("monitoring.members={scraped}"),
        );
        let asked = [
            "template",
            "keeper",
            &chart,
            "-n",
            namespace.name(),
            "--set",
            "crds.install=false",
        ];
        let asked = [&asked[..], &["--set", &operator, "--set", &members, "--dry-run=server"]].concat();
        let text = helm.run(&asked).await.expect("it is rendered");
        assert_eq!(
            text.matches(&format!("\nkind: {scraped}\n")).count(),
            2,
            "auto finds them"
        );
        let given = namespace
            .kubernetes
            .apply_strictly(&text)
            .await
            .expect("every field is known");
        assert!(
            given.contains("prometheusrule.monitoring.coreos.com/keeper-etcd-operator"),
            "{given}"
        );
    }
}
