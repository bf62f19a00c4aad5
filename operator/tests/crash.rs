//! The operator dies at any of its writes, and another takes over: the end is the same, and nothing is lost on the way.

mod world;

use std::sync::Arc;

use taffrail_operator::cluster::reconcile;
use world::{Reconcile, Scenario, World, exhaustively, operator, run, two_operators};

fn production() -> Reconcile {
    operator(reconcile)
}

/// So many voters that serve, nobody else, and nothing left over.
fn members(wanted: usize) -> impl Fn(&World) -> Result<(), String> + Send + Sync + 'static {
    move |world| {
        let summary = world::Summary::of(world);
        let counts = [summary.voters, summary.members, summary.pods, summary.ready_pods];
        if counts == [wanted; 4] && summary.learners == 0 { Ok(()) } else { Err(format!("{summary:#?}")) }
    }
}

fn creating(spec: &str) -> Scenario {
    let cluster = format!("{{apiVersion: etcd.taffrail.dev/v1alpha1, kind: EtcdCluster, metadata: {{name: main}}, spec: {spec}}}");
    Scenario {
        name: "create",
        begin: World::new(),
        disturb: Arc::new(move |world| drop(world.create(&cluster))),
        goal: Arc::new(members(3)),
        passes_max: 200,
    }
}

#[test]
fn three_members_are_made_of_nothing() {
    run(async {
        let (world, writes, passes) = creating("{tls: {client: {mode: Disabled}, peer: {mode: Disabled}}}").once(&production()).await;
        println!("{}\n{} effective writes, {passes} passes", world.trace(), writes.len());
    });
}
