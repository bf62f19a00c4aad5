//! What pods, Services and budgets look like.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};
use taffrail_crds::{EtcdCluster, EtcdMember};

use super::{Mounts, PodInputs, budget, client_service, member, pod, pod_hash, restore_pod, volume};
use crate::names::Names;

fn cluster(spec: Value) -> EtcdCluster {
    let manifest = json!({
        "apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdCluster",
        "metadata": {"name": "demo", "namespace": "shop", "uid": "uid-1"}, "spec": spec,
    });
    serde_json::from_value(manifest).unwrap()
}

fn inputs(spec: Value) -> PodInputs {
    let cluster = Arc::new(cluster(spec));
    PodInputs {
        names: Names::of(&cluster, "cluster.local"),
        cluster,
        image: "taffrail:3.6.14".into(),
        version: "3.6.14".parse().unwrap(),
        ipv6: false,
        mounts: Mounts {
            client: Some("demo-server".into()),
            peer: Some("demo-peer".into()),
        },
    }
}

fn record(inputs: &PodInputs, serial: i64) -> EtcdMember {
    let name = inputs.names.member(serial);
    let url = format!("https://{}:2380", inputs.names.member_host(&name));
    member(&inputs.cluster, name, serial, serial == 0, url)
}

fn args(inputs: &PodInputs, record: &EtcdMember) -> Vec<String> {
    pod(inputs, record).spec.unwrap().containers[0].args.clone().unwrap()
}

#[test]
fn flags_say_who_a_member_is_and_where_it_is_reached() {
    let inputs = inputs(
        json!({"quota": "4Gi", "compaction": {"mode": "Periodic", "retention": "8h"},
                               "options": {"heartbeat-interval": "200"}}),
    );
    let mut record = record(&inputs, 0);
    let flags = args(&inputs, &record);
    for wanted in [
        "--name=demo-0",
        "--initial-cluster-state=new",
        "--initial-cluster-token=uid-1",
        "--initial-cluster=demo-0=https://demo-0.demo-peers.shop.svc.cluster.local:2380",
        "--advertise-client-urls=https://demo-0.demo-peers.shop.svc.cluster.local:2379",
        "--listen-client-urls=https://0.0.0.0:2379",
        "--client-cert-auth",
        "--peer-client-cert-auth",
        "--peer-skip-client-san-verification",
        "--quota-backend-bytes=4294967296",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=8h",
        "--heartbeat-interval=200",
    ] {
        assert!(flags.contains(&wanted.to_owned()), "{wanted} is not in {flags:#?}");
    }
    record.spec.initial_cluster = Some("a=b".into());
    assert!(args(&inputs, &record).contains(&"--initial-cluster-state=existing".to_owned()));
}

#[test]
fn plain_clients_are_served_beside_others_if_that_is_declared_and_ipv6_if_there_is_any() {
    let mut inputs = inputs(json!({"tls": {"client": {"acceptPlaintext": true}}}));
    inputs.ipv6 = true;
    let flags = args(&inputs, &record(&inputs, 1));
    assert!(
        flags.contains(&"--listen-client-urls=https://[::]:2379,http://[::]:2379".to_owned()),
        "{flags:#?}"
    );
}

#[test]
fn pods_ask_for_nothing_that_a_restricted_namespace_refuses() {
    let inputs = inputs(json!({}));
    let spec = pod(&inputs, &record(&inputs, 0)).spec.unwrap();
    let (security, container) = (spec.security_context.unwrap(), spec.containers[0].clone());
    assert_eq!(spec.automount_service_account_token, Some(false));
    assert_eq!(security.run_as_non_root, Some(true));
    assert_eq!(security.seccomp_profile.unwrap().type_, "RuntimeDefault");
    let own = container.security_context.unwrap();
    assert_eq!(own.read_only_root_filesystem, Some(true));
    assert_eq!(own.allow_privilege_escalation, Some(false));
    assert_eq!(own.capabilities.unwrap().drop, Some(vec!["ALL".to_owned()]));
    let probe = |probe: Option<k8s_openapi::api::core::v1::Probe>| probe.unwrap().http_get.unwrap().path.unwrap();
    assert_eq!(
        (probe(container.liveness_probe), probe(container.readiness_probe)),
        ("/livez".into(), "/readyz".into())
    );
    let spread = spec.topology_spread_constraints.unwrap();
    assert!(spread.iter().all(|one| one.when_unsatisfiable == "ScheduleAnyway") && spread.len() == 2);
}

#[test]
fn the_hash_is_of_what_is_declared_and_not_of_who_it_is_or_how_it_began() {
    let plain = inputs(json!({}));
    let (first, mut second) = (record(&plain, 0), record(&plain, 1));
    second.spec.initial_cluster = Some("x=y".into());
    second.spec.member_id = Some("1f".into());
    assert_eq!(pod_hash(&plain, &first), pod_hash(&plain, &second));
    for changed in [
        json!({"options": {"heartbeat-interval": "200"}}),
        json!({"podTemplate": {"resources": {"limits": {"memory": "1Gi"}}}}),
        json!({"podTemplate": {"metadata": {"annotations": {"again": "1"}}}}),
        json!({"podTemplate": {"priorityClassName": "high"}}),
    ] {
        let changed_inputs = inputs(changed.clone());
        assert_ne!(pod_hash(&plain, &first), pod_hash(&changed_inputs, &first), "{changed}");
    }
    let resized = inputs(json!({"replicas": 5, "storage": {"size": "16Gi"}}));
    assert_eq!(
        pod_hash(&plain, &first),
        pod_hash(&resized, &first),
        "sizes restart nobody"
    );
}

#[test]
fn a_budget_leaves_a_quorum_of_what_is_declared() {
    for (replicas, least) in [(0, 0), (1, 0), (2, 2), (3, 2), (5, 3), (9, 5)] {
        let spec = budget(&cluster(json!({"replicas": replicas}))).spec.unwrap();
        assert_eq!(spec.min_available, Some(IntOrString::Int(least)), "{replicas}");
    }
}

#[test]
fn clients_are_sent_to_voters_alone() {
    let cluster = cluster(json!({}));
    let names = Names::of(&cluster, "cluster.local");
    let selector = client_service(&cluster, &names).spec.unwrap().selector.unwrap();
    assert_eq!(selector.get(taffrail_crds::ROLE).map(String::as_str), Some("voter"));
}

#[test]
fn volumes_belong_to_the_cluster_only_if_they_shall_go_with_it() {
    let owners = |spec: Value| {
        let cluster = cluster(spec);
        let record = member(&cluster, "demo-0".into(), 0, true, "http://x:2380".into());
        let owners = volume(&cluster, &record).metadata.owner_references;
        owners.unwrap_or_default().len()
    };
    assert_eq!(owners(json!({})), 0);
    assert_eq!(owners(json!({"storage": {"retention": {"whenDeleted": "Delete"}}})), 1);
}

fn restore(bump_revision: i64) -> taffrail_crds::RestoreStatus {
    let target = json!({"s3": {"bucket": "abc", "credentialsSecretRef": {"name": "keys"}}});
    let object = json!({"target": target, "key": "k", "encryption": {"identitySecretRef": {"name": "age"}}});
    let pod = json!({"serviceAccountName": "reader"});
    serde_json::from_value(json!({"object": object, "bumpRevision": bump_revision, "pod": pod})).unwrap()
}

#[test]
fn the_pod_that_restores_is_none_of_the_members_and_mounts_what_the_store_asks_for() {
    let inputs = inputs(json!({}));
    let made = restore_pod(&inputs, &record(&inputs, 0), &restore(7), "operator:1");
    assert_eq!(made.metadata.name.as_deref(), Some("demo-0-restore"));
    let labels = made.metadata.labels.unwrap();
    assert!(!labels.contains_key(taffrail_crds::CLUSTER) && !labels.contains_key(taffrail_crds::ROLE));
    let spec = made.spec.unwrap();
    let containers: Vec<_> = spec.init_containers.iter().flatten().chain(&spec.containers).collect();
    let names: Vec<_> = containers
        .iter()
        .map(|one| (one.name.as_str(), one.image.as_deref().unwrap()))
        .collect();
    assert_eq!(
        names,
        [
            ("fetch", "operator:1"),
            ("restore", "taffrail:3.6.14"),
            ("finish", "operator:1")
        ]
    );
    let secrets: Vec<_> = spec
        .volumes
        .iter()
        .flatten()
        .filter_map(|one| one.secret.as_ref()?.secret_name.clone())
        .collect();
    assert_eq!(secrets, ["keys", "age"]);
    assert_eq!(spec.service_account_name.as_deref(), Some("reader"));
    assert!(containers.iter().all(|one| one.security_context.is_some()));
    let environment = containers[1].env.iter().flatten();
    assert!(
        environment
            .map(|one| one.name.as_str())
            .any(|name| name == "_RJEM_MALLOC_CONF")
    );
}

#[test]
fn a_restored_member_is_the_one_that_will_be_started_and_its_revision_moves_on_where_that_is_known() {
    let mut inputs = inputs(json!({}));
    let words = |inputs: &PodInputs, bump| {
        let made = restore_pod(inputs, &record(inputs, 0), &restore(bump), "operator:1");
        made.spec.unwrap().init_containers.unwrap()[1].args.clone().unwrap()
    };
    let said = words(&inputs, 7);
    for wanted in [
        "--name=demo-0",
        "--initial-cluster-token=uid-1",
        "--initial-cluster=demo-0=https://demo-0.demo-peers.shop.svc.cluster.local:2380",
        "--bump-revision=7",
        "--mark-compacted",
    ] {
        assert!(said.contains(&wanted.to_owned()), "{wanted} is not in {said:#?}");
    }
    assert!(
        !words(&inputs, 0)
            .iter()
            .any(|word| word.starts_with("--bump") || word.starts_with("--mark"))
    );
    inputs.version = "3.5.21".parse().unwrap();
    assert!(!words(&inputs, 7).iter().any(|word| word.starts_with("--bump")));
}
