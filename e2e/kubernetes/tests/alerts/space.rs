//! Room that runs out, and room that is not given back.

use taffrail_e2e_kubernetes::Cluster;
use taffrail_e2e_kubernetes::bulk::{fill, overfill, remove};

use crate::raised::Raised;

const REFUSALS: usize = 100;

pub async fn runs_out(raised: &Raised, small: &Cluster, stock: &Cluster) {
    fill(stock, 300).await;
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
