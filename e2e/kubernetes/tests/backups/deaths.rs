//! Whoever takes part in a backup or a restore dies in the middle of it.

use std::time::Duration;

use serde_json::{Value, json};
use taffrail_crds::{BackupPhase, EtcdBackupStatus};
use taffrail_e2e_kubernetes::bulk::{count, fill};
use taffrail_e2e_kubernetes::{Bucket, Cluster, Image, Kubernetes, Relay};

use crate::shelf::{ask, cluster, end_of, lose, namespace};

const MEBIBYTES: usize = 64;
/// Some of the object is on its way then, and much is not.
const MIDDLE_BYTES: u64 = 6 << 20;
/// How long nobody reaches the store.
const CUT_SPAN: Duration = Duration::from_secs(3);

fn spec() -> Value {
    json!({"replicas": 1, "tls": {"client": {"mode": "Disabled"}}})
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Operator,
    Member,
    Store,
    Worker,
}

async fn dies(victim: Victim, cluster: &Cluster, relay: &Relay) {
    match victim {
        Victim::Operator => {
            let kubernetes = Kubernetes::from_env().await;
            kubernetes.kill_operators().await.expect("it was there");
        }
        Victim::Member => {
            let leader = cluster.leader().await;
            cluster.signal(&leader, "KILL").await.expect("it was there");
        }
        Victim::Store => {
            relay.cuts();
            tokio::time::sleep(CUT_SPAN).await;
        }
        Victim::Worker => delete_pod(cluster, &["-l", "batch.kubernetes.io/job-name"]).await,
    }
    relay.passes();
}

async fn delete_pod(cluster: &Cluster, which: &[&str]) {
    let words = [&["delete", "pod", "--force", "--grace-period=0"], which].concat();
    cluster.namespace.kubectl(&words).await.expect("it was there");
}

/// Whoever dies meanwhile, it is stored and verified in the end.
async fn backup_without(victim: Victim, cluster: &Cluster, bucket: &Bucket) -> EtcdBackupStatus {
    let relay = bucket.relay().await;
    let name = format!("{victim:?}").to_lowercase();
    let more = json!({"verify": true, "deadlineSeconds": 120});
    ask(cluster, &name, bucket.target_by(&relay), more).await;
    relay.holds_after_sending(MIDDLE_BYTES).await;
    dies(victim, cluster, &relay).await;
    let status = end_of(&cluster.namespace, &name).await;
    println!("DEATH_DURING_BACKUP victim={name} attempts={}", status.attempts);
    assert_eq!(status.phase, BackupPhase::Succeeded, "{victim:?}: {status:#?}");
    let verified = status.verification.as_ref().and_then(|one| one.verified_at.as_ref());
    assert!(verified.is_some(), "{victim:?}: {status:#?}");
    status
}

/// The operator, the way to the store and the pod are lost one after the other while the object is fetched.
async fn restored_in_spite_of_all(cluster: Cluster, bucket: &Bucket, key: &str) -> Cluster {
    let namespace = lose(cluster).await;
    let relay = bucket.relay().await;
    let mut spec = spec();
    let source = json!({"object": {"target": bucket.target_by(&relay), "key": key}});
    spec["bootstrap"] = json!({"restore": {"source": source}});
    let again = Cluster::declare(namespace, Image::Taffrail, spec).await;
    for victim in [Victim::Operator, Victim::Store] {
        relay.holds_after_fetching(MIDDLE_BYTES).await;
        dies(victim, &again, &relay).await;
    }
    relay.holds_after_fetching(MIDDLE_BYTES).await;
    delete_pod(&again, &["safe-0-restore"]).await;
    relay.passes();
    again.settles().await;
    again
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_during_a_backup_or_a_restore_nothing_good_is_lost() {
    let cluster = cluster(namespace().await, Image::Taffrail, spec()).await;
    let bucket = Bucket::begin(&cluster.namespace).await;
    let keys = fill(&cluster, MEBIBYTES).await;
    let (mut stored, mut last) = (Vec::new(), None);
    for victim in [Victim::Operator, Victim::Member, Victim::Store, Victim::Worker] {
        last = backup_without(victim, &cluster, &bucket).await.artifact;
        let now = bucket.keys().await;
        assert!(stored.iter().all(|key| now.contains(key)), "{stored:?} {now:?}");
        stored = now;
    }
    let key = last.expect("it was stored").key;
    let again = restored_in_spite_of_all(cluster, &bucket, &key).await;
    assert_eq!(count(&again).await, keys);
}
