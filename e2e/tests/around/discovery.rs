//! The first members find each other through another etcd.

use taffrail_e2e::Member;
use taffrail_e2e::requests::put;

use crate::founder::{READY, start};

pub const TOKEN: &str = "8A591FAB-1D72-41FA-BDF2-A27162FDA1E0";

pub async fn expect_members(registry: &Member, size: &str) {
    let key = format!("/_etcd/registry/{TOKEN}/_config/size");
    registry.put(put(key, size.to_owned())).await;
}

pub fn flags(endpoints: &str) -> Vec<String> {
    vec![
        format!("--discovery-token={TOKEN}"),
        format!("--discovery-endpoints={endpoints}"),
    ]
}

#[tokio::test]
async fn three_members_find_each_other_and_a_fourth_is_told_that_they_are_complete() {
    let registry = Member::fresh().await;
    expect_members(&registry, "3").await;
    let folder = tempfile::tempdir().unwrap();
    // The first endpoint is nobody's: the next one is asked.
    let flags = flags(&format!("http://127.0.0.1:1,{}", registry.address()));
    let founders = ["a", "b", "c"].map(|name| start(folder.path(), name, &flags));
    for founder in &founders {
        founder.process.until_logged(READY).await;
    }
    founders[0].client.put(put("k", "v")).await;
    assert_eq!(founders[2].client.text("k").await.as_deref(), Some("v"));
    let members = founders[1].client.members().await;
    assert_eq!(members.len(), 3);

    let late = start(folder.path(), "d", &flags).process.exit().await;
    assert_eq!(late.code, Some(1));
    assert!(late.log.contains("discovery: cluster is full"), "{}", late.log);
}

#[tokio::test]
async fn a_member_with_data_does_not_ask_again() {
    let registry = Member::fresh().await;
    expect_members(&registry, "1").await;
    let folder = tempfile::tempdir().unwrap();
    let flags = flags(&registry.address());
    let alone = start(folder.path(), "a", &flags);
    alone.process.until_logged(READY).await;
    alone.client.put(put("k", "v")).await;
    drop(alone);
    drop(registry);
    let again = start(folder.path(), "a", &flags);
    again.process.until_logged(READY).await;
    again.process.until_logged("discovery token is ignored").await;
    assert_eq!(again.client.text("k").await.as_deref(), Some("v"));
}

#[tokio::test]
async fn a_token_that_means_nothing_is_refused() {
    let registry = Member::fresh().await;
    let folder = tempfile::tempdir().unwrap();
    let flags = flags(&registry.address());
    let unknown = start(folder.path(), "a", &flags).process.exit().await;
    assert!(unknown.log.contains("discovery: size key not found"), "{}", unknown.log);
    expect_members(&registry, "many").await;
    let bad = start(folder.path(), "a", &flags).process.exit().await;
    assert!(bad.log.contains("discovery: size key is bad"), "{}", bad.log);
}
