//! Elections by name.

use taffrail_e2e::requests::grant;
use taffrail_e2e::{Client, Member, calls::revision, wait};
use taffrail_proto::v3electionpb::{
    CampaignRequest, CampaignResponse, LeaderKey, LeaderRequest, LeaderResponse, ProclaimRequest, ResignRequest,
};
use tonic::{Code, Status, Streaming};

async fn campaign(client: Client, lease: i64, value: &'static str) -> Result<CampaignResponse, Status> {
    let request = CampaignRequest {
        name: "e".into(),
        lease,
        value: value.into(),
    };
    Ok(client.election().campaign(request).await?.into_inner())
}

async fn win(member: &Member, lease: i64, value: &'static str) -> LeaderKey {
    let won = campaign((**member).clone(), lease, value).await.unwrap();
    won.leader.unwrap()
}

async fn leader(member: &Member) -> Result<LeaderResponse, Status> {
    let request = LeaderRequest { name: "e".into() };
    Ok(member.election().leader(request).await?.into_inner())
}

async fn proclaim(member: &Member, leader: &LeaderKey, value: &'static str) -> Result<(), Status> {
    let request = ProclaimRequest {
        leader: Some(leader.clone()),
        value: value.into(),
    };
    member.election().proclaim(request).await.map(drop)
}

async fn resign(member: &Member, leader: LeaderKey) {
    let request = ResignRequest { leader: Some(leader) };
    member.election().resign(request).await.unwrap();
}

async fn observe(member: &Member) -> Streaming<LeaderResponse> {
    let request = LeaderRequest { name: "e".into() };
    member.election().observe(request).await.unwrap().into_inner()
}

async fn heard(stream: &mut Streaming<LeaderResponse>) -> String {
    let response = wait::for_it("a leader", stream.message()).await.unwrap().unwrap();
    let kv = response.kv.unwrap();
    assert!(revision(&response.header) >= kv.mod_revision);
    format!(
        "{}={}",
        String::from_utf8_lossy(&kv.key),
        String::from_utf8_lossy(&kv.value)
    )
}

#[tokio::test]
async fn one_leads_until_it_resigns() {
    let member = Member::fresh().await;
    member.grant(grant(600, 1)).await;
    member.grant(grant(600, 2)).await;
    let first = win(&member, 1, "one").await;
    let expected = LeaderKey {
        name: "e".into(),
        key: "e/1".into(),
        rev: 2,
        lease: 1,
    };
    assert_eq!(first, expected);
    let second = tokio::spawn(campaign((*member).clone(), 2, "two"));
    wait::until("the second to be in line", async || member.text("e/2").await).await;
    assert_eq!(leader(&member).await.unwrap().kv.unwrap().value, "one");
    resign(&member, first).await;
    let second = wait::for_it("the second to win", second).await.unwrap().unwrap();
    assert_eq!(second.leader.unwrap().rev, 3);
    assert_eq!(leader(&member).await.unwrap().kv.unwrap().value, "two");
}

#[tokio::test]
async fn only_the_leader_proclaims() {
    let member = Member::fresh().await;
    member.grant(grant(600, 1)).await;
    let first = win(&member, 1, "one").await;
    proclaim(&member, &first, "more").await.unwrap();
    assert_eq!(leader(&member).await.unwrap().kv.unwrap().value, "more");
    let stranger = LeaderKey {
        rev: 1,
        ..first.clone()
    };
    let refused = proclaim(&member, &stranger, "x").await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::Unknown, "election: not leader")
    );
    // To resign from what one does not have is no error.
    resign(&member, stranger).await;
    assert_eq!(leader(&member).await.unwrap().kv.unwrap().value, "more");
    resign(&member, first).await;
    let none = leader(&member).await.unwrap_err();
    assert_eq!((none.code(), none.message()), (Code::Unknown, "election: no leader"));
}

#[tokio::test]
async fn a_leader_that_campaigns_again_says_its_new_value() {
    let member = Member::fresh().await;
    member.grant(grant(600, 1)).await;
    let first = win(&member, 1, "one").await;
    assert_eq!(win(&member, 1, "two").await, first);
    assert_eq!(leader(&member).await.unwrap().kv.unwrap().value, "two");
}

#[tokio::test]
async fn a_candidate_whose_lease_ended_does_not_win() {
    let member = Member::fresh().await;
    member.grant(grant(600, 1)).await;
    member.grant(grant(600, 2)).await;
    win(&member, 1, "one").await;
    let second = tokio::spawn(campaign((*member).clone(), 2, "two"));
    wait::until("the second to be in line", async || member.text("e/2").await).await;
    member.revoke(2).await;
    let refused = wait::for_it("the second to be refused", second)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(refused.message(), "election: not leader");
}

#[tokio::test]
async fn observers_hear_every_leader_and_what_it_says() {
    let member = Member::fresh().await;
    for lease in [1, 2] {
        member.grant(grant(600, lease)).await;
    }
    let mut early = observe(&member).await;
    let first = win(&member, 1, "a").await;
    assert_eq!(heard(&mut early).await, "e/1=a");
    let mut late = observe(&member).await;
    assert_eq!(heard(&mut late).await, "e/1=a");
    proclaim(&member, &first, "b").await.unwrap();
    let second = tokio::spawn(campaign((*member).clone(), 2, "c"));
    wait::until("the second to be in line", async || member.text("e/2").await).await;
    member.revoke(1).await;
    second.await.unwrap().unwrap();
    for stream in [&mut early, &mut late] {
        assert_eq!(heard(stream).await, "e/1=b");
        assert_eq!(heard(stream).await, "e/2=c");
    }
    member.revoke(2).await;
    member.grant(grant(600, 3)).await;
    win(&member, 3, "d").await;
    assert_eq!(heard(&mut early).await, "e/3=d");
}

#[tokio::test]
async fn the_leader_must_be_named() {
    let member = Member::fresh().await;
    let proclaimed = member
        .election()
        .proclaim(ProclaimRequest::default())
        .await
        .unwrap_err();
    let resigned = member.election().resign(ResignRequest::default()).await.unwrap_err();
    for refused in [proclaimed, resigned] {
        let expected = (Code::Unknown, "\"leader\" field must be provided");
        assert_eq!((refused.code(), refused.message()), expected);
    }
}
