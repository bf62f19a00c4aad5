//! Moving from etcd and back with a snapshot: every key, version and lease comes along.
//!
//! Needs the programs of `e2e/tools/build`; without them there is nothing to compare with.

use std::path::Path;

use taffrail_e2e::requests::{delete_range, everything, grant, put};
use taffrail_e2e::restore::{run, snapshot_tool};
use taffrail_e2e::{Member, program};
use taffrail_proto::etcdserverpb::{PutRequest, RangeRequest};

const KEYS: usize = 10_000;
const WRITERS: usize = 50;
const FLOOR: i64 = 6_000;

async fn fill(member: &Member) {
    for id in 1..=20 {
        member.grant(grant(600 + id, id)).await;
    }
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let mut kv = member.kv();
        writers.push(tokio::spawn(async move {
            for number in (writer..KEYS * 3 / 2).step_by(WRITERS) {
                let lease = if number % 100 == 0 { 1 + (number % 20) as i64 } else { 0 };
                let value = vec![number as u8; number % 700];
                let request = PutRequest {
                    lease,
                    ..put(format!("/registry/things/{}", number % KEYS), value)
                };
                kv.put(request).await.expect("the put succeeds");
            }
        }));
    }
    for writer in writers {
        writer.await.expect("the writer ends");
    }
    member
        .delete(delete_range("/registry/things/77", "/registry/things/78"))
        .await;
    member.compact(FLOOR).await;
}

async fn assert_same(one: &Member, two: &Member) {
    let (first, second) = (one.range(everything()).await, two.range(everything()).await);
    assert_eq!(
        second.kvs, first.kvs,
        "every key with value, revisions, version and lease"
    );
    assert_eq!(second.header.unwrap().revision, first.header.as_ref().unwrap().revision);
    let past = RangeRequest {
        revision: FLOOR + 1_000,
        ..everything()
    };
    assert_eq!(two.range(past.clone()).await.kvs, one.range(past).await.kvs);
    let (first, second) = (one.hash_kv(0).await, two.hash_kv(0).await);
    assert_eq!(
        (second.hash, second.compact_revision),
        (first.hash, first.compact_revision)
    );
    assert_eq!(two.lease_ids().await, one.lease_ids().await);
    for id in one.lease_ids().await {
        let (first, second) = (one.time_to_live(id).await, two.time_to_live(id).await);
        assert_eq!((second.granted_ttl, second.keys), (first.granted_ttl, first.keys));
    }
}

/// Saves with etcd's own client, restores with the tool given, starts the program given.
async fn moved(from: &Member, etcdctl: &Path, tool: &Path, program: &Path) -> Member {
    let folder = tempfile::tempdir().expect("the temp folder is writable");
    let file = folder.path().join("snapshot.db");
    run(
        etcdctl,
        &[
            "--endpoints",
            &from.address(),
            "snapshot",
            "save",
            &file.display().to_string(),
        ],
    )
    .success();
    let mut member = Member::builder().program(program).build();
    member.restore(tool, &file, &[]).success();
    member.start().await;
    member
}

#[tokio::test(flavor = "multi_thread")]
async fn to_etcd_and_back_again() {
    let tools = ["etcdctl", "etcdutl", "upstream/etcd"].map(program::tool);
    let [Some(etcdctl), Some(etcdutl), Some(etcd)] = tools else {
        return;
    };
    let (Some(our_tool), ours) = (snapshot_tool(), program::taffrail()) else {
        return;
    };
    let first = Member::fresh().await;
    fill(&first).await;
    let second = moved(&first, &etcdctl, &etcdutl, &etcd).await;
    assert_same(&first, &second).await;
    let third = moved(&second, &etcdctl, &our_tool, ours).await;
    assert_same(&first, &third).await;
}
