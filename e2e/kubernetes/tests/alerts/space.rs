//! Room that runs out, and room that is not given back.

use std::time::Duration;

use kube::Api;
use taffrail_crds::{DefragmentationPhase, EtcdDefragmentation, EtcdDefragmentationStatus};
use taffrail_e2e_kubernetes::bulk::{fill, overfill, remove};
use taffrail_e2e_kubernetes::{Cluster, PATIENCE, wait};

use crate::raised::Raised;

const REFUSALS: usize = 100;
/// From the note that a member is the next to the call itself.
const SOON: Duration = Duration::from_millis(100);
/// A member that works through hundreds of MiB is caught at it, sooner or later.
const TRIES: usize = 20;

pub async fn runs_out(raised: &Raised, small: &Cluster, stock: &Cluster) {
    fill(stock, 300).await;
    stands_still_at_work(stock).await;
    raised
        .by("a member stands still at it", &["TaffrailDefragmentationFailed"])
        .await;
    remove(stock, 180).await;
    raised
        .by("half of it was deleted", &["etcdDatabaseHighFragmentationRatio"])
        .await;
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

/// It does not answer within the second that it is given.
async fn stands_still_at_work(stock: &Cluster) {
    let tasks = stock.namespace.api::<EtcdDefragmentation>();
    let member = stock.leader().await;
    for number in 0..TRIES {
        let name = format!("still-{number}");
        let spec = "spec: {clusterRef: {name: safe}, timeoutSeconds: 1}";
        let task = format!(
            "apiVersion: etcd.taffrail.dev/v1alpha1\nkind: EtcdDefragmentation\nmetadata: {{name: {name}}}\n{spec}\n"
        );
        stock.namespace.apply(&task).await.expect("it is valid");
        while status(&tasks, &name)
            .await
            .is_none_or(|status| status.current.is_none() && status.completed_at.is_none())
        {
            tokio::time::sleep(SOON / 10).await;
        }
        tokio::time::sleep(SOON).await;
        stock.signal(&member, "STOP").await.expect("it is there");
        tokio::time::sleep(20 * SOON).await;
        stock.signal(&member, "CONT").await.expect("it is there");
        let phase = wait::until("it is over", PATIENCE, async || {
            let status = status(&tasks, &name).await?;
            status.completed_at.map(|_| status.phase)
        })
        .await;
        if phase == DefragmentationPhase::Failed {
            return;
        }
    }
    panic!("it was never caught at it");
}

async fn status(tasks: &Api<EtcdDefragmentation>, name: &str) -> Option<EtcdDefragmentationStatus> {
    tasks.get(name).await.ok()?.status
}
