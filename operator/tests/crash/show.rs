//! How scenarios begin, and how they are shown.

use std::sync::Arc;

use serde_json::json;
use taffrail_operator::cluster::reconcile;

use crate::ends::members;
use crate::world::{Reconcile, Scenario, Summary, World, operator, two_operators, with_deaths};

const PLAIN: &str = "tls: {client: {mode: Disabled}, peer: {mode: Disabled}}";
/// Orders in which the calls of two operators come.
const SEEDS: u64 = 8;

pub fn production() -> Reconcile {
    operator(reconcile)
}

pub fn creating(replicas: usize) -> Scenario {
    creating_with(replicas, PLAIN)
}

/// `rest` of the spec as YAML.
pub fn creating_with(replicas: usize, rest: &str) -> Scenario {
    let spec = format!("{{replicas: {replicas}, {rest}}}");
    let meta = "apiVersion: etcd.taffrail.dev/v1alpha1, kind: EtcdCluster, metadata: {name: main}";
    let cluster = format!("{{{meta}, spec: {spec}}}");
    let begin = World::new();
    begin.control(|rules| rules.only_what_is_granted = true);
    Scenario {
        name: "create",
        begin,
        disturb: Arc::new(move |world| drop(world.create(&cluster))),
        goal: Arc::new(members(replicas)),
        passes_max: 200,
    }
}

/// What `disturb` does to `replicas` members at rest, until `goal`.
pub async fn to_members(
    replicas: usize,
    name: &'static str,
    disturb: impl Fn(&World) + Send + Sync + 'static,
    goal: impl Fn(&World) -> Result<(), String> + Send + Sync + 'static,
) -> Scenario {
    creating(replicas).then(&production(), name, disturb, goal).await
}

pub fn scaling_to(replicas: usize) -> impl Fn(&World) + Send + Sync + 'static {
    changing(json!({"replicas": replicas}))
}

/// A merge patch of the spec.
pub fn changing(patch: serde_json::Value) -> impl Fn(&World) + Send + Sync + 'static {
    move |world| world.change("EtcdCluster", "main", json!({"spec": patch}))
}

/// Deaths per scenario unless `CRASH_TESTS=all`: most scenarios have fewer.
const DEATHS_SAMPLED: usize = 40;

/// `CRASH_TESTS`: `all` deaths, or `once` without any: a quick look whether the end is reached at all.
pub async fn show(scenario: Scenario) {
    let how = std::env::var("CRASH_TESTS").unwrap_or_default();
    let (deaths_max, seeds) = match how.as_str() {
        "once" => return show_once(scenario).await,
        "all" => (usize::MAX, SEEDS),
        _ => (DEATHS_SAMPLED, SEEDS / 2),
    };
    let shown = with_deaths(&scenario, &production(), deaths_max).await;
    println!("{}: {shown:?}", scenario.name);
    for seed in 0..seeds {
        two_operators(&scenario, &production(), seed).await;
    }
}

async fn show_once(scenario: Scenario) {
    let (world, writes, passes) = scenario.once(&production()).await;
    let versions = Summary::of(&world).versions;
    println!(
        "{}: {} writes, {passes} passes, {versions:?}",
        scenario.name,
        writes.len()
    );
}
