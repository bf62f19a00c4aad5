//! The world of the tests follows the rules of Kubernetes and of etcd, or what is shown in it means nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod world;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::controller::Action;
use serde_json::{Value, json};
use taffrail_crds::EtcdCluster;
use taffrail_operator::context::Context;
use taffrail_operator::etcd::{Access, Endpoint, Etcd, EtcdError};
use world::{FakeEtcd, Incarnation, Key, Scenario, World, exhaustively, operator, run};

fn client(world: &World) -> kube::Client {
    world::api::client(world, &Arc::new(Incarnation::immortal("test")))
}

fn etcd(world: &World) -> FakeEtcd {
    FakeEtcd {
        world: world.clone(),
        incarnation: Arc::new(Incarnation::immortal("test")),
    }
}

fn code(error: kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        other => panic!("{other}"),
    }
}

const CLUSTER: &str = "{apiVersion: etcd.taffrail.dev/v1alpha1, kind: EtcdCluster, metadata: {name: main}, spec: {}}";

#[test]
fn a_spec_comes_back_with_its_defaults_and_only_its_changes_make_generations() {
    run(async {
        let world = World::new();
        let made = world.create(CLUSTER);
        assert_eq!(
            (&made["spec"]["replicas"], &made["spec"]["storage"]["size"]),
            (&json!(3), &json!("8Gi"))
        );
        let api: Api<EtcdCluster> = Api::default_namespaced(client(&world));
        let manager = PatchParams::apply("operator").force();
        let status = |phase: &str| {
            Patch::Apply(
                json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdCluster",
                                "spec": {"replicas": 9}, "status": {"phase": phase, "replicas": 1}}),
            )
        };
        let told = api.patch_status("main", &manager, &status("Running")).await.unwrap();
        assert_eq!((told.spec.replicas, told.metadata.generation), (3, Some(1)));
        let again = api.patch_status("main", &manager, &status("Running")).await.unwrap();
        assert_eq!(again.metadata.resource_version, told.metadata.resource_version);
        world.change(
            "EtcdCluster",
            "main",
            json!({"spec": {"replicas": 5}, "status": {"phase": "Invalid"}}),
        );
        let scaled = api.get("main").await.unwrap();
        assert_eq!(
            (scaled.metadata.generation, scaled.status.unwrap().phase),
            (Some(2), Some("Running".into()))
        );
    });
}

#[test]
fn objects_are_written_by_whoever_saw_them_last_and_deleted_by_whom_they_mean() {
    run(async {
        let api: Api<ConfigMap> = Api::default_namespaced(client(&World::new()));
        let named: ConfigMap =
            serde_json::from_value(json!({"metadata": {"name": "a", "labels": {"x": "1"}}})).unwrap();
        let made = api.create(&PostParams::default(), &named).await.unwrap();
        assert_eq!(code(api.create(&PostParams::default(), &named).await.unwrap_err()), 409);
        let changed = ConfigMap {
            data: Some([("k".into(), "v".into())].into()),
            ..made.clone()
        };
        api.replace("a", &PostParams::default(), &changed).await.unwrap();
        let stale = ConfigMap {
            data: None,
            ..made.clone()
        };
        assert_eq!(
            code(api.replace("a", &PostParams::default(), &stale).await.unwrap_err()),
            409
        );
        let others = DeleteParams::default().preconditions(Preconditions {
            uid: Some("another".into()),
            ..Preconditions::default()
        });
        assert_eq!(code(api.delete("a", &others).await.unwrap_err()), 409);
        assert_eq!(
            api.list(&ListParams::default().labels("x=1"))
                .await
                .unwrap()
                .items
                .len(),
            1
        );
        assert_eq!(
            api.list(&ListParams::default().labels("x!=1"))
                .await
                .unwrap()
                .items
                .len(),
            0
        );
        assert_eq!(
            api.list_metadata(&ListParams::default().labels("x in (1,2)"))
                .await
                .unwrap()
                .items
                .len(),
            1
        );
        assert_eq!(
            api.list(&ListParams::default().fields("metadata.name=b"))
                .await
                .unwrap()
                .items
                .len(),
            0
        );
        api.delete("a", &DeleteParams::default()).await.unwrap();
        assert!(api.get_opt("a").await.unwrap().is_none());
    });
}

#[test]
fn a_pod_ends_before_it_goes_and_its_claim_waits_for_it() {
    run(async {
        let world = World::new();
        bootstrap(&world, 1);
        let pods: Api<Pod> = Api::default_namespaced(client(&world));
        let claims: Api<PersistentVolumeClaim> = Api::default_namespaced(client(&world));
        world.delete_claim("data-m0");
        world.tick();
        assert!(
            claims
                .get("data-m0")
                .await
                .unwrap()
                .metadata
                .deletion_timestamp
                .is_some()
        );
        pods.delete("m0", &DeleteParams::default()).await.unwrap();
        assert!(pods.get("m0").await.unwrap().metadata.deletion_timestamp.is_some());
        assert_eq!(world.state().processes.len(), 1);
        world.tick();
        assert!(pods.get_opt("m0").await.unwrap().is_none() && claims.get_opt("data-m0").await.unwrap().is_none());
        assert!(world.state().processes.is_empty());
    });
}

#[test]
fn what_has_no_owner_any_more_goes() {
    run(async {
        let world = World::new();
        let uid = world.create(CLUSTER)["metadata"]["uid"].clone();
        let owners = json!([{"apiVersion": "v1", "kind": "EtcdCluster", "name": "main", "uid": uid}]);
        let owned =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "ownerReferences": owners}});
        world.create(&owned.to_string());
        world.tick();
        assert!(world.get("ConfigMap", "a").is_some());
        world.delete("EtcdCluster", "main");
        world.tick();
        assert!(world.get("ConfigMap", "a").is_none());
    });
}

fn url(member: usize) -> String {
    format!("http://m{member}.peers.default.svc:2380")
}

/// A member made by hand: its claim and its pod.
fn member(world: &World, number: usize, initial: &[usize], state: &str) {
    let name = format!("m{number}");
    if world.get("PersistentVolumeClaim", &format!("data-{name}")).is_none() {
        let meta = json!({"name": format!("data-{name}"), "labels": {"etcd.taffrail.dev/cluster-uid": "c"}});
        let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec});
        world.create(&claim.to_string());
    }
    world.create(&pod(number, initial, state).to_string());
}

fn pod(number: usize, initial: &[usize], state: &str) -> Value {
    let name = format!("m{number}");
    let initial: Vec<String> = initial.iter().map(|one| format!("m{one}={}", url(*one))).collect();
    let flags = json!([
        format!("--name={name}"),
        "--data-dir=/data".to_owned(),
        format!("--initial-cluster={}", initial.join(",")),
        format!("--initial-cluster-state={state}"),
        "--initial-cluster-token=t".to_owned(),
        format!("--initial-advertise-peer-urls={}", url(number)),
        format!("--advertise-client-urls=http://{name}:2379"),
    ]);
    let labels = json!({"app": "etcd", "etcd.taffrail.dev/cluster-uid": "c"});
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": format!("data-{name}")}}]);
    let container = json!({"name": "etcd", "image": "etcd:3.6.14", "command": ["etcd"], "args": flags});
    let spec = json!({"hostname": name, "subdomain": "peers", "containers": [container], "volumes": volumes});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec})
}

fn bootstrap(world: &World, count: usize) {
    let spec = json!({"clusterIP": "None", "publishNotReadyAddresses": true, "selector": {"app": "etcd"}});
    world.create(
        &json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "peers"}, "spec": spec}).to_string(),
    );
    let all: Vec<usize> = (0..count).collect();
    all.iter().for_each(|number| member(world, *number, &all, "new"));
    (0..4).for_each(|_| world.tick());
}

fn at(world: &World, number: usize) -> Endpoint {
    let pod = world.get("Pod", &format!("m{number}")).unwrap();
    Endpoint {
        url: format!("http://{}:2379", pod["status"]["podIP"].as_str().unwrap()),
        server_name: String::new(),
    }
}

async fn id(world: &World, number: usize) -> u64 {
    etcd(world)
        .facts(&Access::default(), &at(world, number))
        .await
        .unwrap()
        .member_id
}

#[test]
fn three_members_that_are_new_found_one_cluster() {
    run(async {
        let world = World::new();
        bootstrap(&world, 3);
        let roster = etcd(&world).roster(&Access::default(), &[at(&world, 2)]).await.unwrap();
        assert_eq!(roster.members.iter().filter(|one| !one.name.is_empty()).count(), 3);
        assert_eq!(world.violations(), Vec::<String>::new());
        assert!(world.state().histories[0].acknowledged > 0);
        assert_eq!(
            world.get("Pod", "m0").unwrap()["status"]["containerStatuses"][0]["ready"],
            true
        );
    });
}

#[test]
fn a_learner_joins_catches_up_and_is_promoted() {
    run(async {
        let (world, access) = (World::new(), Access::default());
        bootstrap(&world, 1);
        let (etcd, through) = (etcd(&world), [at(&world, 0)]);
        let learner = etcd.add_learner(&access, &through, &url(1)).await.unwrap();
        assert_eq!(
            etcd.add_learner(&access, &through, &url(1)).await,
            Err(EtcdError::PeerUrlExists)
        );
        assert_eq!(
            etcd.add_learner(&access, &through, &url(2)).await,
            Err(EtcdError::TooManyLearners)
        );
        assert_eq!(
            etcd.promote(&access, &through, learner).await,
            Err(EtcdError::LearnerNotReady)
        );
        member(&world, 1, &[0, 1], "existing");
        world.tick();
        let learners_answer = etcd.roster(&access, &[at(&world, 1)]).await;
        assert_eq!(
            learners_answer,
            Err(EtcdError::Refused("rpc not supported for learner".into()))
        );
        assert_eq!(
            etcd.promote(&access, &through, learner).await,
            Err(EtcdError::LearnerNotReady)
        );
        (0..4).for_each(|_| world.tick());
        etcd.promote(&access, &through, learner).await.unwrap();
        assert_eq!(
            etcd.promote(&access, &through, learner).await,
            Err(EtcdError::NotLearner)
        );
        assert_eq!(etcd.remove(&access, &through, 1).await, Err(EtcdError::MemberNotFound));
    });
}

#[test]
fn without_a_quorum_nothing_is_changed_and_with_it_etcd_protects_it() {
    run(async {
        let (world, access) = (World::new(), Access::default());
        bootstrap(&world, 3);
        let (etcd, through) = (etcd(&world), [at(&world, 0), at(&world, 2)]);
        let (one, two) = (id(&world, 1).await, id(&world, 2).await);
        world.control(|wrong| {
            wrong.crashing.insert("m1".into());
        });
        world.crash("m1");
        world.tick();
        let refused = etcd.remove(&access, &through, two).await;
        assert!(matches!(refused, Err(EtcdError::Unhealthy(_))), "{refused:?}");
        let refused = etcd.add_learner(&access, &through, &url(3)).await;
        assert!(matches!(refused, Err(EtcdError::Unhealthy(_))), "{refused:?}");
        world.control(|wrong| {
            wrong.crashing.insert("m2".into());
        });
        world.crash("m2");
        world.tick();
        assert!(matches!(
            etcd.remove(&access, &through, one).await,
            Err(EtcdError::NoQuorum(_))
        ));
        assert!(matches!(
            etcd.roster(&access, &through).await,
            Err(EtcdError::NoQuorum(_))
        ));
        assert!(etcd.facts(&access, &through[0]).await.unwrap().leader_id == 0);
    });
}

#[test]
fn a_removed_member_ends_and_never_comes_back() {
    run(async {
        let world = World::new();
        bootstrap(&world, 3);
        let one = id(&world, 1).await;
        etcd(&world)
            .remove(&Access::default(), &[at(&world, 0)], one)
            .await
            .unwrap();
        (0..3).for_each(|_| world.tick());
        let status = world.get("Pod", "m1").unwrap()["status"]["containerStatuses"][0].clone();
        assert_eq!(status["state"]["waiting"]["reason"], "CrashLoopBackOff");
        assert_eq!(world.state().processes.len(), 2);
    });
}

#[test]
fn a_second_founding_is_seen() {
    run(async {
        let world = World::new();
        bootstrap(&world, 1);
        world.empty_volume("data-m0");
        world.tick();
        assert!(
            world
                .violations()
                .iter()
                .any(|one| one.contains("founds a second cluster")),
            "{:?}",
            world.violations()
        );
    });
}

#[test]
fn acknowledged_writes_that_nobody_has_any_more_are_missed() {
    run(async {
        let world = World::new();
        bootstrap(&world, 3);
        for pod in ["m0", "m1", "m2"] {
            world.control(|wrong| {
                wrong.crashing.insert(pod.into());
            });
            world.crash(pod);
        }
        world.tick();
        // Two members whose volumes lost what they had promised to keep make a quorum.
        for volume in ["data-m0", "data-m1"] {
            let mut state = world.state();
            let disk = state.disks.values_mut().find(|disk| disk.claim.name == volume).unwrap();
            disk.data.as_mut().unwrap().entries = 0;
        }
        world.control(|wrong| wrong.crashing = ["m2".to_owned()].into());
        world.tick();
        assert!(
            world
                .violations()
                .iter()
                .any(|one| one.contains("acknowledged writes are lost"))
        );
    });
}

/// An operator that writes down what it made only after it made it.
async fn forgetful(cluster: Arc<EtcdCluster>, context: Arc<Context>) -> Result<Action, kube::Error> {
    let maps: Api<ConfigMap> = Api::default_namespaced(context.client.clone());
    let clusters: Api<EtcdCluster> = Api::default_namespaced(context.client.clone());
    if cluster.metadata.annotations.is_none() {
        let map = serde_json::from_value(json!({"metadata": {"generateName": "made-"}})).expect("a ConfigMap");
        let made = maps.create(&PostParams::default(), &map).await?;
        let note = json!({"metadata": {"annotations": {"made": made.metadata.name}}});
        clusters
            .patch("main", &PatchParams::default(), &Patch::Merge(note))
            .await?;
    }
    Ok(Action::await_change())
}

fn one_map() -> Scenario {
    Scenario {
        name: "one map",
        begin: World::new(),
        disturb: Arc::new(|world| drop(world.create(CLUSTER))),
        goal: Arc::new(|world| match world.all("ConfigMap").len() {
            1 => Ok(()),
            count => Err(format!("{count} maps")),
        }),
        passes_max: 10,
    }
}

#[test]
#[should_panic(expected = "killed After write 0")]
fn an_operator_that_forgets_what_it_made_is_found_out() {
    run(async {
        exhaustively(&one_map(), &operator(forgetful)).await;
    });
}

#[test]
#[should_panic(expected = "two operators")]
fn two_operators_that_make_the_same_twice_are_found_out() {
    run(async {
        for seed in 0..8 {
            world::two_operators(&one_map(), &operator(forgetful), seed).await;
        }
    });
}

/// An operator that deletes every pod it sees.
async fn careless(_: Arc<EtcdCluster>, context: Arc<Context>) -> Result<Action, kube::Error> {
    let pods: Api<Pod> = Api::default_namespaced(context.client.clone());
    for pod in ["m0", "m1"] {
        pods.delete(pod, &DeleteParams::default()).await?;
    }
    Ok(Action::await_change())
}

#[test]
fn an_operator_that_costs_the_quorum_is_found_out() {
    run(async {
        let world = World::new();
        let uid = world.create(CLUSTER)["metadata"]["uid"].as_str().unwrap().to_owned();
        bootstrap(&world, 3);
        world.state().histories[0].owner = uid;
        let life = world::Life::begin(&world, Incarnation::immortal("careless"), &operator(careless));
        life.pass(&world).await;
        let violations = world.violations();
        assert!(
            violations
                .iter()
                .any(|one| one.contains("the pod m1 is deleted: 1 voters are left")),
            "{violations:?}"
        );
        assert!(world.state().api.get(&Key::new("Pod", "default", "m1")).is_ok());
    });
}
