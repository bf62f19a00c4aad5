use std::fs;
use std::sync::Arc;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload};
use taffrail_crds::{BackupTarget, Compression};
use tokio::sync::watch;

use super::*;
use crate::backup::request::Take;
use crate::backup::snapshot::made_up;
use crate::backup::take;
use crate::backup::testing::*;

struct Scene {
    root: tempfile::TempDir,
    objects: Arc<InMemory>,
    store: Store,
    snapshot: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let objects = Arc::new(InMemory::new());
        let store = Store::around(objects.clone(), Arc::default(), STALL);
        Self {
            root: tempfile::tempdir().unwrap(),
            objects,
            store,
            snapshot: made_up(30, 8),
        }
    }

    fn places(&self) -> Places {
        places(self.root.path())
    }

    fn folder(&self) -> std::path::PathBuf {
        self.root.path().join("data")
    }

    async fn take(&self, compression: Compression, identity: bool) -> Artifact {
        let member = FakeMember::with(self.snapshot.clone()).await;
        let request = Take {
            compression,
            identity,
            ..take_of(&[&member], BackupTarget::default())
        };
        let (_send, stop) = watch::channel(false);
        take::into(self.store.clone(), &request, &self.places(), stop)
            .await
            .unwrap()
    }

    fn request(&self, key: &str) -> Fetch {
        fetch_of(key, BackupTarget::default(), &self.folder())
    }

    async fn fetch(&self, request: &Fetch) -> Result<Outcome, Failure> {
        from(&self.store, request, &self.places()).await
    }

    async fn fails(&self, request: &Fetch) -> Failure {
        let failure = self.fetch(request).await.unwrap_err();
        assert!(!self.folder().join(Fetch::SNAPSHOT).exists(), "{failure}");
        failure
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) {
        self.objects.put(&key.into(), PutPayload::from(bytes)).await.unwrap();
    }

    async fn get(&self, key: &str) -> Vec<u8> {
        self.objects
            .get(&key.into())
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .to_vec()
    }

    fn keys(&self, identity: &Identity) {
        let file = self.places().identity.join("identity");
        fs::write(file, identity.to_string().expose_secret()).unwrap();
    }
}

#[tokio::test]
async fn what_was_taken_is_fetched_byte_for_byte() {
    for (compression, identity) in [
        (Compression::None, false),
        (Compression::Zstd, false),
        (Compression::None, true),
        (Compression::Zstd, true),
    ] {
        let scene = Scene::new();
        if identity {
            scene.keys(&Identity::generate());
        }
        let artifact = scene.take(compression, identity).await;
        assert_eq!(artifact.encrypted, identity);
        let request = Fetch {
            identity,
            artifact: Some(artifact.clone()),
            ..scene.request(&artifact.key)
        };
        let fetched = scene.fetch(&request).await.unwrap();
        let snapshot_bytes = scene.snapshot.len() as u64;
        assert_eq!(
            fetched,
            Outcome::Fetched {
                artifact: Some(artifact.clone()),
                snapshot_bytes
            }
        );
        assert_eq!(fs::read(scene.folder().join(Fetch::SNAPSHOT)).unwrap(), scene.snapshot);
        let beside = fs::read(scene.folder().join(Fetch::ARTIFACT)).unwrap();
        assert_eq!(serde_json::from_slice::<Artifact>(&beside).unwrap(), artifact);
    }
}

#[tokio::test]
async fn no_flipped_byte_of_an_object_or_its_manifest_is_restored() {
    let scene = Scene::new();
    let artifact = scene.take(Compression::Zstd, false).await;
    let (object, manifest) = (scene.get(&artifact.key).await, Manifest::key_of(&artifact.key));
    for at in (0..object.len()).step_by(97) {
        let mut flipped = object.clone();
        flipped[at] ^= 1;
        scene.put(&artifact.key, flipped).await;
        assert_eq!(
            scene.fails(&scene.request(&artifact.key)).await.reason,
            Reason::ChecksumMismatch,
            "{at}"
        );
    }
    scene.put(&artifact.key, object[..object.len() - 1].to_vec()).await;
    assert_eq!(
        scene.fails(&scene.request(&artifact.key)).await.reason,
        Reason::Truncated
    );
    scene.put(&artifact.key, object).await;
    let text = scene.get(&manifest).await;
    for at in (0..text.len()).step_by(7) {
        let mut flipped = text.clone();
        flipped[at] ^= 1;
        scene.put(&manifest, flipped).await;
        assert!(scene.fails(&scene.request(&artifact.key)).await.hopeless, "{at}");
    }
    scene.put(&manifest, text).await;
    scene.fetch(&scene.request(&artifact.key)).await.unwrap();
}

#[tokio::test]
async fn a_backup_of_another_moment_under_the_same_name_is_refused() {
    let scene = Scene::new();
    let artifact = scene.take(Compression::Zstd, false).await;
    let other = Artifact {
        revision: 41,
        ..artifact.clone()
    };
    let request = Fetch {
        artifact: Some(other),
        ..scene.request(&artifact.key)
    };
    assert_eq!(scene.fails(&request).await.reason, Reason::Mismatch);
}

#[tokio::test]
async fn without_its_manifest_an_object_is_checked_against_the_status() {
    let scene = Scene::new();
    let artifact = scene.take(Compression::Zstd, false).await;
    scene.store.delete(&Manifest::key_of(&artifact.key)).await.unwrap();
    let request = Fetch {
        artifact: Some(artifact.clone()),
        ..scene.request(&artifact.key)
    };
    scene.fetch(&request).await.unwrap();
    scene.put(&artifact.key, vec![0; artifact.size_bytes as usize]).await;
    assert_eq!(scene.fails(&request).await.reason, Reason::ChecksumMismatch);
}

#[tokio::test]
async fn the_wrong_key_is_told_from_damage() {
    let scene = Scene::new();
    scene.keys(&Identity::generate());
    let artifact = scene.take(Compression::Zstd, true).await;
    scene.keys(&Identity::generate());
    let failure = scene
        .fails(&Fetch {
            identity: true,
            ..scene.request(&artifact.key)
        })
        .await;
    assert_eq!(
        (failure.reason, failure.hopeless),
        (Reason::DecryptionFailed, true),
        "{failure}"
    );
}

#[tokio::test]
async fn a_plain_snapshot_of_any_etcd_is_taken_and_a_bare_database_gets_its_digest() {
    let scene = Scene::new();
    scene.put("mine.db", scene.snapshot.clone()).await;
    scene.fetch(&scene.request("mine.db")).await.unwrap();
    scene.put("bare.db", scene.snapshot[..30 * 4096].to_vec()).await;
    scene.fetch(&scene.request("bare.db")).await.unwrap();
    assert_eq!(fs::read(scene.folder().join(Fetch::SNAPSHOT)).unwrap(), scene.snapshot);
    let squeezed = zstd::encode_all(&scene.snapshot[..], 1).unwrap();
    scene.put("mine.db.gz", squeezed).await;
    scene.fetch(&scene.request("mine.db.gz")).await.unwrap();
    assert_eq!(fs::read(scene.folder().join(Fetch::SNAPSHOT)).unwrap(), scene.snapshot);
    for (name, bytes) in [
        ("page", b"<html>".to_vec()),
        ("zeros", vec![0; 8192]),
        ("cut", scene.snapshot[..9000].to_vec()),
    ] {
        scene.put(name, bytes).await;
        assert!(scene.fails(&scene.request(name)).await.is_damage(), "{name}");
    }
}

#[tokio::test]
async fn where_there_is_something_already_nothing_is_touched() {
    let scene = Scene::new();
    fs::create_dir_all(scene.folder()).unwrap();
    fs::write(scene.folder().join("precious"), "data").unwrap();
    let request = Fetch {
        target: volume(),
        ..scene.request("a")
    };
    let refused = fetch(&request, &scene.places(), Arc::default()).await.unwrap_err();
    assert_eq!(refused.reason, Reason::Occupied);
    fs::create_dir(scene.folder().join("etcd")).unwrap();
    let done = fetch(&request, &scene.places(), Arc::default()).await.unwrap();
    assert_eq!(
        done,
        Outcome::Fetched {
            artifact: None,
            snapshot_bytes: 0
        }
    );
    assert_eq!(fs::read_dir(scene.folder()).unwrap().count(), 2);
}
