//! Clusters that begin with a backup, and living ones that go back to one.

use serde_json::{Value, json};

use crate::backups::{META, backup, phases, schedule, shelf};
use crate::ends::{End, ensure};
use crate::show::{changing, production, to_members};
use crate::world::{Scenario, Summary, World};

const PLAIN: &str = "tls: {client: {mode: Disabled}, peer: {mode: Disabled}}";

/// One cluster, one backup of it, and then nothing but the backup.
async fn only_a_backup() -> Scenario {
    let ask = |world: &World| {
        shelf(world);
        backup(world, "");
    };
    let made = to_members(1, "backup", ask, phases(&[("Succeeded", 1)])).await;
    let delete = |world: &World| world.delete("EtcdCluster", "main");
    let gone = |world: &World| ensure(Summary::of(world).members == 0, "members are left");
    made.then(&production(), "deleted cluster", delete, gone).await
}

fn founding(source: &'static str) -> impl Fn(&World) + Send + Sync + 'static {
    move |world| {
        let spec = format!("{{replicas: 3, bootstrap: {{restore: {{source: {source}}}}}, {PLAIN}}}");
        drop(world.create(&format!(
            "{{{META}, kind: EtcdCluster, metadata: {{name: again}}, spec: {spec}}}"
        )));
    }
}

fn restore_of(world: &World, cluster: &'static str) -> Value {
    let cluster = world.get("EtcdCluster", cluster).unwrap_or_default();
    cluster["status"]["restore"].clone()
}

/// So many voters that serve; of pods that worked for a backup nothing is said.
fn served(world: &World, wanted: usize) -> End {
    let summary = Summary::of(world);
    let counts = [summary.voters, summary.members, summary.ready_pods];
    let over = world
        .all("Pod")
        .iter()
        .all(|pod| !is_restoring(pod) || pod["status"]["phase"] == "Failed");
    ensure(counts == [wanted; 3] && summary.learners == 0 && over, summary)
}

fn is_restoring(pod: &Value) -> bool {
    pod["metadata"]["name"]
        .as_str()
        .is_some_and(|name| name.ends_with("-restore"))
}

/// Everything in the one backup there is, and what was written since.
fn has_the_data(world: &World) -> End {
    let state = world.state();
    let stored = state.bucket.values().next().ok_or("no backup")?;
    let last = state.histories.last().ok_or("no cluster")?;
    let held = last.log.starts_with(&stored.log) && !stored.log.is_empty();
    ensure(held, format!("{:?} were stored, {:?} are there", stored.log, last.log))
}

fn restored(world: &World) -> End {
    served(world, 3)?;
    has_the_data(world)?;
    ensure(
        restore_of(world, "again")["phase"] == "Restored",
        restore_of(world, "again"),
    )
}

pub async fn from_a_backup() -> Scenario {
    let begin = only_a_backup().await;
    begin
        .then(&production(), "restore", founding("{backupName: one}"), restored)
        .await
}

/// The schedule's backup comes after the cluster was declared.
pub async fn of_a_schedule() -> Scenario {
    let waits = |world: &World| {
        let cluster = world.get("EtcdCluster", "again").unwrap_or_default();
        ensure(
            cluster["status"]["doing"]
                .as_str()
                .is_some_and(|doing| doing.contains("often")),
            &cluster["status"],
        )
    };
    let begin = to_members(1, "", |_: &World| {}, |world: &World| served(world, 1)).await;
    let waiting = begin
        .then(&production(), "early", founding("{scheduleName: often}"), waits)
        .await;
    let make = |world: &World| {
        shelf(world);
        schedule(world, "0 0 1 7 *", "immediate: true,");
    };
    let end = |world: &World| {
        let members = Summary::of(world).members;
        ensure(
            members == 4 && restore_of(world, "again")["phase"] == "Restored",
            restore_of(world, "again"),
        )?;
        ensure(Summary::of(world).ready_pods == 4, Summary::of(world))
    };
    waiting.then(&production(), "schedule", make, end).await
}

fn given_up(world: &World) -> End {
    let told = restore_of(world, "again");
    let says = told["phase"] == "Failed" && told["reason"] == "Stalled" && told["failures"] == 6;
    ensure(says && Summary::of(world).ready_pods == 0, told)
}

/// Its first member and the volume stay; nothing is founded.
pub async fn failing() -> Scenario {
    let begin = only_a_backup().await;
    let found = |world: &World| {
        world.control(|rules| rules.work_fails = Some(("Stalled".into(), false)));
        founding("{backupName: one}")(world);
    };
    let mut scenario = begin.then(&production(), "failing restore", found, given_up).await;
    scenario.passes_max = 400;
    scenario
}

pub async fn given_up_and_changed() -> Scenario {
    let failed = failing().await;
    let change = |world: &World| {
        world.control(|rules| rules.work_fails = None);
        let key = world.state().bucket.keys().next().cloned().expect("a backup");
        let object = json!({"target": {"volume": {"claimName": "shelf"}}, "key": key});
        let source = json!({"backupName": null, "object": object});
        world.change(
            "EtcdCluster",
            "again",
            json!({"spec": {"bootstrap": {"restore": {"source": source}}}}),
        );
    };
    failed.then(&production(), "changed", change, restored).await
}

/// Its first member loses its volume later: it is replaced, and the backup is not looked at.
pub async fn once() -> Scenario {
    let begun = from_a_backup().await;
    let lose = |world: &World| {
        world.delete_claim("data-again-0");
        world.delete("Pod", "again-0");
    };
    let end = |world: &World| {
        restored(world)?;
        let fresh = world
            .all("EtcdMember")
            .iter()
            .all(|one| one["spec"]["restoredFrom"].is_null());
        ensure(fresh, "the first member was replaced")
    };
    begun.then(&production(), "lost first volume", lose, end).await
}

async fn backed_up(replicas: usize) -> Scenario {
    let ask = |world: &World| {
        shelf(world);
        backup(world, "");
    };
    to_members(replicas, "backup", ask, phases(&[("Succeeded", 1)])).await
}

fn go_back(to: &'static str) -> impl Fn(&World) + Send + Sync + 'static {
    move |world| {
        let consent = json!({"etcd.taffrail.dev/roll-back-to": to, "etcd.taffrail.dev/accept-data-loss": "main"});
        world.change("EtcdCluster", "main", json!({"metadata": {"annotations": consent}}));
    }
}

fn went_back(replicas: usize) -> impl Fn(&World) -> End + Send + Sync + 'static {
    move |world| {
        served(world, replicas)?;
        has_the_data(world)?;
        let kept = Summary::of(world).claims_kept;
        ensure(kept == replicas, format!("{kept} volumes are kept aside"))?;
        let cluster = world.get("EtcdCluster", "main").unwrap_or_default();
        let used = cluster["metadata"]["annotations"]["etcd.taffrail.dev/roll-back-to"].is_null();
        ensure(
            used && cluster["status"]["rollBack"]["phase"] == "Done",
            &cluster["status"]["rollBack"],
        )
    }
}

pub async fn rolled_back() -> Scenario {
    let begin = backed_up(3).await;
    begin
        .then(&production(), "roll-back", go_back("one"), went_back(3))
        .await
}

pub async fn rolled_back_from_ruins() -> Scenario {
    let begin = backed_up(1).await;
    let ruin = |world: &World| {
        world.ruin_volume("data-main-0");
        go_back("one")(world);
    };
    begin
        .then(&production(), "roll-back of ruins", ruin, went_back(1))
        .await
}

/// The backup has the password of its time; the declared one is root's again in the end.
pub async fn rolled_back_with_a_password() -> Scenario {
    let old = crate::security::password().await;
    let ask = |world: &World| {
        shelf(world);
        backup(world, "");
    };
    let made = old
        .then(&production(), "backup", ask, phases(&[("Succeeded", 1)]))
        .await;
    let change = |world: &World| world.change("Secret", "root", json!({"stringData": {"password": "new"}}));
    let changed = made
        .then(&production(), "another password", change, has_password("new"))
        .await;
    let end = |world: &World| {
        went_back(3)(world)?;
        has_password("new")(world)
    };
    changed.then(&production(), "roll-back", go_back("one"), end).await
}

fn has_password(password: &'static str) -> impl Fn(&World) -> End + Send + Sync + 'static {
    move |world| {
        let state = world.state();
        let last = state.histories.last().ok_or("no cluster")?;
        ensure(
            last.auth && last.root_password.as_deref() == Some(password),
            &last.root_password,
        )
    }
}

/// There is no such backup: the cluster goes on, and says so.
pub async fn refused() -> Scenario {
    let begin = backed_up(1).await;
    let ask = |world: &World| {
        go_back("two")(world);
        changing(json!({"options": {"heartbeat-interval": "200"}}))(world);
    };
    let end = |world: &World| {
        served(world, 1)?;
        let cluster = world.get("EtcdCluster", "main").unwrap_or_default();
        let told = cluster["status"]["conditions"]
            .to_string()
            .contains("there is no EtcdBackup two");
        ensure(told && cluster["status"]["rollBack"].is_null(), &cluster["status"])
    };
    begin.then(&production(), "roll-back to nothing", ask, end).await
}
