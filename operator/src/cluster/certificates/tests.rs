use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::*;
use crate::context::{Outlets, Settings};
use crate::pki::{Leaf, Pair, Use, check, found, issue};
use crate::testing::{FakeAuth, Shelf, cluster};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An API server, a clock and a cluster.
struct World {
    shelf: Shelf,
    clock: Arc<Mutex<Timestamp>>,
    cluster: EtcdCluster,
    trust: Trust,
}

impl World {
    fn new(tls: serde_json::Value) -> Self {
        let mut cluster = cluster();
        cluster.spec.tls = serde_json::from_value(tls).unwrap();
        let clock = Arc::new(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap()));
        Self {
            shelf: Shelf::default(),
            clock,
            cluster,
            trust: Trust::default(),
        }
    }

    fn context(&self) -> Context {
        let clock = self.clock.clone();
        Context {
            client: self.shelf.client(),
            etcd: Arc::new(FakeAuth::default()),
            clock: Arc::new(move || *clock.lock().unwrap()),
            settings: Arc::new(Settings::default()),
            outlets: Outlets::default(),
        }
    }

    fn now(&self) -> Timestamp {
        *self.clock.lock().unwrap()
    }

    fn pass(&self, days: i64) {
        let mut clock = self.clock.lock().unwrap();
        *clock += DAY * i32::try_from(days).unwrap();
    }

    async fn keep(&self) -> Certificates {
        keep(&self.context(), &self.cluster, &self.trust).await.unwrap()
    }

    fn pair(&self, secret: &str) -> Pair {
        let data = self.shelf.secret(secret);
        Pair {
            certificate: data["tls.crt"].clone(),
            key: data["tls.key"].clone(),
        }
    }

    fn authorities(&self, secret: &str) -> String {
        self.shelf.secret(secret)["ca.crt"].clone()
    }
}

fn reasons(certificates: &Certificates) -> Vec<&'static str> {
    certificates.problems.iter().map(|problem| problem.reason).collect()
}

#[tokio::test]
async fn everybody_who_should_trust_each_other_does() {
    let world = World::new(json!({}));
    let all = world.keep().await;
    assert_eq!(reasons(&all), [""; 0]);
    let hosts = vec![
        "a-7.a-peers.ns.svc.cluster.local".to_owned(),
        "a-client.ns".into(),
        "127.0.0.1".into(),
    ];
    let (ca, now) = (world.authorities("a-client"), world.now());
    check(&world.pair("a-server"), &ca, &Use::Server(hosts), now).unwrap();
    for who in ["a-client", "a-operator"] {
        check(&world.pair(who), &world.authorities("a-server"), &Use::Client, now).unwrap();
        assert!(
            check(&world.pair(who), &world.authorities("a-peer"), &Use::Client, now).is_err(),
            "no peer"
        );
    }
    check(&world.pair("a-peer"), &world.authorities("a-peer"), &Use::Client, now).unwrap();
    assert_eq!(
        world.shelf.secret("a-client")["endpoints"],
        "https://a-client.ns.svc.cluster.local:2379"
    );
    let names: Vec<_> = all.statuses.iter().map(|status| status.name.as_str()).collect();
    assert_eq!(names, ["client-ca", "server", "operator", "client", "peer-ca", "peer"]);
    assert!(all.next_due.unwrap() <= now + DAY * 60);
    assert_eq!(all.access.unwrap().certificate, world.pair("a-operator").certificate);
}

#[tokio::test]
async fn nothing_is_written_when_nothing_has_changed() {
    let world = World::new(json!({}));
    let first = world.keep().await;
    let writes = world.shelf.writes();
    let second = world.keep().await;
    assert_eq!(world.shelf.writes(), writes);
    let hash = |all: &Certificates| all.client.as_ref().unwrap().authorities_hash.clone();
    assert_eq!(hash(&first), hash(&second));
}

#[tokio::test]
async fn after_a_crash_at_any_write_the_same_cluster_comes_about() {
    for crash in 0..6 {
        let world = World::new(json!({}));
        world.shelf.fail_after(Some(crash));
        assert!(
            keep(&world.context(), &world.cluster, &world.trust).await.is_err(),
            "{crash}"
        );
        let authority = world.shelf.has_secret("a-client-ca").then(|| world.pair("a-client-ca"));
        world.shelf.fail_after(None);
        assert_eq!(reasons(&world.keep().await), [""; 0]);
        assert!(
            authority.is_none_or(|before| before == world.pair("a-client-ca")),
            "an authority is made once"
        );
        check(
            &world.pair("a-server"),
            &world.authorities("a-client"),
            &Use::Client,
            world.now(),
        )
        .unwrap();
    }
}

#[tokio::test]
async fn leaves_are_renewed_at_two_thirds_and_authorities_stay() {
    let world = World::new(json!({}));
    world.keep().await;
    let (leaf, authority) = (world.pair("a-server"), world.pair("a-client-ca"));
    world.pass(59);
    world.keep().await;
    assert_eq!(world.pair("a-server"), leaf);
    world.pass(2);
    world.keep().await;
    assert_ne!(world.pair("a-server"), leaf);
    assert_eq!(world.pair("a-client-ca"), authority);
}

#[tokio::test]
async fn a_rotation_waits_for_members_and_ends_with_the_new_authority_alone() {
    let mut world = World::new(json!({}));
    world.keep().await;
    let old = world.pair("a-client-ca");
    world.cluster.spec.tls.client.ca_rotation = Some("1".into());
    let bundled = world.keep().await.client.unwrap();
    assert!(bundled.probe.is_some() && bundled.shows.is_none());
    world.pass(3);
    world.keep().await;
    assert_eq!(
        world.pair("a-client-ca"),
        old,
        "nobody said that members trust the next one"
    );
    world.trust = Trust {
        client_trusts_next: true,
        ..Trust::default()
    };
    let signed = world.keep().await.client.unwrap();
    assert!(signed.shows.is_some());
    assert_eq!(
        signed.authorities_hash, bundled.authorities_hash,
        "members need no restart for new leaves"
    );
    let probe = signed.probe.unwrap();
    check(&world.pair("a-server"), &probe.authorities, &Use::Client, world.now()).unwrap();
    world.trust = Trust {
        members_show_next_client: true,
        ..Trust::default()
    };
    world.pass(2);
    let done = world.keep().await;
    assert!(done.statuses.iter().all(|status| status.rotation.is_none()));
    assert_eq!(world.authorities("a-server"), world.pair("a-client-ca").certificate);
    assert_ne!(world.pair("a-client-ca"), old);
    assert_eq!(reasons(&done), [""; 0]);
}

#[tokio::test]
async fn a_deleted_authority_does_not_make_members_strangers() {
    let world = World::new(json!({}));
    world.keep().await;
    let (leaf, ca) = (world.pair("a-peer"), world.authorities("a-peer"));
    world.shelf.remove_secret("a-peer-ca");
    let after = world.keep().await;
    assert_eq!(world.pair("a-peer"), leaf);
    assert!(world.authorities("a-peer").contains(ca.trim()));
    assert!(after.peer.unwrap().probe.is_some() && after.problems.is_empty());
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_named_and_left_alone() {
    for name in ["a-client-ca", "a-server", "a-peer", "a-operator", "a-client"] {
        let world = World::new(json!({}));
        world.shelf.put_secret(name, &[("tls.crt", "theirs")]);
        let all = world.keep().await;
        assert_eq!(reasons(&all), ["NameTaken"], "{name}");
        assert_eq!(world.shelf.secret(name)["tls.crt"], "theirs");
    }
}

#[tokio::test]
async fn without_tls_applications_still_learn_where_the_members_are() {
    let world = World::new(json!({"client": {"mode": "Disabled"}, "peer": {"mode": "Disabled"}}));
    let all = world.keep().await;
    assert!(all.client.is_none() && all.peer.is_none() && all.access.is_none() && all.problems.is_empty());
    let secret = world.shelf.secret("a-client");
    assert_eq!(secret.keys().collect::<Vec<_>>(), ["endpoints"]);
}

fn given() -> World {
    let client = json!({"mode": "Secrets", "secrets": {"server": "s", "client": "c"}});
    World::new(json!({"client": client, "peer": {"mode": "Disabled"}}))
}

fn put(world: &World, secret: &str, ca: &Pair, leaf: &Leaf, by: &Pair) {
    let pair = issue(by, leaf, world.now()).unwrap();
    let data = [
        ("ca.crt", &ca.certificate),
        ("tls.crt", &pair.certificate),
        ("tls.key", &pair.key),
    ];
    world
        .shelf
        .put_secret(secret, &data.map(|(key, value)| (key, value.as_str())));
}

#[tokio::test]
async fn given_secrets_are_judged_and_the_flaw_is_named() {
    const LIFE: Duration = Duration::from_secs(90 * 86_400);
    let good = Leaf::server("x", ["*.a-peers.ns.svc.cluster.local".to_owned()], LIFE);
    let named = Leaf::server("x", ["a-1.a-peers.ns.svc.cluster.local".to_owned()], LIFE);
    let only_client = Leaf {
        serves: false,
        ..good.clone()
    };
    let root = Leaf::client("root", LIFE);
    let world = given();
    assert_eq!(reasons(&world.keep().await), ["SecretMissing", "SecretMissing"]);
    let ca = found("ca", world.now(), LIFE * 2).unwrap();
    let other = found("other", world.now(), LIFE * 2).unwrap();
    put(&world, "c", &ca, &root, &ca);
    world.shelf.put_secret("s", &[("tls.crt", "x")]);
    assert_eq!(reasons(&world.keep().await), ["SecretIncomplete"]);
    world
        .shelf
        .put_secret("s", &[("tls.crt", "x"), ("tls.key", "y"), ("ca.crt", &ca.certificate)]);
    assert_eq!(reasons(&world.keep().await), ["CertificateUnreadable"]);
    let table = [
        (&named, &ca, &ca, &["CertificateWrongNames"][..]),
        (&only_client, &ca, &ca, &["CertificateWrongUsage"]),
        (&good, &ca, &other, &["CertificateNotTrusted"]),
        (&good, &other, &ca, &["CertificateNotTrusted"]),
        (&good, &ca, &ca, &[]),
    ];
    for (leaf, trusted, by, expected) in table {
        put(&world, "s", trusted, leaf, by);
        let all = world.keep().await;
        assert_eq!(reasons(&all), expected);
        assert_eq!(
            all.client.is_some() && all.access.is_some(),
            expected.is_empty(),
            "a flaw is never handed out"
        );
    }
    assert_eq!(world.pair("a-client"), world.pair("c"));
    world.pass(91);
    assert!(reasons(&world.keep().await).contains(&"CertificateExpired"));
}

#[tokio::test]
async fn cert_manager_is_asked_waited_for_and_missed() {
    let issuer = json!({"mode": "CertManager", "certManager": {"issuerRef": {"name": "i"}}});
    let world = World::new(json!({"client": issuer, "peer": {"mode": "Disabled"}}));
    world.shelf.not_installed(Some("cert-manager.io"));
    assert_eq!(reasons(&world.keep().await), ["CertManagerNotInstalled"]);
    world.shelf.not_installed(None);
    assert_eq!(reasons(&world.keep().await), ["CertificatesPending"; 3]);
    let path = |name: &str| format!("/apis/cert-manager.io/v1/namespaces/ns/certificates/{name}-issued");
    let operator = world.shelf.object(&path("a-operator")).unwrap();
    assert_eq!(operator["spec"]["commonName"], "root");
    let labels = &operator["spec"]["secretTemplate"]["labels"];
    assert_eq!(
        labels[taffrail_crds::CLUSTER],
        "a",
        "a renewal wakes whoever keeps this cluster"
    );
    assert_eq!(operator["metadata"]["ownerReferences"][0]["uid"], "uid-a");
    let life = Duration::from_secs(90 * 86_400);
    let ca = found("ca", world.now(), life * 2).unwrap();
    let server = Leaf::server("a", ["*.a-peers.ns.svc.cluster.local".to_owned()], life);
    put(&world, "a-server-issued", &ca, &server, &ca);
    put(&world, "a-operator-issued", &ca, &Leaf::client("root", life), &ca);
    put(&world, "a-client-issued", &ca, &Leaf::client("a-client", life), &ca);
    let all = world.keep().await;
    assert_eq!(reasons(&all), [""; 0]);
    assert_eq!(all.client.unwrap().secret, "a-server");
    assert_eq!(world.pair("a-server"), world.pair("a-server-issued"));
    assert_eq!(world.pair("a-client"), world.pair("a-client-issued"));
}
