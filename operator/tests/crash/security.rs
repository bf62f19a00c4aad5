//! Certificates and passwords.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::ends::{all_are, rotated, updated, with_password};
use crate::show::{changing, creating_with, production, to_members};
use crate::world::{Scenario, World};

pub async fn certificates() -> Scenario {
    creating_with(3, "")
}

pub async fn rotation() -> Scenario {
    let rotate = changing(json!({"tls": {"client": {"caRotation": "1"}, "peer": {"caRotation": "1"}}}));
    let mut scenario = creating_with(3, "")
        .then(&production(), "rotate", rotate, rotated)
        .await;
    scenario.passes_max = 400;
    scenario.begin.state().settings.authority_overlap = Duration::from_secs(60);
    scenario
}

pub async fn clients_to_tls() -> Scenario {
    let on = changing(json!({"tls": {"client": {"mode": "Operator"}}}));
    to_members(3, "clients to TLS", on, updated).await
}

pub async fn peers_to_tls() -> Scenario {
    let on = changing(json!({"tls": {"peer": {"mode": "Operator"}}}));
    let speak = all_are("EtcdMember", |member| {
        member["spec"]["peerUrl"]
            .as_str()
            .is_some_and(|url| url.starts_with("https://"))
    });
    to_members(3, "members to TLS", on, speak).await
}

pub async fn password() -> Scenario {
    let mut scenario = creating_with(3, "auth: {enabled: true, rootSecretRef: {name: root}}");
    scenario.name = "password";
    scenario
        .begin
        .secret("root", &[("username", "root"), ("password", "old")]);
    scenario.goal = Arc::new(with_password("old"));
    scenario
}

pub async fn another_password() -> Scenario {
    let change = |world: &World| world.change("Secret", "root", json!({"stringData": {"password": "new"}}));
    let before = password().await;
    before
        .then(&production(), "another password", change, with_password("new"))
        .await
}
