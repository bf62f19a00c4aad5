//! What goes wrong with a store, through a real connection.

use std::sync::Arc;

use taffrail_crds::{BackupTarget, Compression};
use tokio::sync::watch;

use crate::backup::request::Take;
use crate::backup::snapshot::made_up;
use crate::backup::testing::*;
use crate::backup::{Failure, Outcome, Reason, Request, run};

struct Scene {
    server: FakeS3,
    member: FakeMember,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self {
            server: FakeS3::start().await,
            member: FakeMember::with(made_up(1500, 1)).await,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn take(&self, bucket: &str) -> Take {
        Take {
            compression: Compression::None,
            stall_seconds: 2,
            ..take_of(&[&self.member], s3(&self.server, bucket))
        }
    }

    async fn work(&self, request: Request) -> Result<Outcome, Failure> {
        let (_send, stop) = watch::channel(false);
        run::work(&request, &places(self.folder.path()), Arc::default(), stop).await
    }

    async fn takes(&self, bucket: &str) -> Result<Outcome, Failure> {
        self.work(Request::Take(Box::new(self.take(bucket)))).await
    }

    async fn fetches(&self, key: &str) -> Result<Outcome, Failure> {
        let mut fetch = fetch_of(key, s3(&self.server, "bucket"), &self.folder.path().join("data"));
        fetch.stall_seconds = 2;
        self.work(Request::Fetch(Box::new(fetch))).await
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_store_is_said_and_nothing_is_left() {
    let scene = Scene::new().await;
    let missing = scene.takes("elsewhere").await.unwrap_err();
    assert_eq!(
        (missing.reason, missing.hopeless),
        (Reason::NoSuchBucket, true),
        "{missing}"
    );
    let table = [
        (Trouble::Denied, Reason::AccessDenied, true),
        (Trouble::Expired, Reason::CredentialsExpired, true),
        (Trouble::PartFails, Reason::Unavailable, false),
        (Trouble::PartStalls, Reason::Stalled, false),
        (Trouble::Storm(1_000), Reason::Unavailable, false),
    ];
    for (trouble, reason, hopeless) in table {
        scene.server.trouble(trouble);
        let failure = scene.takes("bucket").await.unwrap_err();
        assert_eq!(
            (failure.reason, failure.hopeless),
            (reason, hopeless),
            "{trouble:?}: {failure}"
        );
        assert!(failure.message.contains("s3://bucket"), "{failure}");
        assert_eq!(scene.server.keys(), [""; 0], "{trouble:?}");
    }
}

#[tokio::test]
async fn a_short_storm_is_sat_out() {
    let scene = Scene::new().await;
    scene.server.trouble(Trouble::Storm(3));
    assert!(matches!(scene.takes("bucket").await, Ok(Outcome::Taken { .. })));
    assert_eq!(
        scene.server.keys(),
        [format!("etcd/{KEY}.snap"), format!("etcd/{KEY}.snap.json")]
    );
}

#[tokio::test]
async fn a_store_that_forgets_a_byte_gets_no_manifest() {
    let scene = Scene::new().await;
    scene.server.trouble(Trouble::LosesAByte);
    assert_eq!(scene.takes("bucket").await.unwrap_err().reason, Reason::Truncated);
    assert_eq!(scene.server.keys(), [format!("etcd/{KEY}.snap")]);
}

#[tokio::test]
async fn a_store_without_conditions_is_asked_first() {
    let scene = Scene::new().await;
    scene.server.state.lock().unwrap().conditional = false;
    let first = scene.takes("bucket").await.unwrap();
    assert_eq!(scene.takes("bucket").await, Ok(first));
    assert_eq!(scene.server.keys().len(), 2);
}

#[tokio::test]
async fn nobody_listens_where_the_store_should_be() {
    let mut scene = Scene::new().await;
    scene.server.url = "http://127.0.0.1:1".into();
    let failure = scene.takes("bucket").await.unwrap_err();
    assert_eq!(
        (failure.reason, failure.hopeless),
        (Reason::Unreachable, false),
        "{failure}"
    );
}

#[tokio::test]
async fn an_object_that_does_not_come_whole_is_never_restored() {
    let scene = Scene::new().await;
    let Ok(Outcome::Taken { artifact }) = scene.takes("bucket").await else {
        panic!()
    };
    let table = [
        (Trouble::CutsAfter(1_000_000), &[Reason::Truncated][..]),
        (Trouble::StallsAfter(1_000_000), &[Reason::Stalled]),
        (Trouble::FlipsOnTheWay, &[Reason::ChecksumMismatch]),
        (Trouble::Denied, &[Reason::AccessDenied]),
    ];
    for (trouble, reasons) in table {
        scene.server.trouble(trouble);
        let failure = scene.fetches(&artifact.key).await.unwrap_err();
        assert!(reasons.contains(&failure.reason), "{trouble:?}: {failure}");
        let left = std::fs::read_dir(scene.folder.path().join("data")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{trouble:?}");
    }
    scene.server.trouble(Trouble::None);
    assert!(matches!(
        scene.fetches(&artifact.key).await,
        Ok(Outcome::Fetched { artifact: Some(_), .. })
    ));
    let missing = scene.fetches("ns/demo/nightly/none.snap").await;
    assert_eq!(missing.unwrap_err().reason, Reason::NotFound);
}

#[tokio::test]
async fn a_secret_without_its_keys_is_named() {
    let scene = Scene::new().await;
    let places = places(scene.folder.path());
    std::fs::remove_file(places.credentials.join("secretAccessKey")).unwrap();
    let (_send, stop) = watch::channel(false);
    let request = Request::Take(Box::new(scene.take("bucket")));
    let failure = run::work(&request, &places, Arc::default(), stop).await.unwrap_err();
    assert!(
        failure.hopeless && failure.message.contains("secretAccessKey"),
        "{failure}"
    );
    let nowhere = Take {
        target: BackupTarget::default(),
        ..scene.take("bucket")
    };
    let failure = scene.work(Request::Take(Box::new(nowhere))).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Invalid);
}
