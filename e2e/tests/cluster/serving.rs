//! Every member serves every call as if it were alone.

use taffrail_e2e::calls::revision;
use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::{delete, get, grant, op_put, put, range, txn, version_is, watch_range};
use taffrail_proto::etcdserverpb::kv_client::KvClient;
use taffrail_proto::etcdserverpb::{PutRequest, WatchCreateRequest};
use taffrail_proto::mvccpb::event::EventType;
use tonic::transport::Endpoint;

const MEMBERS: usize = 3;

#[tokio::test]
async fn what_one_member_acknowledged_every_member_reads() {
    let cluster = Plain::three().await;
    for writer in 0..MEMBERS {
        let written = revision(&cluster.client(writer).put(put("k", format!("{writer}"))).await.header);
        for reader in 0..MEMBERS {
            let read = cluster.client(reader).range(get("k")).await;
            assert!(revision(&read.header) >= written, "m{reader} is behind");
            assert_eq!(read.kvs[0].value, format!("{writer}"), "at m{reader}");
        }
    }
}

#[tokio::test]
async fn a_transaction_anywhere_sees_what_was_written_elsewhere() {
    let cluster = Plain::three().await;
    for writer in 0..MEMBERS {
        let version = i64::try_from(writer).unwrap();
        let step = txn(vec![version_is("k", version)], vec![op_put("k", "v")], vec![]);
        assert!(cluster.client(writer).txn(step).await.succeeded, "at m{writer}");
    }
    let removed = cluster.client(1).delete(delete("k")).await;
    assert_eq!(removed.deleted, 1);
    for reader in 0..MEMBERS {
        assert_eq!(cluster.client(reader).text("k").await, None, "at m{reader}");
    }
}

#[tokio::test]
async fn a_lease_lives_at_every_member() {
    let cluster = Plain::three().await;
    cluster.client(0).grant(grant(60, 7)).await;
    let leased = PutRequest {
        lease: 7,
        ..put("k", "v")
    };
    cluster.client(1).put(leased).await;
    for member in 0..MEMBERS {
        let client = cluster.client(member);
        assert_eq!(client.keep_alive(7).await.ttl, 60, "at m{member}");
        let left = client.time_to_live(7).await;
        assert_eq!((left.granted_ttl, left.keys.len()), (60, 1), "at m{member}");
        assert_eq!(client.lease_ids().await, [7], "at m{member}");
    }
    cluster.client(2).revoke(7).await;
    assert_eq!(cluster.client(0).text("k").await, None);
    assert_eq!(cluster.client(1).keep_alive(7).await.ttl, 0);
}

#[tokio::test]
async fn a_watch_at_a_follower_hears_the_leader_in_order() {
    const WRITES: usize = 20;
    let cluster = Plain::three().await;
    let (leader, followers) = cluster.roles().await;
    let mut stream = cluster.client(followers[0]).watch().await;
    let request = WatchCreateRequest {
        prev_kv: true,
        ..watch_range("k", "l", 0)
    };
    stream.create(request).await;
    for number in 0..WRITES {
        cluster.client(leader).put(put("k", format!("{number}"))).await;
    }
    cluster.client(leader).delete(delete("k")).await;

    let events = stream.events(WRITES + 1).await;
    for (number, event) in events.iter().take(WRITES).enumerate() {
        let value = &event.kv.as_ref().unwrap().value;
        let before = event.prev_kv.as_ref().map(|before| before.value.clone());
        assert_eq!(value, &format!("{number}"));
        assert_eq!(before, number.checked_sub(1).map(|last| format!("{last}").into()));
    }
    let last = &events[WRITES];
    assert_eq!(last.r#type(), EventType::Delete);
    assert_eq!(last.prev_kv.as_ref().unwrap().value, format!("{}", WRITES - 1));
}

#[tokio::test]
async fn all_members_agree_on_what_they_hold_and_who_they_are() {
    let cluster = Plain::three().await;
    for number in 0..30 {
        let client = cluster.client(number % MEMBERS);
        client.put(put(format!("k{number}"), "v")).await;
    }
    let newest = cluster.client(0).revision().await;
    let (leader, _) = cluster.roles().await;
    let leader_id = cluster.client(leader).member_id().await;
    let hash = cluster.client(0).hash_kv(newest).await.hash;
    for member in 0..MEMBERS {
        let client = cluster.client(member);
        assert_eq!(client.range(range("k", "l")).await.count, 30);
        assert_eq!(client.hash_kv(newest).await.hash, hash);
        let status = client.status().await;
        assert_eq!((status.leader, status.is_learner), (leader_id, false));
        assert_eq!(
            (status.raft_term, status.errors),
            (cluster.client(0).status().await.raft_term, vec![])
        );
        let mut names: Vec<_> = client.members().await.into_iter().map(|one| one.name).collect();
        names.sort();
        assert_eq!(names, ["m1", "m2", "m3"]);
    }
}

#[tokio::test]
async fn the_peer_port_answers_no_client() {
    let cluster = Plain::three().await;
    let endpoint = Endpoint::from_shared(cluster.peer_url(0)).unwrap();
    let error = KvClient::new(endpoint.connect_lazy())
        .range(get("k"))
        .await
        .unwrap_err();
    assert!(!error.message().contains("etcdserver"), "{error}");
    assert_eq!(cluster.client(0).text("k").await, None, "it serves on");
}

#[tokio::test]
async fn even_an_empty_member_has_a_size() {
    let cluster = Plain::of(1).start().await;
    assert!(cluster.client(0).status().await.db_size > 0);
}
