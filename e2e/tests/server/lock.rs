//! Locks by name.

use std::time::Duration;

use taffrail_e2e::requests::{delete, grant, range};
use taffrail_e2e::{Client, Member, calls::revision, wait};
use taffrail_proto::v3lockpb::{LockRequest, LockResponse, UnlockRequest};
use tokio::task::JoinHandle;
use tonic::{Code, Status};

type Locked = Result<LockResponse, Status>;

async fn lock(client: Client, lease: i64) -> Locked {
    let request = LockRequest {
        name: "l".into(),
        lease,
    };
    Ok(client.lock().lock(request).await?.into_inner())
}

/// A caller that waits, and is known to be in line.
async fn in_line(member: &Member, lease: i64) -> JoinHandle<Locked> {
    let waiting = tokio::spawn(lock((**member).clone(), lease));
    wait::until("the waiter to be in line", async || {
        keys(member).await.contains(&format!("l/{lease:x}")).then_some(())
    })
    .await;
    waiting
}

async fn keys(member: &Member) -> Vec<String> {
    let found = member.range(range("l/", "l0")).await;
    found
        .kvs
        .iter()
        .map(|kv| String::from_utf8_lossy(&kv.key).into_owned())
        .collect()
}

async fn unlock(member: &Member, key: &str) {
    let request = UnlockRequest {
        key: key.to_owned().into(),
    };
    member.lock().unlock(request).await.unwrap();
}

async fn leases(member: &Member, ids: &[i64]) {
    for id in ids {
        member.grant(grant(600, *id)).await;
    }
}

#[tokio::test]
async fn waiters_are_let_in_one_at_a_time_in_the_order_they_came() {
    let member = Member::fresh().await;
    leases(&member, &[0xa, 0xb, 0xc, 0xd]).await;
    let first = lock((*member).clone(), 0xb).await.unwrap();
    assert_eq!((first.key, revision(&first.header)), ("l/b".into(), 2));
    let mut waiting = Vec::new();
    for lease in [0xd, 0xa, 0xc] {
        waiting.push(in_line(&member, lease).await);
    }
    let mut holder = "l/b".to_owned();
    for (place, waiter) in waiting.into_iter().enumerate() {
        assert!(!waiter.is_finished(), "waiter {place} must wait for {holder}");
        unlock(&member, &holder).await;
        let locked = wait::for_it("the next waiter", waiter).await.unwrap().unwrap();
        holder = String::from_utf8_lossy(&locked.key).into_owned();
    }
    assert_eq!(holder, "l/c");
    assert_eq!(keys(&member).await, ["l/c"]);
}

#[tokio::test]
async fn who_has_the_lock_gets_it_again() {
    let member = Member::fresh().await;
    leases(&member, &[7]).await;
    let first = lock((*member).clone(), 7).await.unwrap();
    let again = lock((*member).clone(), 7).await.unwrap();
    assert_eq!(first.key, again.key);
    assert_eq!(revision(&again.header), 2);
}

#[tokio::test]
async fn a_waiter_whose_lease_ended_is_refused_at_once() {
    let member = Member::fresh().await;
    leases(&member, &[1, 2]).await;
    lock((*member).clone(), 1).await.unwrap();
    let waiter = in_line(&member, 2).await;
    member.revoke(2).await;
    let refused = wait::for_it("the waiter to be refused", waiter)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::Unknown, "mutex: session is expired")
    );
    assert_eq!(keys(&member).await, ["l/1"]);
}

/// Both ends of the line go in one revision: the one behind has no turn any more.
#[tokio::test]
async fn a_waiter_that_loses_its_key_with_the_holder_is_refused() {
    let member = Member::fresh().await;
    leases(&member, &[1, 2]).await;
    lock((*member).clone(), 1).await.unwrap();
    let waiter = in_line(&member, 2).await;
    member.delete(taffrail_e2e::requests::delete_range("l/", "l0")).await;
    let refused = wait::for_it("the waiter to be refused", waiter)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(refused.message(), "mutex: session is expired");
}

#[tokio::test]
async fn a_waiter_that_leaves_takes_its_key_along() {
    let member = Member::fresh().await;
    leases(&member, &[1, 2, 3]).await;
    lock((*member).clone(), 1).await.unwrap();
    let leaving = in_line(&member, 2).await;
    let staying = in_line(&member, 3).await;
    leaving.abort();
    wait::until("the key to go", async || {
        (keys(&member).await == ["l/1", "l/3"]).then_some(())
    })
    .await;
    unlock(&member, "l/1").await;
    let locked = wait::for_it("the next waiter", staying).await.unwrap().unwrap();
    assert_eq!(locked.key, "l/3");
}

#[tokio::test]
async fn a_lock_without_lease_gets_one() {
    let member = Member::fresh().await;
    let locked = lock((*member).clone(), 0).await.unwrap();
    let lease = member.lease_ids().await[0];
    assert_eq!(locked.key, format!("l/{lease:x}"));
    assert_eq!(member.time_to_live(lease).await.granted_ttl, 60);
}

#[tokio::test]
async fn errors_lose_their_code_as_they_do_in_etcd() {
    let member = Member::fresh().await;
    let refused = lock((*member).clone(), 99).await.unwrap_err();
    let expected = (Code::Unknown, "etcdserver: requested lease not found");
    assert_eq!((refused.code(), refused.message()), expected);
    let refused = member.lock().unlock(UnlockRequest::default()).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::Unknown, "etcdserver: key is not provided")
    );
}

#[tokio::test]
async fn waiting_ends_with_the_member() {
    let mut member = Member::fresh().await;
    leases(&member, &[1, 2]).await;
    lock((*member).clone(), 1).await.unwrap();
    let waiter = in_line(&member, 2).await;
    let exit = tokio::time::timeout(Duration::from_secs(20), member.terminate()).await;
    assert!(exit.is_ok(), "the member waits for its waiters");
    assert!(waiter.await.unwrap().is_err());
}

#[tokio::test]
async fn a_holder_that_is_deleted_by_hand_makes_room() {
    let member = Member::fresh().await;
    leases(&member, &[1, 2]).await;
    lock((*member).clone(), 1).await.unwrap();
    let waiter = in_line(&member, 2).await;
    member.delete(delete("l/1")).await;
    assert_eq!(wait::for_it("the waiter", waiter).await.unwrap().unwrap().key, "l/2");
}
