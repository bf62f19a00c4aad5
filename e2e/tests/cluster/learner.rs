//! A member that catches up before it votes.

use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::{get, grant, put, watch};
use taffrail_e2e::{Client, http, wait};
use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use taffrail_proto::etcdserverpb::{MemberListRequest, RangeRequest};
use tonic::Code;

use crate::changes::{add, join, promote, promote_when_in_sync};
use taffrail_e2e::calls::assert_refused;

const REFUSED: &str = "rpc not supported for learner";
const LEARNER: usize = 1;

#[tokio::test]
async fn a_learner_answers_little_until_it_is_promoted() {
    let mut cluster = Plain::of(1).spare(1).start().await;
    cluster.client(0).put(put("k", "v")).await;
    let id = join(&mut cluster, 0, LEARNER, true).await;
    let learner = cluster.client(LEARNER);
    knows_that_it_learns(learner).await;
    refuses_what_voters_do(learner).await;
    serves_what_it_has(learner).await;

    promote_when_in_sync(cluster.client(0), id).await;
    wait::until("the member to learn that it votes", async || {
        learner.kv().range(get("k")).await.ok()
    })
    .await;
    learner.put(put("k", "w")).await;
    assert_eq!(cluster.client(0).text("k").await.as_deref(), Some("w"));
    assert!(!learner.status().await.is_learner);
    assert!(learner.members().await.iter().all(|member| !member.is_learner));
    assert_eq!(http::get(&learner.address(), "/readyz").await.status, 200);
}

async fn knows_that_it_learns(learner: &Client) {
    wait::until("the learner to know its role", async || {
        learner.status().await.is_learner.then_some(())
    })
    .await;
    let page = http::get(&learner.address(), "/readyz").await;
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(page.body.contains("[-]non_learner failed"), "{}", page.body);
    assert_eq!(http::get(&learner.address(), "/livez").await.status, 200);
}

async fn refuses_what_voters_do(learner: &Client) {
    let refused = Code::FailedPrecondition;
    assert_refused(learner.kv().put(put("k", "x")).await, refused, REFUSED);
    assert_refused(learner.kv().range(get("k")).await, refused, REFUSED);
    assert_refused(learner.lease().lease_grant(grant(60, 1)).await, refused, REFUSED);
    let list = MemberListRequest { linearizable: false };
    assert_refused(learner.cluster().member_list(list).await, refused, REFUSED);
    let mut stream = learner.watch().await;
    stream.send(RequestUnion::CreateRequest(watch("k", 0)));
    let answer = wait::for_it("the stream to end", stream.try_next()).await;
    assert_refused(answer, refused, REFUSED);
}

async fn serves_what_it_has(learner: &Client) {
    let local = RangeRequest {
        serializable: true,
        ..get("k")
    };
    wait::until("the learner to catch up", async || {
        let found = learner.range(local.clone()).await;
        found.kvs.first().filter(|kv| kv.value == "v").map(drop)
    })
    .await;
    assert!(!learner.snapshot().await.is_empty());
}

#[tokio::test]
async fn a_learner_that_is_not_in_sync_may_not_vote() {
    let cluster = Plain::of(1).spare(1).start().await;
    let (voter, url) = (cluster.client(0), cluster.peer_url(1));
    let learner = add(voter, &[&url], true).await.unwrap();
    assert_eq!((learner.name.as_str(), learner.is_learner), ("", true));
    let text = "can only promote a learner member which is in sync with leader";
    assert_refused(promote(voter, learner.id).await, Code::FailedPrecondition, text);
    let more = add(voter, &["http://127.0.0.1:1"], true).await;
    assert_refused(more, Code::FailedPrecondition, "too many learner members in cluster");
    voter.put(put("k", "v")).await;
}
