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
    let spec = format!("{{replicas: {replicas}, {PLAIN}}}");
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
    run(async move {
        let shown = exhaustively(&scenario, &production()).await;
        println!("{}: {shown:?}", scenario.name);
        for seed in 0..8 {
            two_operators(&scenario, &production(), seed).await;
        }
    });
}

/// What `disturb` does to `replicas` members at rest, until `goal`.
fn show_with(
    replicas: usize,
    name: &'static str,
    disturb: impl Fn(&World) + Send + Sync + 'static,
    goal: impl Fn(&World) -> Result<(), String> + Send + Sync + 'static,
) {
    run(async move {
        let scenario = creating(replicas).then(&production(), name, disturb, goal).await;
        let shown = exhaustively(&scenario, &production()).await;
        println!("{name}: {shown:?}");
        for seed in 0..8 {
            two_operators(&scenario, &production(), seed).await;
        }
    });
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
