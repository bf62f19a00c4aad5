//! A snapshot becomes a new member that knows all the old one knew.

use std::path::PathBuf;

use taffrail_e2e::requests::{delete, everything, get, grant, put};
use taffrail_e2e::restore::{run, snapshot_tool};
use taffrail_e2e::{Member, program};
use taffrail_proto::etcdserverpb::{PutRequest, RangeRequest};

/// A member with history, a lease and a compaction, and a snapshot of it.
async fn with_snapshot() -> (Member, tempfile::TempDir, PathBuf) {
    let member = Member::fresh().await;
    member.grant(grant(600, 7)).await;
    for number in 0..500 {
        let lease = if number % 50 == 0 { 7 } else { 0 };
        member
            .put(PutRequest {
                lease,
                ..put(format!("k{}", number % 120), format!("v{number}"))
            })
            .await;
    }
    member.delete(delete("k3")).await;
    member.compact(300).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot.db");
    member.save_snapshot(&path).await;
    (member, folder, path)
}

async fn restored(path: &std::path::Path, more: &[&str]) -> Member {
    let mut member = Member::builder().build();
    member.restore(&snapshot_tool().unwrap(), path, more).success();
    member.start().await;
    member
}

#[tokio::test]
async fn all_keys_history_and_leases_come_back() {
    let (old, _folder, path) = with_snapshot().await;
    let new = restored(&path, &[]).await;
    let (before, after) = (old.range(everything()).await, new.range(everything()).await);
    assert_eq!(
        (after.kvs, after.header.unwrap().revision),
        (before.kvs, before.header.unwrap().revision)
    );
    let past = RangeRequest {
        revision: 320,
        ..everything()
    };
    assert_eq!(new.range(past.clone()).await.kvs, old.range(past).await.kvs);
    assert!(
        new.kv()
            .range(RangeRequest {
                revision: 299,
                ..get("k1")
            })
            .await
            .is_err()
    );
    assert_eq!(new.hash_kv(0).await.hash, old.hash_kv(0).await.hash);
    assert_eq!(
        (new.lease_ids().await, new.time_to_live(7).await.keys),
        (vec![7], old.time_to_live(7).await.keys)
    );
    assert_eq!(new.put(put("k", "v")).await.header.unwrap().revision, 503);
}

#[tokio::test]
async fn a_restored_member_can_be_restarted_and_backed_up_again() {
    let (_old, folder, path) = with_snapshot().await;
    let mut new = restored(&path, &[]).await;
    new.put(put("after", "v")).await;
    let hash = new.hash_kv(0).await.hash;
    new.kill_nine();
    new.start().await;
    assert_eq!(new.hash_kv(0).await.hash, hash);
    let again = folder.path().join("again.db");
    new.save_snapshot(&again).await;
    assert_eq!(restored(&again, &[]).await.hash_kv(0).await.hash, hash);
}

#[tokio::test]
async fn a_bumped_revision_lies_above_all_that_clients_have_seen() {
    let (old, _folder, path) = with_snapshot().await;
    let new = restored(&path, &["--bump-revision=1000000", "--mark-compacted"]).await;
    let after = new.range(everything()).await;
    assert_eq!(after.header.unwrap().revision, 1_000_502);
    assert_eq!(after.kvs, old.range(everything()).await.kvs);
    assert!(
        new.kv()
            .range(RangeRequest {
                revision: 502,
                ..get("k1")
            })
            .await
            .is_err(),
        "the past is compacted"
    );
    let mut stream = new.watch().await;
    stream.create(taffrail_e2e::requests::watch("k1", 400)).await;
    assert_eq!(stream.next().await.compact_revision, 1_000_502);
    assert_eq!(new.put(put("k", "v")).await.header.unwrap().revision, 1_000_503);
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused() {
    let (_member, folder, path) = with_snapshot().await;
    let good = std::fs::read(&path).unwrap();
    let tool = snapshot_tool().unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for (what, bytes) in [
        ("flipped", &flipped[..]),
        ("without hash", &good[..good.len() - 32]),
        ("empty", &[]),
    ] {
        let file = folder.path().join("bad.db");
        std::fs::write(&file, bytes).unwrap();
        let exit = Member::builder().build().restore(&tool, &file, &[]);
        assert!(exit.code.is_some_and(|code| code != 0), "{what}: {exit:?}");
        assert!(!exit.log.contains("panicked"), "{what}: {exit:?}");
    }
    let file = folder.path().join("bad.db");
    std::fs::write(&file, &good[..good.len() - 32]).unwrap();
    Member::builder()
        .build()
        .restore(&tool, &file, &["--skip-hash-check"])
        .success();
}

#[tokio::test]
async fn an_existing_folder_is_not_overwritten() {
    let (mut member, _folder, path) = with_snapshot().await;
    member.terminate().await;
    assert_ne!(member.restore(&snapshot_tool().unwrap(), &path, &[]).code, Some(0));
    member.start().await;
}

#[tokio::test]
async fn status_counts_as_etcdutl_does() {
    let Some(etcdutl) = program::tool("etcdutl") else {
        return;
    };
    let (_member, _folder, path) = with_snapshot().await;
    let status = ["snapshot", "status", path.to_str().unwrap(), "--write-out=json"];
    let theirs = run(&etcdutl, &status).success();
    assert_eq!(run(&snapshot_tool().unwrap(), &status).success(), theirs);
}
