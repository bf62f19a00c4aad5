//! Status, hashes, alarms, snapshots.

use sha2::{Digest, Sha256};
use taffrail_e2e::Member;
use taffrail_e2e::requests::{delete, get, put};
use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::{AlarmRequest, AlarmType, DefragmentRequest, MemberListRequest};
use tonic::Code;

fn alarm(action: AlarmAction, kind: AlarmType, member_id: u64) -> AlarmRequest {
    AlarmRequest {
        action: action.into(),
        member_id,
        alarm: kind.into(),
    }
}

#[tokio::test]
async fn status_tells_version_leader_indexes_and_sizes() {
    let member = Member::fresh().await;
    member.put(put("k", vec![1; 100_000])).await;
    let status = member.status().await;
    let header = status.header.unwrap();
    assert!(status.version.starts_with("3."), "{}", status.version);
    assert_eq!((status.leader, status.is_learner), (header.member_id, false));
    assert!(status.raft_index >= status.raft_applied_index && status.raft_applied_index > 0 && status.raft_term > 0);
    assert!(status.db_size_in_use > 0 && status.db_size >= status.db_size_in_use);
    assert_eq!(status.db_size_quota, 2 << 30);
    assert_eq!(status.errors.len(), 0);
}

#[tokio::test]
async fn the_members_are_listed_with_their_addresses() {
    let member = Member::fresh().await;
    let listed = member
        .cluster()
        .member_list(MemberListRequest { linearizable: true })
        .await
        .unwrap()
        .into_inner();
    let header = listed.header.unwrap();
    assert_eq!(
        (listed.members.len(), listed.members[0].id, header.revision),
        (1, header.member_id, 0)
    );
    assert_eq!(listed.members[0].name, "m1");
    assert_eq!(listed.members[0].client_ur_ls, [format!("http://{}", member.address())]);
}

#[tokio::test]
async fn equal_contents_have_equal_hashes() {
    let (one, two) = (Member::fresh().await, Member::fresh().await);
    for member in [&one, &two] {
        for number in 0..50 {
            member.put(put(format!("k{}", number % 20), format!("v{number}"))).await;
        }
        member.delete(delete("k3")).await;
    }
    let (first, second) = (one.hash_kv(0).await, two.hash_kv(0).await);
    assert_eq!(
        (first.hash, first.hash_revision, first.compact_revision),
        (second.hash, 52, -1)
    );
    assert_ne!(one.hash_kv(40).await.hash, first.hash);
    one.compact(30).await;
    two.compact(30).await;
    assert_eq!(one.hash_kv(0).await.compact_revision, 30);
    assert_eq!(one.hash_kv(0).await.hash, two.hash_kv(0).await.hash);
}

#[tokio::test]
async fn the_nospace_alarm_stops_growth_until_it_is_disarmed() {
    let member = Member::nearly_full().await;
    member.put(put("k", "v")).await;
    let id = member.status().await.header.unwrap().member_id;
    member.raise_nospace().await;
    let refused = member.kv().put(put("k", "w")).await.unwrap_err();
    let expected = (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded");
    assert_eq!((refused.code(), refused.message()), expected);
    assert_eq!(member.range(get("k")).await.count, 1);
    assert_eq!(member.status().await.errors.len(), 1);
    assert_eq!(
        member
            .alarm(alarm(AlarmAction::Get, AlarmType::None, 0))
            .await
            .alarms
            .len(),
        1
    );
    member.delete(delete("k")).await;
    assert_eq!(
        member
            .alarm(alarm(AlarmAction::Deactivate, AlarmType::Nospace, id))
            .await
            .alarms
            .len(),
        1
    );
    member.put(put("k", "w")).await;
}

#[tokio::test]
async fn a_snapshot_ends_with_the_sha256_of_all_before_it() {
    let member = Member::fresh().await;
    for number in 0..200 {
        member.put(put(format!("k{number}"), vec![7; 1000])).await;
    }
    let mut messages = member.snapshot().await;
    let last = messages.pop().unwrap();
    assert_eq!((last.blob.len(), last.remaining_bytes), (32, 0));
    let data: Vec<u8> = messages.iter().flat_map(|message| message.blob.to_vec()).collect();
    assert_eq!(Sha256::digest(&data).as_slice(), &last.blob[..]);
    assert_eq!(data.len() % 4096, 0);
    let mut sent = 0;
    for message in &messages {
        sent += message.blob.len() as u64;
        assert_eq!(message.remaining_bytes, data.len() as u64 - sent);
    }
}

#[tokio::test]
async fn defragmenting_changes_nothing_a_client_sees() {
    let member = Member::fresh().await;
    member.put(put("k", "v")).await;
    let before = member.hash_kv(0).await.hash;
    assert!(
        member
            .maintenance()
            .defragment(DefragmentRequest {})
            .await
            .unwrap()
            .into_inner()
            .header
            .is_none()
    );
    assert_eq!(member.hash_kv(0).await.hash, before);
}
