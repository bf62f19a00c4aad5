//! Room that runs out, and room that is not given back.

use std::time::Duration;

use kube::Api;
use taffrail_crds::EtcdDefragmentation;
use taffrail_e2e_kubernetes::bulk::{fill, overfill, remove};
use taffrail_e2e_kubernetes::{Cluster, PATIENCE, wait};

use crate::raised::Raised;

const REFUSALS: usize = 100;
/// Longer than it is given, and shorter than its kubelet's patience.
const STOPPED: Duration = Duration::from_secs(5);
const DEFRAGMENTATION: &str = "
apiVersion: etcd.taffrail.dev/v1alpha1
kind: EtcdDefragmentation
metadata: {name: late}
spec: {clusterRef: {name: safe}, timeoutSeconds: 1}
";

pub async fn runs_out(raised: &Raised, small: &Cluster, stock: &Cluster) {
    fill(stock, 300).await;
    remove(stock, 180).await;
    raised
        .by("half of it was deleted", &["etcdDatabaseHighFragmentationRatio"])
        .await;
    defragmentation_fails(raised, stock).await;
    overfill(small, REFUSALS).await;
    let full = [
        "TaffrailNoSpace",
        "TaffrailSpaceLow",
        "etcdDatabaseQuotaLowSpace",
        "etcdExcessiveDatabaseGrowth",
        "etcdHighNumberOfFailedGRPCRequests",
    ];
    raised.by("the quota is reached", &full).await;
}

async fn defragmentation_fails(raised: &Raised, stock: &Cluster) {
    let all: Api<EtcdDefragmentation> = stock.namespace.api();
    let leader = stock.leader().await;
    stock.namespace.apply(DEFRAGMENTATION).await.expect("it is valid");
    wait::until("a member is asked", PATIENCE, async || {
        all.get("late").await.ok()?.status?.current.map(drop)
    })
    .await;
    stock.signal(&leader, "STOP").await.expect("it is there");
    tokio::time::sleep(STOPPED).await;
    stock.signal(&leader, "CONT").await.expect("it is there");
    raised
        .by("a member stands still meanwhile", &["TaffrailDefragmentationFailed"])
        .await;
}
