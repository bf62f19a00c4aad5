//! A cluster under checked load, from its first member to its last, and what each change to it costs its clients.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::{Cluster, Image, PATIENCE};
use crate::workload::{Verdict, Workload, any_etcd, thorough};
use crate::{Addresses, Kubernetes, Speech};

/// Where the figures go, one line each.
const FIGURES: &str = "../../target/e2e-pauses.txt";

pub struct Life {
    pub cluster: Cluster,
    pub workload: Workload,
}

impl Life {
    /// An operator, a namespace, a cluster that is as declared, and clients at work on it.
    pub async fn begin(image: Image, spec: Value) -> Self {
        let kubernetes = Kubernetes::from_env().await;
        kubernetes.with_operator().await.expect("the operator rolls out");
        let cluster = Cluster::declare(kubernetes.namespace().await, image, spec).await;
        cluster.settles().await;
        Self::of(cluster).await
    }

    /// Clients find voters by their pods, and certificates in the client Secret.
    pub async fn of(cluster: Cluster) -> Self {
        let selector = format!(
            "etcd.taffrail.dev/cluster={},etcd.taffrail.dev/role=voter",
            cluster.name
        );
        let addresses = Addresses::of(&cluster.namespace, &selector, 2379);
        let speech = Speech::of(&cluster.namespace, &format!("{}-client", cluster.name)).await;
        let settings = match cluster.image {
            Image::Taffrail => thorough(),
            Image::Stock => any_etcd(),
        };
        let started = Workload::start_speaking(move || addresses.now(), move || speech.now(), settings).await;
        let workload = started.expect("the cluster answers");
        workload.goes_on(100, PATIENCE).await;
        Self { cluster, workload }
    }

    /// Does it, waits until clients get answers after it, and writes down how long nobody could write.
    pub async fn during<T>(&self, operation: &str, work: impl Future<Output = T>) -> T {
        self.workload.note(operation);
        self.workload.take_longest_write_pause();
        let done = work.await;
        self.workload.goes_on(60, PATIENCE).await;
        tell(operation, self.cluster.image, self.workload.take_longest_write_pause());
        done
    }

    /// Changes the spec and waits until all is as declared.
    pub async fn change(&self, operation: &str, spec: Value) {
        self.during(operation, async {
            self.cluster.change(spec).await;
            self.cluster.settles().await
        })
        .await;
    }

    /// Panics if a promise was broken.
    pub async fn end(self) {
        drop(self.verdict().await);
    }

    /// Panics if a promise was broken.
    pub async fn verdict(self) -> Verdict {
        let verdict = self.workload.stop().await.expect("the cluster answers at the end");
        assert!(
            verdict.is_clean,
            "{}: {}",
            self.cluster.namespace.name(),
            verdict.report
        );
        println!("{verdict}");
        verdict
    }
}

/// One line on the output, the same line in a file that outlives the run.
fn tell(operation: &str, image: Image, pause: Duration) {
    let image = format!("{image:?}").to_lowercase();
    let line = format!(
        "LONGEST_WRITE_PAUSE operation={operation} image={image} ms={}",
        pause.as_millis()
    );
    println!("{line}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FIGURES);
    let file = OpenOptions::new().create(true).append(true).open(&path);
    if let Err(error) = file.and_then(|mut file| writeln!(file, "{line}")) {
        eprintln!("{}: {error}", path.display());
    }
}
