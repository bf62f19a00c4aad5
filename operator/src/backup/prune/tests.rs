use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload};
use taffrail_crds::{Artifact, BackupRetention};

use super::*;
use crate::backup::request::Origin;
use crate::backup::testing::{STALL, origin};

struct Scene {
    objects: Arc<InMemory>,
    store: Store,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        let objects = Arc::new(InMemory::new());
        let store = Store::around(objects.clone(), Arc::default(), STALL);
        Self {
            objects,
            store,
            now: Timestamp::now(),
        }
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) {
        self.objects.put(&key.into(), PutPayload::from(bytes)).await.unwrap();
    }

    /// A backup of so many days ago.
    async fn backup(&self, folder: &str, days: i64, origin: Origin) -> String {
        let taken_at = self.now - SignedDuration::from_hours(24 * days);
        let key = format!("{folder}/{}-0a1b2c3d.snap", taken_at.strftime("%Y%m%dT%H%M%SZ"));
        let artifact = Artifact {
            key: key.clone(),
            size_bytes: 3,
            taken_at: taken_at.to_string(),
            ..Default::default()
        };
        self.put(&key, b"abc".to_vec()).await;
        self.put(
            &Manifest::key_of(&key),
            Manifest::new(artifact, origin).encode().unwrap(),
        )
        .await;
        key
    }

    async fn prune(&self, last: i32, keep: &[&str], now: Timestamp) -> (Vec<String>, usize) {
        let request = Prune {
            target: Default::default(),
            retention: BackupRetention {
                last: Some(last),
                ..Default::default()
            },
            schedule: "ns/nightly".into(),
            cluster_uid: "cluster-uid".into(),
            keep: keep.iter().map(|key| (*key).to_owned()).collect(),
            stall_seconds: 5,
        };
        match within(&self.store, &request, now).await.unwrap() {
            Outcome::Pruned { keys, kept, .. } => (keys, kept),
            other => panic!("{other:?}"),
        }
    }

    async fn names(&self) -> BTreeSet<String> {
        self.store
            .list("ns")
            .await
            .unwrap()
            .into_iter()
            .map(|one| one.key)
            .collect()
    }
}

const FOLDER: &str = "ns/demo/nightly";

#[tokio::test]
async fn only_what_the_rules_do_not_keep_of_this_schedule_and_cluster_goes() {
    let scene = Scene::new();
    let mut mine = Vec::new();
    for days in 0..5 {
        mine.push(scene.backup(FOLDER, days, origin()).await);
    }
    let others = [
        Origin {
            cluster_uid: "the cluster before".into(),
            ..origin()
        },
        Origin {
            schedule: Some("ns/weekly".into()),
            ..origin()
        },
        Origin {
            schedule: None,
            ..origin()
        },
    ];
    for (days, other) in (10..).zip(others) {
        scene.backup(FOLDER, days, other).await;
    }
    scene.put(&format!("{FOLDER}/notes.txt"), b"mine".to_vec()).await;
    scene
        .put(&format!("{FOLDER}/20200101T000000Z-0a1b2c3d.snap.json"), b"{}".to_vec())
        .await;
    let before = scene.names().await;
    let (removed, kept) = scene.prune(2, &[&mine[3]], scene.now).await;
    assert_eq!((removed, kept), (vec![mine[4].clone(), mine[2].clone()], 3));
    let gone: BTreeSet<String> = before.difference(&scene.names().await).cloned().collect();
    let expected = [&mine[2], &mine[4]]
        .into_iter()
        .flat_map(|key| [key.clone(), Manifest::key_of(key)]);
    assert_eq!(gone, expected.collect());
    assert_eq!(scene.prune(2, &[&mine[3]], scene.now).await, (vec![], 3));
}

#[tokio::test]
async fn a_backup_whose_object_is_not_whole_does_not_push_out_the_last_good_one() {
    let scene = Scene::new();
    let good = scene.backup(FOLDER, 3, origin()).await;
    let cut = scene.backup(FOLDER, 1, origin()).await;
    scene.put(&cut, b"ab".to_vec()).await;
    let gone = scene.backup(FOLDER, 0, origin()).await;
    scene.store.delete(&gone).await.unwrap();
    assert_eq!(scene.prune(1, &[], scene.now).await, (vec![], 1));
    assert!(scene.names().await.contains(&good));
}

#[tokio::test]
async fn objects_that_never_became_backups_go_after_a_day() {
    let scene = Scene::new();
    scene.backup(FOLDER, 0, origin()).await;
    let orphan = format!("{FOLDER}/20200101T000000Z-0a1b2c3d.snap.zst");
    let strange = ["before-the-upgrade.snap", "20200101T000000Z-0a1b2c3d.db"].map(|name| format!("{FOLDER}/{name}"));
    let elsewhere = "ns/other/nightly/20200101T000000Z-0a1b2c3d.snap.zst".to_owned();
    for key in strange.iter().chain([&orphan, &elsewhere]) {
        scene.put(key, b"x".to_vec()).await;
    }
    let later = |hours| scene.now + SignedDuration::from_hours(hours);
    assert_eq!(scene.prune(1, &[], later(23)).await.0, [""; 0]);
    assert_eq!(scene.prune(1, &[], later(25)).await.0, [orphan]);
    let left = scene.names().await;
    assert!(strange.iter().chain([&elsewhere]).all(|key| left.contains(key)));
}

#[test]
fn an_outcome_fits_into_a_termination_message() {
    let keys: Vec<String> = (0..500)
        .map(|number| format!("{FOLDER}/{number:0>30}.snap.zst.age"))
        .collect();
    let outcome = outcome(keys, 7);
    assert!(serde_json::to_string(&outcome).unwrap().len() < 4096);
    assert!(matches!(
        outcome,
        Outcome::Pruned {
            count: 500,
            kept: 7,
            ..
        }
    ));
}
