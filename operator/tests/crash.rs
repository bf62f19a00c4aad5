//! The operator dies at any of its writes, and another takes over: the end is the same, and nothing is lost on the way.

mod world;

use std::sync::Arc;

use serde_json::json;
use taffrail_operator::cluster::reconcile;
use world::{Reconcile, Scenario, World, exhaustively, operator, run, two_operators};

const PLAIN: &str = "tls: {client: {mode: Disabled}, peer: {mode: Disabled}}";

fn production() -> Reconcile {
    operator(reconcile)
}

/// So many voters that serve, nobody else, and nothing left over.
fn members(wanted: usize) -> impl Fn(&World) -> Result<(), String> + Send + Sync + 'static {
    move |world| {
        let summary = world::Summary::of(world);
        let counts = [summary.voters, summary.members, summary.pods, summary.ready_pods];
        if counts == [wanted; 4] && summary.learners == 0 {
            Ok(())
        } else {
            Err(format!("{summary:#?}"))
        }
    }
}

fn creating(replicas: usize) -> Scenario {
    creating_with(replicas, PLAIN)
}

fn creating_with(replicas: usize, rest: &str) -> Scenario {
    let spec = format!("{{replicas: {replicas}, {rest}}}");
    let meta = "apiVersion: etcd.taffrail.dev/v1alpha1, kind: EtcdCluster, metadata: {name: main}";
    let cluster = format!("{{{meta}, spec: {spec}}}");
    Scenario {
        name: "create",
        begin: World::new(),
        disturb: Arc::new(move |world| drop(world.create(&cluster))),
        goal: Arc::new(members(replicas)),
        passes_max: 200,
    }
}

fn scaling_to(replicas: usize) -> impl Fn(&World) + Send + Sync + 'static {
    move |world| world.change("EtcdCluster", "main", json!({"spec": {"replicas": replicas}}))
}

fn show(scenario: Scenario) {
    run(show_here(scenario));
}

/// `CRASH_TESTS=once` leaves the deaths out: a quick look whether the end is reached at all.
async fn show_here(scenario: Scenario) {
    if std::env::var("CRASH_TESTS").is_ok_and(|how| how == "once") {
        let (world, writes, passes) = scenario.once(&production()).await;
        println!(
            "{}: {} writes, {passes} passes, {:?}",
            scenario.name,
            writes.len(),
            world::Summary::of(&world).versions
        );
        return;
    }
    println!("{}: {:?}", scenario.name, exhaustively(&scenario, &production()).await);
    for seed in 0..8 {
        two_operators(&scenario, &production(), seed).await;
    }
}

/// What `disturb` does to `replicas` members at rest, until `goal`.
fn show_with(
    replicas: usize,
    name: &'static str,
    disturb: impl Fn(&World) + Send + Sync + 'static,
    goal: impl Fn(&World) -> Result<(), String> + Send + Sync + 'static,
) {
    run(async move { show_here(creating(replicas).then(&production(), name, disturb, goal).await).await });
}

#[test]
fn three_members_are_made_of_nothing() {
    show(creating(3));
}

#[test]
fn one_member_becomes_three() {
    show_with(1, "scale out", scaling_to(3), members(3));
}

#[test]
fn five_members_become_three() {
    show_with(5, "scale in", scaling_to(3), members(3));
}

#[test]
fn three_members_become_one() {
    show_with(3, "scale in to one", scaling_to(1), members(1));
}

#[test]
fn a_member_whose_volume_claim_is_deleted_is_replaced() {
    let lose = |world: &World| {
        world.delete_claim("data-main-1");
        world.delete("Pod", "main-1");
    };
    show_with(3, "lost volume", lose, |world| {
        members(3)(world)?;
        if world.get("EtcdMember", "main-1").is_none() {
            Ok(())
        } else {
            Err("main-1 is still there".into())
        }
    });
}

#[test]
fn a_member_whose_node_is_lost_is_replaced() {
    let lose = |world: &World| drop(world.fail_node_of("main-1"));
    show_with(3, "lost node", lose, |world| {
        let summary = world::Summary::of(world);
        let replaced = world.get("EtcdMember", "main-1").is_none();
        if replaced && summary.voters == 3 && summary.learners == 0 {
            Ok(())
        } else {
            Err(format!("{summary:#?}"))
        }
    });
}

#[test]
fn members_are_updated_one_at_a_time() {
    let update = |world: &World| {
        world.change(
            "EtcdCluster",
            "main",
            json!({"spec": {"options": {"heartbeat-interval": "200"}}}),
        )
    };
    show_with(3, "roll", update, |world| {
        members(3)(world)?;
        let updated = world
            .get("EtcdCluster", "main")
            .and_then(|one| one["status"]["updatedReplicas"].as_i64());
        if updated == Some(3) {
            Ok(())
        } else {
            Err(format!("{updated:?} members are updated"))
        }
    });
}

/// `spec` changes; the end is `goal`.
fn changing(patch: serde_json::Value) -> impl Fn(&World) + Send + Sync + 'static {
    move |world| world.change("EtcdCluster", "main", json!({"spec": patch}))
}

fn gone(member: &'static str) -> impl Fn(&World) -> Result<(), String> + Send + Sync + 'static {
    move |world| {
        members(3)(world)?;
        if world.get("EtcdMember", member).is_none() {
            Ok(())
        } else {
            Err(format!("{member} is still there"))
        }
    }
}

#[test]
fn hibernation_stops_all_members_and_keeps_their_data() {
    show_with(3, "hibernate", scaling_to(0), |world| {
        let summary = world::Summary::of(world);
        if (summary.pods, summary.voters, summary.claims) == (0, 3, 3) {
            Ok(())
        } else {
            Err(format!("{summary:#?}"))
        }
    });
}

#[test]
fn a_hibernated_cluster_wakes_with_its_data() {
    run(async {
        let asleep = |world: &World| {
            if world::Summary::of(world).pods == 0 {
                Ok(())
            } else {
                Err("awake".into())
            }
        };
        let slept = creating(3).then(&production(), "sleep", scaling_to(0), asleep).await;
        show_here(slept.then(&production(), "wake", scaling_to(3), members(3)).await).await;
    });
}

#[test]
fn a_member_whose_data_cannot_be_read_is_replaced() {
    show_with(3, "corrupt", |world| world.ruin_volume("data-main-1"), gone("main-1"));
}

#[test]
fn a_storage_class_is_changed_by_replacing_members() {
    show_with(
        3,
        "storage class",
        changing(json!({"storage": {"className": "other"}})),
        |world| {
            members(3)(world)?;
            let classes = world.all("PersistentVolumeClaim");
            let all = classes.iter().all(|claim| claim["spec"]["storageClassName"] == "other");
            if all {
                Ok(())
            } else {
                Err("a claim has the old class".into())
            }
        },
    );
}

#[test]
fn volumes_grow() {
    show_with(3, "grow", changing(json!({"storage": {"size": "16Gi"}})), |world| {
        members(3)(world)?;
        let grown = |claim: &serde_json::Value| claim["status"]["capacity"]["storage"] == "16Gi";
        if world.all("PersistentVolumeClaim").iter().all(grown) {
            Ok(())
        } else {
            Err("too small".into())
        }
    });
}

#[test]
fn a_version_comes_member_by_member() {
    show_with(3, "upgrade", changing(json!({"version": "3.7.0"})), |world| {
        members(3)(world)?;
        let versions = world::Summary::of(world).versions;
        if versions.len() == 1 && versions.contains_key("3.7.0") {
            Ok(())
        } else {
            Err(format!("{versions:?}"))
        }
    });
}

#[test]
fn a_deleted_cluster_takes_its_pods_along_and_leaves_its_data() {
    show_with(
        3,
        "delete",
        |world| world.delete("EtcdCluster", "main"),
        |world| {
            let summary = world::Summary::of(world);
            if (summary.pods, summary.members, summary.claims) == (0, 0, 3) {
                Ok(())
            } else {
                Err(format!("{summary:#?}"))
            }
        },
    );
}

#[test]
fn a_wish_that_changes_half_way_is_followed() {
    run(async {
        let towards = creating(3).then(&production(), "five", scaling_to(3), members(3)).await;
        let world = towards.begin.clone();
        scaling_to(5)(&world);
        let life = world::Life::begin(&world, world::Incarnation::immortal("before"), &production());
        life.pass(&world).await;
        world.tick();
        let back = Scenario {
            name: "back to three",
            disturb: Arc::new(scaling_to(3)),
            ..towards
        };
        show_here(back).await;
    });
}

#[test]
fn replacement_that_is_asked_for_is_done() {
    let ask = |world: &World| {
        let replace = json!({"metadata": {"annotations": {"etcd.taffrail.dev/replace": "please"}}});
        world.change("EtcdMember", "main-1", replace);
    };
    show_with(3, "replace", ask, gone("main-1"));
}

#[test]
#[ignore = "the pod that copied the survivor's data is left over if the operator dies before it deletes it"]
fn after_the_loss_of_the_quorum_one_goes_on_when_a_person_says_so() {
    let lose = |world: &World| {
        for member in ["main-1", "main-2"] {
            world.delete_claim(&format!("data-{member}"));
            world.delete("Pod", member);
        }
        let consent = json!({"etcd.taffrail.dev/recover-from": "main-0", "etcd.taffrail.dev/accept-data-loss": "main"});
        world.change("EtcdCluster", "main", json!({"metadata": {"annotations": consent}}));
    };
    show_with(3, "quorum lost", lose, |world| {
        members(3)(world)?;
        if world::Summary::of(world).histories == 2 {
            Ok(())
        } else {
            Err("nobody was forced".into())
        }
    });
}

#[test]
fn members_with_certificates_are_made_of_nothing() {
    show(creating_with(3, ""));
}

#[test]
#[ignore = "members are not started anew yet when their authorities change, and etcd reads them once"]
fn authorities_are_rotated_while_members_serve() {
    run(async {
        let rotate = changing(json!({"tls": {"client": {"caRotation": "1"}, "peer": {"caRotation": "1"}}}));
        let mut scenario = creating_with(3, "")
            .then(&production(), "rotate", rotate, rotated)
            .await;
        scenario.passes_max = 400;
        scenario.begin.state().settings.authority_overlap = std::time::Duration::from_secs(60);
        show_here(scenario).await;
    });
}

fn rotated(world: &World) -> Result<(), String> {
    members(3)(world)?;
    let cluster = world.get("EtcdCluster", "main").ok_or("no cluster")?;
    let certificates = cluster["status"]["certificates"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let under_way: Vec<_> = certificates.iter().filter(|one| one["rotation"].is_string()).collect();
    if under_way.is_empty() && !certificates.is_empty() {
        Ok(())
    } else {
        Err(format!("{under_way:?}"))
    }
}

#[test]
fn passwords_come_and_change() {
    run(async {
        let auth = "auth: {enabled: true, rootSecretRef: {name: root}}";
        let mut scenario = creating_with(3, auth);
        scenario.name = "passwords";
        scenario
            .begin
            .secret("root", &[("username", "root"), ("password", "old")]);
        scenario.goal = Arc::new(with_password("old"));
        let changed = scenario
            .clone()
            .then(&production(), "another password", set_password, with_password("new"))
            .await;
        show_here(scenario).await;
        show_here(changed).await;
    });
}

fn set_password(world: &World) {
    world.change("Secret", "root", json!({"stringData": {"password": "new"}}));
}

fn with_password(password: &'static str) -> impl Fn(&World) -> Result<(), String> + Send + Sync + 'static {
    move |world| {
        members(3)(world)?;
        let state = world.state();
        let last = state.histories.last().ok_or("no cluster")?;
        if last.auth && last.root_password.as_deref() == Some(password) {
            Ok(())
        } else {
            Err(format!("{:?}", last.root_password))
        }
    }
}
