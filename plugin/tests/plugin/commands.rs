//! What each command asks of an API server, what it says, and how it ends.

use crate::double::{Double, OURS};
use serde_json::{Value, json};

fn cluster(name: &str, status: Value) -> Value {
    json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdCluster",
           "metadata": {"name": name, "uid": "uid-1", "resourceVersion": "7"},
           "spec": {"replicas": 3, "storage": {"size": "2Gi"}}, "status": status})
}

fn target() -> Value {
    json!({"s3": {"bucket": "etcd-backups", "credentialsSecretRef": {"name": "backup-keys"}}})
}

fn schedule(name: &str, of: &str) -> Value {
    json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdBackupSchedule", "metadata": {"name": name},
           "spec": {"schedule": "15 3 * * *", "template": {"clusterRef": {"name": of}, "target": target()}},
           "status": {"nextScheduleTime": "2026-11-23T03:15:00Z"}})
}

fn backup(name: &str, of: &str, phase: &str) -> Value {
    json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdBackup", "metadata": {"name": name},
           "spec": {"clusterRef": {"name": of}, "target": target()}, "status": {"phase": phase}})
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message,
           "lastTransitionTime": "2026-11-21T12:00:00Z"})
}

fn running() -> Value {
    let member = |name: &str, role: &str, id: &str| {
        json!({"name": name, "id": id, "role": role, "healthy": true, "version": "3.6.14", "dbSizeBytes": 20971520,
               "raftTerm": 2, "raftIndex": 1234, "endpoint": format!("https://{name}.demo-peers.a.svc:2379")})
    };
    let sick = json!({"name": "demo-2", "id": "cc", "role": "learner", "healthy": false,
                      "reason": "the pod cannot be scheduled"});
    json!({
        "phase": "Degraded", "ready": "2/3", "readyReplicas": 2, "replicas": 3, "updatedReplicas": 3,
        "version": "3.6.14", "leader": "demo-0", "clusterId": "a1b2", "doing": "waiting for demo-2",
        "members": [member("demo-0", "leader", "aa"), member("demo-1", "follower", "bb"), sick],
        "conditions": [
            condition("Available", "True", "Quorum", "2 of 3 members answer"),
            condition("NoSpace", "True", "NoSpace", "demo-0 has reached its quota"),
        ],
        "certificates": [{"name": "server", "notAfter": "2027-01-22T12:00:00Z"},
                         {"name": "client-ca", "notAfter": "2036-01-22T12:00:00Z", "rotation": "Overlap"}],
        "backup": {"lastSuccessfulBackup": "2026-11-22T11:48:00Z", "lastBackupName": "nightly-1", "lastRevision": 48213,
                   "lastFailedBackup": "2026-11-20T12:00:00Z", "lastFailure": "AccessDenied",
                   "ready": true, "reason": "", "message": ""},
    })
}

/// A golden output; `TAFFRAIL_WRITE_GOLDEN=1` writes it anew.
fn golden(file: &str, text: &str) {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("TAFFRAIL_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{file} is not what is printed:\n{text}");
}

fn world() -> Double {
    let double = Double::default();
    double.put(OURS, "etcdclusters", cluster("demo", running()));
    double.put(OURS, "etcdbackupschedules", schedule("nightly", "demo"));
    double
}

#[tokio::test]
async fn status_tells_all_there_is_to_see() {
    let double = world();
    let mut other = cluster("other", Value::Null);
    other["metadata"]["namespace"] = "b".into();
    double.put(OURS, "etcdclusters", other);
    for (line, file) in [
        ("status", "clusters.txt"),
        ("status -A", "clusters-everywhere.txt"),
        ("status demo", "cluster.txt"),
        ("status demo -o json", "cluster.json"),
        ("-n b status other", "new-cluster.txt"),
    ] {
        let ended = double.run(line).await;
        assert_eq!((ended.code, ended.notes.as_str()), (0, ""), "{line}");
        golden(file, &ended.out);
    }
    assert!(
        double
            .asked()
            .iter()
            .all(|asked| asked.starts_with("GET ") && !asked.contains("secret"))
    );
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_told_with_near_names() {
    let ended = world().run("status dmo").await;
    assert_eq!(ended.code, 3);
    assert_eq!(
        ended.notes,
        "error: there is no EtcdCluster dmo in the namespace a; did you mean: demo\n"
    );
}

#[tokio::test]
async fn a_kubernetes_without_the_kinds_is_told_so() {
    let double = Double::default();
    double.without_kinds();
    for line in [
        "status",
        "status demo",
        "backup demo",
        "restore new --from-backup b",
        "logs demo",
        "defragment demo",
    ] {
        let ended = double.run(line).await;
        assert_eq!(ended.code, 3, "{line}");
        assert!(
            ended.notes.contains("does not know Taffrail's kinds"),
            "{line}: {}",
            ended.notes
        );
    }
}

#[tokio::test]
async fn whoever_has_no_right_is_told_which() {
    let double = world();
    double.forbid("POST");
    let ended = double.run("backup demo").await;
    assert_eq!(ended.code, 4);
    assert!(
        ended
            .notes
            .contains("no right to make the EtcdBackup demo-20261122-120000"),
        "{}",
        ended.notes
    );
}

#[tokio::test]
async fn a_backup_goes_where_the_only_schedule_does_it_and_is_followed() {
    let double = world();
    double.later("etcdbackups", "b", json!({"status": {"phase": "Running"}}));
    double.later("etcdbackups", "b", json!({"status": {"phase": "Verifying"}}));
    let artifact = json!({"uri": "s3://etcd-backups/x", "sizeBytes": 2048, "revision": 9});
    let verified = json!({"verifiedAt": "2026-11-22T12:00:00Z"});
    double.later(
        "etcdbackups",
        "b",
        json!({"status": {"phase": "Succeeded", "artifact": artifact, "verification": verified}}),
    );
    let ended = double.run("backup demo --name b --verify --wait").await;
    assert_eq!(ended.code, 0, "{}", ended.notes);
    golden("backup.txt", &format!("{}---\n{}", ended.out, ended.notes));
    let made = double.get("etcdbackups", "b").unwrap();
    assert_eq!(made["spec"]["target"], target());
    assert_eq!(made["spec"]["verify"], json!(true));
    // Retention counts what a schedule made, not this.
    assert_eq!(made["metadata"]["labels"], Value::Null);
}

#[tokio::test]
async fn the_exit_code_tells_how_a_backup_ended() {
    for (phase, code) in [("Failed", 1), ("Unusable", 1), ("Succeeded", 0)] {
        let double = world();
        double.later(
            "etcdbackups",
            "b",
            json!({"status": {"phase": phase, "reason": "AccessDenied", "message": "no"}}),
        );
        let ended = double.run("backup demo --name b --volume shelf --wait").await;
        assert_eq!(ended.code, code, "{phase}: {}", ended.notes);
    }
    let ended = world().run("backup demo --volume shelf --wait --timeout 10ms").await;
    assert_eq!(ended.code, 6);
}

#[tokio::test]
async fn a_backup_without_a_place_is_asked_for_one() {
    let double = world();
    double.put(OURS, "etcdbackupschedules", schedule("hourly", "demo"));
    let ended = double.run("backup demo").await;
    assert_eq!(ended.code, 2);
    assert!(
        ended.notes.contains("choose by --schedule: hourly, nightly"),
        "{}",
        ended.notes
    );
    double.put(OURS, "etcdclusters", cluster("lonely", Value::Null));
    assert!(double.run("backup lonely").await.notes.contains("where to?"));
    let ended = double.run("backup lonely --schedule nightly").await;
    assert!(
        ended.code == 2 && ended.notes.contains("is of the cluster demo"),
        "{}",
        ended.notes
    );
}

#[tokio::test]
async fn a_dry_run_prints_what_would_be_made() {
    let double = world();
    double.put(OURS, "etcdbackups", backup("good", "demo", "Succeeded"));
    for (line, file) in [
        (
            "backup demo --s3-bucket b --s3-region r --prefix p --credentials keys --dry-run",
            "backup.yaml",
        ),
        (
            "restore new --from-backup good --like demo --replicas 1 --dry-run",
            "restore.yaml",
        ),
        (
            "defragment demo --min-free-bytes 256Mi --dry-run",
            "defragmentation.yaml",
        ),
    ] {
        let ended = double.run(line).await;
        assert_eq!(ended.code, 0, "{line}: {}", ended.notes);
        golden(file, &ended.out);
    }
    assert!(double.asked().iter().all(|asked| asked.starts_with("GET ")));
}

#[tokio::test]
async fn a_restore_makes_a_new_cluster_and_touches_none_that_is_there() {
    let double = world();
    double.put(OURS, "etcdbackups", backup("good", "demo", "Succeeded"));
    double.put(OURS, "etcdbackups", backup("bad", "demo", "Unusable"));
    let before = double.get("etcdclusters", "demo");
    let ended = double.run("restore demo --from-backup good").await;
    assert!(
        ended.code == 2 && ended.notes.contains("touches none that is there"),
        "{}",
        ended.notes
    );
    assert_eq!(double.get("etcdclusters", "demo"), before);
    assert_eq!(double.run("restore new --from-backup bad").await.code, 2);
    assert_eq!(double.run("restore new --from-backup none").await.code, 3);
    assert!(double.get("etcdclusters", "new").is_none());

    let object = json!({"target": target(), "key": "k"});
    let restoring =
        json!({"phase": "Restoring", "doing": "k is fetched", "restore": {"phase": "Restoring", "object": object}});
    double.later("etcdclusters", "new", json!({"status": restoring}));
    let restored = json!({"clusterId": "1", "readyReplicas": 3, "restore": {"phase": "Restored"},
                          "conditions": [condition("Available", "True", "Quorum", "")]});
    double.later("etcdclusters", "new", json!({"status": restored}));
    let ended = double
        .run("restore new --from-schedule nightly --like demo --wait")
        .await;
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "etcdcluster/new made\nnew serves the data of k\n"),
        "{}",
        ended.notes
    );
    let made = double.get("etcdclusters", "new").unwrap();
    assert_eq!(
        made["spec"]["bootstrap"]["restore"]["source"],
        json!({"scheduleName": "nightly"})
    );
    assert_eq!(made["spec"]["storage"]["size"], "2Gi");
}

#[tokio::test]
async fn a_roll_back_needs_the_clusters_name_twice_and_its_own_backup() {
    let double = world();
    double.put(OURS, "etcdbackups", backup("good", "demo", "Succeeded"));
    double.put(OURS, "etcdbackups", backup("foreign", "other", "Succeeded"));
    for (line, code) in [
        ("roll-back demo --to good --accept-data-loss other", 2),
        ("roll-back demo --to foreign --accept-data-loss demo", 2),
        ("roll-back demo --to none --accept-data-loss demo", 3),
    ] {
        assert_eq!(double.run(line).await.code, code, "{line}");
    }
    assert!(double.asked().iter().all(|asked| asked.starts_with("GET ")));
    let ended = double.run("roll-back demo --to good --accept-data-loss demo").await;
    assert_eq!(ended.code, 0, "{}", ended.notes);
    let annotations = &double.get("etcdclusters", "demo").unwrap()["metadata"]["annotations"];
    let expected = json!({"etcd.taffrail.dev/roll-back-to": "good", "etcd.taffrail.dev/accept-data-loss": "demo"});
    assert_eq!(*annotations, expected);
    // Asked for twice is asked for once.
    assert_eq!(
        double
            .run("roll-back demo --to good --accept-data-loss demo")
            .await
            .code,
        0
    );
    double.put(OURS, "etcdbackups", backup("later", "demo", "Succeeded"));
    assert_eq!(
        double
            .run("roll-back demo --to later --accept-data-loss demo")
            .await
            .code,
        2
    );
}

#[tokio::test]
async fn a_roll_back_is_followed_past_the_one_before_it() {
    let double = world();
    double.put(OURS, "etcdbackups", backup("good", "demo", "Succeeded"));
    let roll_back = |phase: &str, at: &str| json!({"phase": phase, "to": "good", "startedAt": at});
    let restore = |phase: &str| json!({"phase": phase, "object": {"target": target(), "key": "k"}});
    let mut old = cluster("demo", running());
    old["status"]["rollBack"] = roll_back("Done", "2026-11-01T00:00:00Z");
    old["status"]["restore"] = restore("Restored");
    old["status"]["readyReplicas"] = 3.into();
    double.put(OURS, "etcdclusters", old);
    let now = "2026-11-22T12:00:00Z";
    for change in [
        json!({}),
        json!({"rollBack": roll_back("Stopping", now), "restore": restore("Restoring"), "phase": "Restoring"}),
        json!({"rollBack": roll_back("Done", now)}),
        json!({"restore": {"phase": "Restored"}}),
    ] {
        double.later("etcdclusters", "demo", json!({"status": change}));
    }
    let ended = double
        .run("roll-back demo --to good --accept-data-loss demo --wait")
        .await;
    assert_eq!(ended.code, 0, "{}", ended.notes);
    assert!(
        ended.notes.contains("has not begun") && ended.notes.contains("demo Restoring"),
        "{}",
        ended.notes
    );
    assert!(ended.out.contains("the old volumes are kept aside"), "{}", ended.out);
}

#[tokio::test]
async fn a_defragmentation_is_followed_member_by_member() {
    let double = world();
    double.later(
        "etcddefragmentations",
        "d",
        json!({"status": {"phase": "Running", "current": {"name": "demo-1"}}}),
    );
    let members = json!([{"name": "demo-1"}, {"name": "demo-0", "skipped": "little to gain"}]);
    double.later(
        "etcddefragmentations",
        "d",
        json!({"status": {"phase": "Succeeded", "members": members, "reclaimedBytes": 4096}}),
    );
    let ended = double.run("defragment demo --name d --wait").await;
    assert_eq!(ended.code, 0, "{}", ended.notes);
    golden("defragmentation.txt", &format!("{}---\n{}", ended.out, ended.notes));
}

#[tokio::test]
async fn leadership_does_not_move_without_a_certificate_or_to_nobody() {
    let double = world();
    assert_eq!(
        double.run("move-leader demo --to demo-0").await.out,
        "demo-0 leads already\n"
    );
    for (line, code, part) in [
        ("move-leader demo --to demo-2", 2, "is a learner"),
        ("move-leader demo --to demo-9", 3, "there is: demo-0, demo-1, demo-2"),
        ("move-leader demo", 3, "no Secret demo-client"),
    ] {
        let ended = double.run(line).await;
        assert_eq!(ended.code, code, "{line}");
        assert!(ended.notes.contains(part), "{line}: {}", ended.notes);
    }
}

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
           "metadata": {"name": name, "labels": {"etcd.taffrail.dev/cluster": "demo"}},
           "spec": {"containers": [{"name": "etcd"}]}})
}

#[tokio::test]
async fn logs_bear_the_names_of_members() {
    let double = world();
    for (name, text) in [("demo-0", "one\ntwo\n"), ("demo-10", "three\n")] {
        double.put("/api/v1", "pods", pod(name));
        double.log(&format!("{name}/etcd"), text);
    }
    let ended = double.run("logs demo --since 10m --tail 5").await;
    assert_eq!(
        ended.out, "demo-0   one\ndemo-0   two\ndemo-10  three\n",
        "{}",
        ended.notes
    );
    assert!(
        double
            .asked()
            .iter()
            .any(|asked| asked.contains("sinceSeconds=600") && asked.contains("tailLines=5"))
    );
    assert_eq!(double.run("logs demo demo-10").await.out, "demo-10  three\n");
    assert_eq!(double.run("logs demo demo-1").await.code, 3);
    double.forbid("demo-0/log");
    let ended = double.run("logs demo -f").await;
    assert_eq!((ended.code, ended.out.as_str()), (0, "demo-10  three\n"));
    assert!(ended.notes.contains("no right to read the log of demo-0"));
}
