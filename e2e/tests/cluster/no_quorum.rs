//! A member whose companions are gone.

use taffrail_e2e::client::demanding_leader;
use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::{get, put, watch};
use taffrail_e2e::{Client, http, wait};
use taffrail_proto::etcdserverpb::{MemberListRequest, RangeRequest};
use tonic::{Code, Response, Status};

use taffrail_e2e::calls::assert_refused;

const NO_LEADER: &str = "no leader";

#[tokio::test]
async fn without_a_majority_only_local_reads_are_answered() {
    let mut cluster = Plain::three().await;
    let (leader, followers) = cluster.roles().await;
    cluster.client(leader).put(put("k", "v")).await;
    wait::until("the follower to have it", async || {
        let found = cluster.client(followers[0]).range(local("k")).await;
        (found.count == 1).then_some(())
    })
    .await;
    cluster.kill_nine(leader);
    cluster.kill_nine(followers[1]);
    let alone = cluster.client(followers[0]);
    wait::until("the leader to be missed", async || {
        (alone.status().await.leader == 0).then_some(())
    })
    .await;
    assert_eq!(alone.range(local("k")).await.kvs[0].value, "v");
    tells_that_it_has_no_leader(alone).await;
    times_out(alone).await;
}

fn local(key: &'static str) -> RangeRequest {
    RangeRequest {
        serializable: true,
        ..get(key)
    }
}

async fn tells_that_it_has_no_leader(alone: &Client) {
    assert!(
        alone
            .status()
            .await
            .errors
            .contains(&"etcdserver: no leader".to_owned())
    );
    let at_once = alone.kv().range(demanding_leader(get("k"))).await;
    assert_refused(at_once, Code::Unavailable, NO_LEADER);
    let address = alone.address();
    let health = http::get(&address, "/health").await;
    let expected = r#"{"health":"false","reason":"RAFT NO LEADER"}"#;
    assert_eq!((health.status, health.body.trim_end()), (503, expected));
    assert_eq!(http::get(&address, "/health?serializable=true").await.status, 200);
    assert_eq!(http::get(&address, "/livez").await.status, 200);
    assert_eq!(http::get(&address, "/readyz/serializable_read").await.status, 200);
    let metrics = http::get(&address, "/metrics").await.body;
    for line in ["etcd_server_has_leader 0", "etcd_server_is_leader 0"] {
        assert!(metrics.lines().any(|told| told == line), "no {line}");
    }
}

/// All at once, as each takes as long as a request may.
async fn times_out(alone: &Client) {
    let list = MemberListRequest { linearizable: true };
    let (mut kv, mut writer, mut cluster) = (alone.kv(), alone.kv(), alone.cluster());
    let (address, path) = (alone.address(), "/readyz");
    let (read, written, listed, ready) = tokio::join!(
        kv.range(get("k")),
        writer.put(put("k", "w")),
        cluster.member_list(list),
        http::get(&address, path),
    );
    assert_timed_out("range", read);
    assert_timed_out("put", written);
    assert_timed_out("member list", listed);
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("[-]linearizable_read failed"), "{}", ready.body);
}

fn assert_timed_out<T: std::fmt::Debug>(what: &str, answer: Result<Response<T>, Status>) {
    let error = answer.expect_err("nobody else is there");
    assert_eq!(error.code(), Code::Unavailable, "{what}: {error}");
    assert!(error.message().starts_with("etcdserver: request timed out"), "{error}");
}

#[tokio::test]
async fn streams_that_demand_a_leader_end_when_it_is_lost_and_others_live_on() {
    let mut cluster = Plain::three().await;
    let (leader, followers) = cluster.roles().await;
    let alone = cluster.client(followers[0]).clone();
    let (mut led, mut patient) = (alone.watch_with_leader().await, alone.watch().await);
    led.create(watch("k", 0)).await;
    patient.create(watch("k", 0)).await;
    cluster.kill_nine(leader);
    cluster.kill_nine(followers[1]);

    let end = wait::for_it("the stream to end", led.try_next()).await;
    assert_refused(end, Code::Unavailable, NO_LEADER);
    let mut another = alone.watch_with_leader().await;
    let refused = wait::for_it("the stream to be refused", another.try_next()).await;
    assert_refused(refused, Code::Unavailable, NO_LEADER);

    cluster.run(leader);
    wait::until("a majority to be back", async || {
        alone.kv().put(put("k", "v")).await.ok()
    })
    .await;
    assert_eq!(patient.events(1).await[0].kv.as_ref().unwrap().value, "v");
}
