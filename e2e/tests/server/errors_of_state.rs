//! What a member answers because of the state that it or its cluster is in, with etcd's code and text.

use taffrail_e2e::calls::assert_refused;
use taffrail_e2e::requests::{get, put, watch};
use taffrail_e2e::{Member, wait};
use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::downgrade_request::DowngradeAction;
use taffrail_proto::etcdserverpb::{AlarmRequest, AlarmType, DowngradeRequest};
use tonic::Code;

#[tokio::test]
async fn a_corrupt_cluster_takes_no_writes() {
    let member = Member::fresh().await;
    let alarm = AlarmRequest {
        action: AlarmAction::Activate.into(),
        member_id: member.status().await.header.unwrap().member_id,
        alarm: AlarmType::Corrupt.into(),
    };
    member.maintenance().alarm(alarm).await.unwrap();
    assert_refused(member.kv().put(put("k", "v")).await, Code::DataLoss, "corrupt cluster");
}

#[tokio::test]
async fn one_downgrade_at_a_time() {
    let member = Member::fresh().await;
    let enable = || DowngradeRequest {
        action: DowngradeAction::Enable.into(),
        version: "3.5.0".into(),
    };
    let mut maintenance = member.maintenance();
    wait::until("the cluster's version to be decided", async || {
        maintenance.downgrade(enable()).await.ok()
    })
    .await;
    let again = maintenance.downgrade(enable()).await;
    assert_refused(
        again,
        Code::FailedPrecondition,
        "cluster has a downgrade job in progress",
    );
}

#[tokio::test]
async fn a_member_that_stops_says_so_on_its_streams() {
    let mut member = Member::fresh().await;
    let mut stream = member.watch().await;
    stream.create(watch("k", 0)).await;
    member.signal("TERM");
    let end = wait::for_it("the stream to end", stream.try_next()).await;
    assert_refused(end, Code::Unavailable, "server stopped");
    // Requests that are on their way are still answered; then there is nobody.
    wait::until("requests to be refused", async || {
        member.kv().range(get("k")).await.is_err().then_some(())
    })
    .await;
    assert_eq!(member.exit().await.code.unwrap_or(0), 0);
}
