//! Members give back what they do not use.

use serde_json::Value;

use crate::ends::{End, FIRST_TEN_MINUTES, TEN_MINUTES_PASSES_MAX, ensure, members, ten_minutes_have_passed};
use crate::show::{creating_with, production, to_members};
use crate::world::{Scenario, Summary, World};

const GIB: i64 = 1024 * 1024 * 1024;

fn ask(world: &World) {
    world.fill(GIB, GIB / 4, GIB / 4);
    let meta = "apiVersion: etcd.taffrail.dev/v1alpha1, kind: EtcdDefragmentation, metadata: {name: one}";
    world.create(&format!("{{{meta}, spec: {{clusterRef: {{name: main}}}}}}"));
}

/// Every member that there is has given back what it did not use.
fn lean(world: &World) -> End {
    let state = world.state();
    let last = state.histories.last().ok_or("no cluster")?;
    let fat = last.members.keys().any(|id| last.size(*id).0 != last.size(*id).1);
    ensure(!fat, &last.sizes)
}

fn all(world: &World) -> Vec<Value> {
    world.all("EtcdDefragmentation")
}

fn succeeded(many: usize) -> impl Fn(&World) -> End {
    move |world| {
        let all = all(world);
        let done = all.iter().filter(|one| one["status"]["phase"] == "Succeeded").count();
        ensure((all.len(), done) == (many, many), all)
    }
}

fn condition(world: &World, kind: &str) -> Value {
    let cluster = world.get("EtcdCluster", "main").unwrap_or_default();
    let conditions = cluster["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|one| one["type"] == kind);
    found.unwrap_or_default()
}

pub async fn by_hand() -> Scenario {
    let end = |world: &World| {
        members(3)(world)?;
        succeeded(1)(world)?;
        lean(world)?;
        let status = all(world)[0]["status"].clone();
        let told = status["members"].as_array().map_or(0, Vec::len);
        ensure(told == 3 && status["reclaimedBytes"] == GIB / 4 * 9, status)
    };
    to_members(3, "defragmentation", ask, end).await
}

pub async fn of_one() -> Scenario {
    let end = |world: &World| {
        succeeded(1)(world)?;
        lean(world)
    };
    to_members(1, "defragmentation of one", ask, end).await
}

/// Its node does not come back, and it is replaced first.
pub async fn after_repair() -> Scenario {
    let lose = |world: &World| {
        let _ = world.fail_node_of("main-1");
        ask(world);
    };
    let end = |world: &World| {
        let summary = Summary::of(world);
        let replaced = world.get("EtcdMember", "main-1").is_none();
        ensure(replaced && summary.voters == 3 && summary.learners == 0, summary)?;
        succeeded(1)(world)?;
        lean(world)
    };
    creating_with(
        3,
        "repair: {replaceAfterSeconds: 60}, tls: {client: {mode: Disabled}, peer: {mode: Disabled}}",
    )
    .then(&production(), "defragmentation after repair", lose, end)
    .await
}

/// Every minute of the first ten, and the first of them are forgotten.
pub async fn by_policy() -> Scenario {
    let declare = |world: &World| {
        world.fill(GIB, GIB / 4, GIB / 4);
        let policy = serde_json::json!({"spec": {"defragmentation": {"schedule": FIRST_TEN_MINUTES}}});
        world.change("EtcdCluster", "main", policy);
    };
    let end = |world: &World| {
        ten_minutes_have_passed(world)?;
        succeeded(3)(world)?;
        lean(world)?;
        let cluster = world.get("EtcdCluster", "main").ok_or("no cluster")?;
        let born: jiff::Timestamp = cluster["metadata"]["creationTimestamp"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or("no time")?;
        let minute = |one: &Value| -> i64 {
            let name = one["metadata"]["name"].as_str().unwrap_or_default();
            name.rsplit_once('-')
                .and_then(|(_, minute)| minute.parse().ok())
                .unwrap_or(0)
        };
        let first = all(world).iter().map(minute).min().unwrap_or(0);
        ensure(first > born.as_second() / 60 + 3, all(world))
    };
    let mut scenario = to_members(1, "defragmentation by policy", declare, end).await;
    scenario.passes_max = TEN_MINUTES_PASSES_MAX;
    scenario
}

fn fill_up(world: &World, live: i64) {
    world.fill(2 * GIB, 2 * GIB, live);
    world.alarm("main-0", taffrail_operator::etcd::AlarmKind::NoSpace);
}

pub async fn no_space() -> Scenario {
    let end = |world: &World| {
        members(3)(world)?;
        succeeded(1)(world)?;
        lean(world)?;
        let alarms = world.state().histories.last().map_or(1, |last| last.alarms.len());
        ensure(alarms == 0, alarms)?;
        ensure(
            condition(world, "NoSpace")["status"] == "False",
            condition(world, "NoSpace"),
        )
    };
    to_members(3, "no space", |world| fill_up(world, GIB / 4), end).await
}

pub async fn too_much() -> Scenario {
    let end = |world: &World| {
        succeeded(0)(world)?;
        let low = condition(world, "SpaceLow");
        let told = low["message"]
            .as_str()
            .unwrap_or_default()
            .contains("set spec.quota to 4Gi");
        ensure(low["status"] == "True" && told, low)?;
        ensure(
            condition(world, "NoSpace")["status"] == "True",
            condition(world, "NoSpace"),
        )
    };
    to_members(3, "too much", |world| fill_up(world, 2 * GIB), end).await
}
