//! Leaders that die.

use std::time::{Duration, Instant};

use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::{get, grant, put, watch};
use taffrail_e2e::{Client, wait};
use taffrail_proto::etcdserverpb::PutRequest;

/// How long a cluster may be without leader: until the others have missed it, and elected another.
const FAILOVER: Duration = Duration::from_secs(4);

async fn write_when_possible(client: &Client, value: &'static str) {
    wait::until("writes to be taken", async || {
        client.kv().put(put("k", value)).await.ok()
    })
    .await;
}

#[tokio::test]
async fn writes_go_on_soon_after_a_leader_was_killed() {
    let mut cluster = Plain::three().await;
    let (leader, followers) = cluster.roles().await;
    cluster.client(leader).put(put("k", "before")).await;
    let killed = Instant::now();
    cluster.kill_nine(leader);
    let survivor = cluster.client(followers[0]);
    write_when_possible(survivor, "after").await;
    let took = killed.elapsed();
    assert!(took < FAILOVER, "no write for {took:?}");
    cluster.run_until_up(leader).await;
    wait::until("the old leader to be back", async || {
        let found = cluster.client(leader).kv().range(get("k")).await.ok()?.into_inner();
        (found.kvs[0].value == "after").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_watch_at_a_survivor_hears_every_write_once() {
    let mut cluster = Plain::three().await;
    let (leader, followers) = cluster.roles().await;
    let mut stream = cluster.client(followers[0]).watch().await;
    stream.create(watch("k", 0)).await;
    cluster.client(leader).put(put("k", "before")).await;
    cluster.kill_nine(leader);
    write_when_possible(cluster.client(followers[1]), "after").await;
    cluster.client(followers[0]).put(put("k", "last")).await;

    let events = stream.events(3).await;
    let mut heard: Vec<_> = events.iter().map(|event| event.kv.as_ref().unwrap()).collect();
    assert!(
        heard.is_sorted_by(|one, next| one.mod_revision < next.mod_revision),
        "{heard:?}"
    );
    // A write whose answer was lost may have been made, and then again.
    heard.dedup_by_key(|kv| kv.value.clone());
    assert_eq!(heard[0].value, "before");
    assert_eq!(heard[1].value, "after");
}

/// Gives up soon, else the lease could end while this waits for a leader.
async fn keep_alive(client: &Client) -> Option<i64> {
    let kept = tokio::time::timeout(Duration::from_secs(1), client.try_keep_alive(7)).await;
    Some(kept.ok()?.ok()?.ttl)
}

#[tokio::test]
async fn a_lease_outlives_its_leader_and_still_ends_in_time() {
    const TTL_S: i64 = 5;
    let mut cluster = Plain::three().await;
    let (leader, followers) = cluster.roles().await;
    cluster.client(leader).grant(grant(TTL_S, 7)).await;
    let leased = PutRequest {
        lease: 7,
        ..put("leased", "v")
    };
    cluster.client(leader).put(leased).await;
    cluster.kill_nine(leader);
    let survivor = cluster.client(followers[0]);
    let kept = wait::until("the lease to be kept alive", async || {
        let asked = Instant::now();
        (keep_alive(survivor).await? == TTL_S).then_some(asked)
    })
    .await;
    wait::until("the lease to end", async || {
        survivor.text("leased").await.is_none().then_some(())
    })
    .await;
    let lived = kept.elapsed();
    assert!(lived >= Duration::from_secs(TTL_S as u64), "it ended after {lived:?}");
    assert_eq!(cluster.client(followers[1]).text("leased").await, None);
}

#[tokio::test]
async fn a_member_that_is_gone_is_not_hammered() {
    const WRITES: usize = 200;
    let mut cluster = Plain::three().await;
    let (leader, followers) = cluster.roles().await;
    cluster.kill_nine(followers[0]);
    let lines_before = cluster.log(leader).lines().count();
    for _ in 0..WRITES {
        cluster.client(leader).put(put("k", "v")).await;
    }
    let lines = cluster.log(leader).lines().count() - lines_before;
    assert!(lines < WRITES, "{lines} lines while {WRITES} writes went by");
}
