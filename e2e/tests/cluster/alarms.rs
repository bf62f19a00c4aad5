//! What one member raises holds for all.

use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::{delete, grant, op_put, put, txn};
use taffrail_e2e::{Client, http, wait};
use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::{AlarmMember, AlarmRequest, AlarmType};
use tonic::Code;

use taffrail_e2e::calls::assert_refused;

const FULL: &str = "mvcc: database space exceeded";

fn alarm(action: AlarmAction, member_id: u64) -> AlarmRequest {
    AlarmRequest {
        action: action.into(),
        member_id,
        alarm: AlarmType::Nospace.into(),
    }
}

async fn raised(client: &Client) -> Vec<AlarmMember> {
    client.alarm(alarm(AlarmAction::Get, 0)).await.alarms
}

#[tokio::test]
async fn nospace_at_one_member_refuses_writes_at_all() {
    // Nearly full, so that the alarm is not disarmed by a member that sees room.
    let cluster = Plain::of(3).arg("--quota-backend-bytes=20000").start().await;
    cluster.client(0).put(put("fill", vec![b'x'; 19_000])).await;
    cluster.client(1).raise_nospace().await;
    let id = cluster.client(1).member_id().await;
    for member in 0..3 {
        let client = cluster.client(member);
        wait::until("the alarm to arrive", async || {
            (raised(client).await.len() == 1).then_some(())
        })
        .await;
        assert_refused(client.kv().put(put("k", "v")).await, Code::ResourceExhausted, FULL);
        let writing = txn(vec![], vec![op_put("k", "v")], vec![]);
        assert_refused(client.kv().txn(writing).await, Code::ResourceExhausted, FULL);
        assert_refused(
            client.lease().lease_grant(grant(60, 7)).await,
            Code::ResourceExhausted,
            FULL,
        );
        client.delete(delete("nothing")).await;
        assert!(client.text("fill").await.is_some());
        assert!(
            client
                .status()
                .await
                .errors
                .iter()
                .any(|error| error.contains("NOSPACE"))
        );
        assert_eq!(http::get(&client.address(), "/health").await.status, 503);
        assert_eq!(http::get(&client.address(), "/readyz").await.status, 200);
    }
    disarming_it_anywhere_lets_all_write(&cluster, id).await;
}

async fn disarming_it_anywhere_lets_all_write(cluster: &Plain, id: u64) {
    cluster.client(2).delete(delete("fill")).await;
    let newest = cluster.client(2).revision().await;
    cluster.client(2).compact(newest).await;
    // A member that sees room again may be faster.
    cluster.client(2).alarm(alarm(AlarmAction::Deactivate, id)).await;
    for member in 0..3 {
        let client = cluster.client(member);
        wait::until("writes to be taken", async || client.kv().put(put("k", "v")).await.ok()).await;
        assert_eq!(raised(client).await, []);
    }
}

#[tokio::test]
async fn a_quota_that_is_exceeded_anywhere_is_known_everywhere() {
    let cluster = Plain::of(3).arg("--quota-backend-bytes=200000").start().await;
    let (leader, followers) = cluster.roles().await;
    let writer = cluster.client(followers[0]);
    let refused = wait::until("the quota to be exceeded", async || {
        let key = format!("k{}", writer.status().await.raft_index);
        writer.kv().put(put(key, vec![b'x'; 20_000])).await.err()
    })
    .await;
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::ResourceExhausted, format!("etcdserver: {FULL}").as_str())
    );
    for member in [leader, followers[1]] {
        let client = cluster.client(member);
        wait::until("the alarm to arrive", async || {
            (!raised(client).await.is_empty()).then_some(())
        })
        .await;
        assert_refused(client.kv().put(put("k", "v")).await, Code::ResourceExhausted, FULL);
    }
}
