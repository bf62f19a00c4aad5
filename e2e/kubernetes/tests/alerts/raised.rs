//! Which alerts were raised.

use std::path::Path;
use std::time::Duration;

use taffrail_e2e_kubernetes::{Helm, Prometheus, documented, wait};
use tempfile::TempDir;

const PORT: u16 = 29_091;
/// More than the five minutes that most rules look back: what went well before has passed by then.
const PATIENCE: Duration = Duration::from_secs(330);

pub struct Raised {
    prometheus: Prometheus,
    _rules: TempDir,
}

impl Raised {
    pub async fn watch(namespaces: &[&str]) -> Self {
        let rules = tempfile::tempdir().expect("a folder");
        for entry in std::fs::read_dir(Helm::chart("etcd-operator").join("rules")).expect("it is there") {
            let path = entry.expect("it can be read").path();
            let text = at_once(&Prometheus::file(&path));
            std::fs::write(rules.path().join(path.file_name().expect("it has one")), text).expect("written");
        }
        let config = documented(namespaces, Path::new(rules.path())).await;
        Self {
            prometheus: Prometheus::start(&config, PORT).await,
            _rules: rules,
        }
    }

    /// Returns once each of them was raised, now or since the beginning.
    pub async fn by(&self, fault: &str, alerts: &[&str]) {
        for alert in alerts {
            wait::until(&format!("{alert} is raised by this: {fault}"), PATIENCE, async || {
                self.all().await.iter().any(|name| name == alert).then_some(())
            })
            .await;
            println!("ALERT {alert}: {fault}");
        }
    }

    async fn all(&self) -> Vec<String> {
        let expression = "group by (alertname) (max_over_time(ALERTS{alertstate=\"firing\"}[1h]))";
        let series = self.prometheus.query(expression).await;
        let names = series.iter().filter_map(|one| one["metric"]["alertname"].as_str());
        names.map(str::to_owned).collect()
    }

    pub async fn tell(&self) {
        let all = self.all().await;
        println!("ALERTS_RAISED {}: {}", all.len(), all.join(" "));
    }
}

/// The same rules, but that nothing has to last.
fn at_once(rules: &str) -> String {
    let lines = rules.lines().filter(|line| !line.trim_start().starts_with("for:"));
    lines.map(|line| format!("{line}\n")).collect()
}
