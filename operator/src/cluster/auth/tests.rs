use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::context::{Outlets, Settings};
use crate::testing::{FakeAuth, Shelf, cluster};

struct World {
    shelf: Shelf,
    etcd: Arc<FakeAuth>,
    cluster: EtcdCluster,
}

impl World {
    fn new(auth: serde_json::Value, certificate_is_root: bool) -> Self {
        let mut cluster = cluster();
        cluster.spec.auth = serde_json::from_value(auth).unwrap();
        cluster.status.get_or_insert_default().cluster_id = Some("c1".into());
        let etcd = Arc::new(FakeAuth::default());
        etcd.state().certificate_is_root = certificate_is_root;
        Self {
            shelf: Shelf::default(),
            etcd,
            cluster,
        }
    }

    fn password(&self, password: &str) {
        self.shelf.put_secret("root", &[("password", password)]);
    }

    async fn keep(&self) -> Result<AuthState, AuthError> {
        let context = Context {
            client: self.shelf.client(),
            etcd: self.etcd.clone(),
            clock: Arc::new(Timestamp::now),
            settings: Arc::new(Settings::default()),
            outlets: Outlets::default(),
        };
        let member = Endpoint {
            url: "https://a-0:2379".into(),
            server_name: "a-0".into(),
        };
        keep(&context, &self.cluster, &Access::default(), &[member]).await
    }

    fn reasons(state: &AuthState) -> Vec<&'static str> {
        state.problems.iter().map(|problem| problem.reason).collect()
    }
}

fn on() -> serde_json::Value {
    json!({"enabled": true, "rootSecretRef": {"name": "root"}})
}

#[tokio::test]
async fn it_is_switched_on_with_the_declared_password_and_off_again() {
    for by_certificate in [true, false] {
        let mut world = World::new(on(), by_certificate);
        world.password("secret\n");
        let state = world.keep().await.unwrap();
        assert!(state.enabled && state.problems.is_empty());
        assert_eq!(state.user, (!by_certificate).then(|| root("secret".into())));
        assert_eq!(world.etcd.state().password.as_deref(), Some("secret"));
        world.cluster.spec.auth = serde_json::from_value(json!({"enabled": false})).unwrap();
        let state = world.keep().await.unwrap();
        assert_eq!((state, world.etcd.state().enabled), (AuthState::default(), false));
    }
}

#[tokio::test]
async fn a_crash_between_any_two_calls_converges() {
    for by_certificate in [true, false] {
        for crash in 0..8 {
            for first_write in [false, true] {
                let world = World::new(on(), by_certificate);
                world.password("old");
                if !first_write {
                    world.keep().await.unwrap();
                    world.password("new");
                }
                world.etcd.state().calls_left = Some(crash);
                let _ = world.keep().await;
                world.etcd.state().calls_left = None;
                converged(&world, if first_write { "old" } else { "new" }).await;
            }
        }
    }
}

#[tokio::test]
async fn a_crash_between_any_two_writes_converges() {
    for by_certificate in [true, false] {
        for crash in 0..3 {
            let world = World::new(on(), by_certificate);
            world.password("old");
            world.keep().await.unwrap();
            world.password("new");
            world.shelf.fail_after(Some(world.shelf.writes() + crash));
            let _ = world.keep().await;
            world.shelf.fail_after(None);
            converged(&world, "new").await;
        }
    }
}

async fn converged(world: &World, password: &str) {
    let state = world.keep().await.unwrap();
    assert!(state.enabled && state.problems.is_empty(), "{state:?}");
    assert_eq!(world.etcd.state().password.as_deref(), Some(password));
    let applied = world.shelf.secret("a-root-applied");
    let pairs = [("cluster", "c1"), ("password", password)];
    assert_eq!(
        applied,
        pairs.map(|(key, text)| (key.to_owned(), text.to_owned())).into()
    );
    let calls = world.etcd.state().changes;
    world.keep().await.unwrap();
    assert_eq!(world.etcd.state().changes, calls, "nothing is changed when all is well");
}

#[tokio::test]
async fn a_restored_etcd_is_given_the_declared_password_again() {
    let mut world = World::new(on(), true);
    world.password("new");
    world.keep().await.unwrap();
    world.etcd.state().password = Some("of the backup".into());
    world.keep().await.unwrap();
    assert_eq!(
        world.etcd.state().password.as_deref(),
        Some("of the backup"),
        "not asked for"
    );
    world.cluster.status.as_mut().unwrap().cluster_id = Some("c2".into());
    world.keep().await.unwrap();
    assert_eq!(world.etcd.state().password.as_deref(), Some("new"));
}

#[tokio::test]
async fn nothing_is_done_before_the_cluster_has_a_name_and_a_restored_one_is_looked_at_though_nothing_is_declared() {
    let mut world = World::new(on(), true);
    world.password("new");
    world.cluster.status.as_mut().unwrap().cluster_id = None;
    assert!(!world.keep().await.unwrap().enabled);
    let mut restored = World::new(serde_json::Value::Null, false);
    restored.etcd.state().enabled = true;
    restored.etcd.state().password = Some("of the backup".into());
    assert_eq!(restored.keep().await.unwrap(), AuthState::default());
    let status = json!({"object": {"target": {"volume": {"claimName": "a"}}, "key": "b"}});
    restored.cluster.status.as_mut().unwrap().restore = serde_json::from_value(status).unwrap();
    assert_eq!(World::reasons(&restored.keep().await.unwrap()), ["RootPasswordRefused"]);
}

#[tokio::test]
async fn a_secret_without_a_good_password_is_a_problem_and_changes_nothing() {
    let world = World::new(on(), true);
    assert_eq!(World::reasons(&world.keep().await.unwrap()), ["RootSecretMissing"]);
    let table = [
        (vec![], "RootPasswordMissing"),
        (vec![("password", "\n")], "RootPasswordMissing"),
        (vec![("username", "admin"), ("password", "x")], "RootUsernameWrong"),
    ];
    for (data, reason) in table {
        world.shelf.put_secret("root", &data);
        let state = world.keep().await.unwrap();
        assert_eq!(World::reasons(&state), [reason]);
        assert_eq!((state.enabled, world.etcd.state().changes), (false, 0));
    }
}

#[tokio::test]
async fn a_password_that_was_changed_in_etcd_is_asked_for_and_then_taken() {
    let world = World::new(on(), false);
    world.password("ours");
    world.keep().await.unwrap();
    world.etcd.state().password = Some("theirs".into());
    assert_eq!(World::reasons(&world.keep().await.unwrap()), ["RootPasswordRefused"]);
    world.password("theirs");
    converged(&world, "theirs").await;
}

#[tokio::test]
async fn nobody_asked_and_nothing_is_done() {
    let world = World::new(json!(null), true);
    assert_eq!(world.keep().await.unwrap(), AuthState::default());
    assert_eq!(world.etcd.state().changes, 0);
}
