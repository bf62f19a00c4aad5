//! A follower that missed more than its leader's log keeps.

use taffrail_e2e::cluster::Plain;
use taffrail_e2e::http;
use taffrail_e2e::requests::{compact, delete, everything, grant, put, watch_range};
use taffrail_e2e::wait;
use taffrail_proto::etcdserverpb::{PutRequest, RangeRequest};

const MISSED: usize = 400;

async fn with_a_small_log() -> Plain {
    let small_log = Plain::of(3)
        .arg("--snapshot-count=100")
        .arg("--snapshot-catchup-entries=10");
    small_log.start().await
}

#[tokio::test]
async fn a_follower_far_behind_comes_back_by_a_snapshot() {
    let mut cluster = with_a_small_log().await;
    let (leader, followers) = cluster.roles().await;
    let (late, ahead) = (followers[0], cluster.client(leader).clone());
    ahead.put(put("gone", "v")).await;
    let from = ahead.revision().await + 1;
    cluster.client(late).revision().await;
    cluster.kill_nine(late);
    write_what_is_missed(&ahead).await;
    let newest = ahead.revision().await;

    cluster.run_until_up(late).await;
    let client = cluster.client(late).clone();
    let mut stream = client.watch().await;
    stream.create(watch_range("k", "l", from)).await;
    let events = stream.events(MISSED).await;
    let heard: Vec<_> = events
        .iter()
        .map(|event| event.kv.as_ref().unwrap().mod_revision)
        .collect();
    assert!(heard.is_sorted() && heard.len() == MISSED, "{heard:?}");

    assert_eq!(client.revision().await, newest);
    let local = RangeRequest {
        serializable: true,
        ..everything()
    };
    assert_eq!(client.range(local.clone()).await.kvs, ahead.range(local).await.kvs);
    let (ours, theirs) = (client.hash_kv(newest).await, ahead.hash_kv(newest).await);
    assert_eq!(
        (ours.hash, ours.compact_revision),
        (theirs.hash, theirs.compact_revision)
    );
    assert_eq!(client.time_to_live(7).await.keys, ["leased"]);
    assert_got_a_snapshot(&cluster, late);
    ahead.put(put("k", "later")).await;
    assert_eq!(stream.events(1).await[0].kv.as_ref().unwrap().value, "later");
}

fn assert_got_a_snapshot(cluster: &Plain, member: usize) {
    let log = cluster.log(member);
    assert!(log.contains("applied snapshot"), "{log}");
}

async fn sends_a_snapshot(leader: &str) -> bool {
    let page = http::get(leader, "/metrics").await.body;
    let mut sends = page
        .lines()
        .filter(|line| line.starts_with("etcd_network_snapshot_send_inflights_total{"));
    sends.any(|line| line.ends_with(" 1"))
}

async fn write_what_is_missed(ahead: &taffrail_e2e::Client) {
    ahead.delete(delete("gone")).await;
    ahead.grant(grant(600, 7)).await;
    let leased = PutRequest {
        lease: 7,
        ..put("leased", "v")
    };
    ahead.put(leased).await;
    for number in 0..MISSED {
        ahead.put(put(format!("k{}", number % 50), format!("{number}"))).await;
    }
}

#[tokio::test]
async fn watchers_on_a_follower_hear_what_a_snapshot_brought() {
    let mut cluster = with_a_small_log().await;
    let (leader, followers) = cluster.roles().await;
    let (late, ahead) = (followers[0], cluster.client(leader).clone());
    let mut stream = cluster.client(late).watch().await;
    stream.create(watch_range("k", "l", 0)).await;
    // Paused, not killed: the stream lives on, and its watcher was in sync.
    cluster.pause(late);
    for number in 0..MISSED {
        ahead.put(put(format!("k{}", number % 50), format!("{number}"))).await;
    }
    // A leader keeps the entries that it has sent and that are not answered for as long as it believes in the line.
    wait::until("the leader to send a snapshot instead", async || {
        sends_a_snapshot(cluster.client_url(leader).trim_start_matches("http://"))
            .await
            .then_some(())
    })
    .await;
    cluster.resume(late);
    let events = stream.events(MISSED).await;
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.kv.as_ref().unwrap().value, format!("{number}"));
    }
    assert_got_a_snapshot(&cluster, late);
}

#[tokio::test]
async fn a_watch_from_before_a_compaction_that_was_missed_is_told() {
    let mut cluster = with_a_small_log().await;
    let (leader, followers) = cluster.roles().await;
    let (late, ahead) = (followers[0], cluster.client(leader).clone());
    cluster.kill_nine(late);
    write_what_is_missed(&ahead).await;
    let floor = ahead.revision().await - 10;
    ahead.kv().compact(compact(floor)).await.unwrap();
    cluster.run_until_up(late).await;
    let client = cluster.client(late);
    wait::until("the follower to catch up", async || {
        (client.revision().await > floor).then_some(())
    })
    .await;
    let mut stream = client.watch().await;
    stream.create(watch_range("k", "l", 2)).await;
    let told = stream.next().await;
    assert_eq!((told.canceled, told.compact_revision), (true, floor));
    let (newest, hash) = (client.revision().await, ahead.hash_kv(floor + 10).await.hash);
    assert_eq!((newest, client.hash_kv(floor + 10).await.hash), (floor + 10, hash));
}
