//! Backups, on demand and by a schedule.

use std::sync::Arc;

use serde_json::Value;

use crate::ends::{End, FIRST_TEN_MINUTES, TEN_MINUTES_PASSES_MAX, ensure, ten_minutes_have_passed};
use crate::show::{creating, creating_with, production, to_members};
use crate::world::{Scenario, Summary, World};

pub const META: &str = "apiVersion: etcd.taffrail.dev/v1alpha1";
const TEMPLATE: &str = "{clusterRef: {name: main}, target: {volume: {claimName: shelf}}, retries: 1}";

pub fn shelf(world: &World) {
    let spec = "{accessModes: [ReadWriteOnce], storageClassName: standard, resources: {requests: {storage: 1Gi}}}";
    world.create(&format!(
        "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: shelf}}, spec: {spec}}}"
    ));
}

pub fn backup(world: &World, more: &str) {
    let spec = TEMPLATE.trim_end_matches('}');
    world.create(&format!(
        "{{{META}, kind: EtcdBackup, metadata: {{name: one}}, spec: {spec}{more}}}}}"
    ));
}

pub fn schedule(world: &World, times: &str, more: &str) {
    let spec = format!("{{schedule: '{times}', {more} template: {TEMPLATE}}}");
    world.create(&format!(
        "{{{META}, kind: EtcdBackupSchedule, metadata: {{name: often}}, spec: {spec}}}"
    ));
}

pub fn phases(wanted: &'static [(&'static str, usize)]) -> impl Fn(&World) -> End + Send + Sync + 'static {
    move |world| {
        let summary = Summary::of(world);
        let found = summary.backups.iter().map(|(phase, count)| (phase.as_str(), *count));
        ensure(found.eq(wanted.iter().copied()), &summary.backups)
    }
}

fn ready(world: &World) -> Value {
    let cluster = world.get("EtcdCluster", "main").unwrap_or_default();
    let conditions = cluster["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|one| one["type"] == "BackupReady");
    found.unwrap_or_default()
}

fn is_ready(status: &'static str, reason: &'static str) -> impl Fn(&World) -> End {
    move |world| {
        let found = ready(world);
        ensure(found["status"] == status && found["reason"] == reason, found)
    }
}

pub async fn made() -> Scenario {
    let ask = |world: &World| {
        shelf(world);
        backup(world, "");
    };
    let end = |world: &World| {
        phases(&[("Succeeded", 1)])(world)?;
        is_ready("True", "BackedUp")(world)?;
        ensure(world.state().bucket.len() == 1, "one object")
    };
    to_members(1, "backup", ask, end).await
}

pub async fn verified() -> Scenario {
    let ask = |world: &World| {
        shelf(world);
        backup(world, ", verify: true");
    };
    let end = |world: &World| {
        phases(&[("Succeeded", 1)])(world)?;
        let one = world.get("EtcdBackup", "one").unwrap_or_default();
        ensure(
            one["status"]["verification"]["verifiedAt"].is_string(),
            one["status"].clone(),
        )?;
        let cluster = world.get("EtcdCluster", "main").unwrap_or_default();
        ensure(
            cluster["status"]["backup"]["lastVerifiedBackup"].is_string(),
            &cluster["status"]["backup"],
        )
    };
    to_members(1, "verified backup", ask, end).await
}

fn failing(reason: &'static str, hopeless: bool) -> impl Fn(&World) + Send + Sync {
    move |world| {
        world.control(|rules| rules.work_fails = Some((reason.into(), hopeless)));
        shelf(world);
        backup(world, "");
    }
}

pub async fn failed() -> Scenario {
    let end = |world: &World| {
        phases(&[("Failed", 1)])(world)?;
        let one = world.get("EtcdBackup", "one").unwrap_or_default();
        ensure(
            one["status"]["reason"] == "Stalled" && one["status"]["attempts"] == 2,
            one["status"].clone(),
        )?;
        is_ready("False", "BackupFailed")(world)
    };
    to_members(1, "failed backup", failing("Stalled", false), end).await
}

pub async fn hopeless() -> Scenario {
    let end = |world: &World| {
        phases(&[("Failed", 1)])(world)?;
        let one = world.get("EtcdBackup", "one").unwrap_or_default();
        ensure(
            one["status"]["reason"] == "NoSuchBucket" && one["status"]["attempts"] == 1,
            one["status"].clone(),
        )
    };
    to_members(1, "hopeless backup", failing("NoSuchBucket", true), end).await
}

/// The backup is asked for before there is a cluster.
pub async fn early() -> Scenario {
    let mut scenario = creating(1);
    scenario.name = "early backup";
    shelf(&scenario.begin);
    backup(&scenario.begin, "");
    scenario.goal = Arc::new(phases(&[("Succeeded", 1)]));
    scenario
}

/// With certificates, a password and a Secret that comes late.
pub async fn secured() -> Scenario {
    let auth = creating_with(1, "auth: {enabled: true, rootSecretRef: {name: root}}");
    auth.begin
        .secret("root", &[("username", "root"), ("password", "secret")]);
    let s3 = "{clusterRef: {name: main}, target: {s3: {bucket: abc, credentialsSecretRef: {name: keys}}}}";
    let text = format!("{{{META}, kind: EtcdBackup, metadata: {{name: one}}, spec: {s3}}}");
    let ask = move |world: &World| drop(world.create(&text));
    let waits = |world: &World| {
        let one = world.get("EtcdBackup", "one").unwrap_or_default();
        let told = one["status"]["message"].as_str().unwrap_or_default().to_owned();
        ensure(
            one["status"]["reason"] == "SecretMissing" && told.contains("keys"),
            one["status"].clone(),
        )
    };
    let waiting = auth.then(&production(), "no Secret", ask, waits).await;
    let give = |world: &World| world.secret("keys", &[("accessKeyId", "a"), ("secretAccessKey", "b")]);
    waiting
        .then(&production(), "a Secret comes", give, phases(&[("Succeeded", 1)]))
        .await
}

/// Every minute of the first ten.
pub async fn scheduled() -> Scenario {
    let plan = |world: &World| {
        shelf(world);
        schedule(
            world,
            FIRST_TEN_MINUTES,
            "retention: {last: 2}, verifyEvery: 1, successfulBackupsHistoryLimit: 3, startingDeadlineSeconds: 600,",
        );
    };
    let end = |world: &World| {
        ten_minutes_have_passed(world)?;
        phases(&[("Expired", 1), ("Succeeded", 2)])(world)?;
        let keys: Vec<String> = world.state().bucket.keys().cloned().collect();
        ensure(keys.len() == 2, keys)?;
        let schedule = world.get("EtcdBackupSchedule", "often").unwrap_or_default();
        let status = &schedule["status"];
        ensure(
            status["lastVerifiedTime"].is_string() && status["active"].is_null(),
            status.clone(),
        )
    };
    let mut scenario = to_members(1, "schedule", plan, end).await;
    scenario.passes_max = TEN_MINUTES_PASSES_MAX;
    scenario
}

pub async fn suspended() -> Scenario {
    let plan = |world: &World| {
        shelf(world);
        schedule(world, "* * * * *", "suspend: true,");
    };
    let end = |world: &World| {
        ensure(
            world.state().ticks > 60 && world.all("EtcdBackup").is_empty(),
            "none is made",
        )?;
        is_ready("False", "NoBackup")(world)
    };
    to_members(1, "suspended schedule", plan, end).await
}

pub async fn nonsense() -> Scenario {
    let plan = |world: &World| {
        shelf(world);
        schedule(world, "* * * * *", "timeZone: Europe/Atlantis,");
    };
    let end = |world: &World| {
        ensure(
            world.state().ticks > 60 && world.all("EtcdBackup").is_empty(),
            "none is made",
        )?;
        is_ready("False", "InvalidSchedule")(world)
    };
    to_members(1, "schedule that is none", plan, end).await
}

/// The schedule is deleted after its only backup.
pub async fn schedule_deleted() -> Scenario {
    let plan = |world: &World| {
        shelf(world);
        schedule(world, "0 0 1 7 *", "immediate: true,");
    };
    let made = to_members(1, "schedule", plan, phases(&[("Succeeded", 1)])).await;
    let delete = |world: &World| world.delete("EtcdBackupSchedule", "often");
    made.then(&production(), "deleted schedule", delete, phases(&[("Succeeded", 1)]))
        .await
}
