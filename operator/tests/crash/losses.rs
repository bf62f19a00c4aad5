//! What breaks.

use serde_json::json;
use taffrail_crds::{CLUSTER, ROLE};
use taffrail_operator::etcd::AlarmKind;

use crate::ends::{ensure, gone, members, recovered};
use crate::show::{changing, production, to_members};
use crate::world::{Scenario, Summary, World};

pub async fn volume() -> Scenario {
    let lose = |world: &World| {
        world.delete_claim("data-main-1");
        world.delete("Pod", "main-1");
    };
    to_members(3, "lost volume", lose, gone("main-1")).await
}

/// Its pod cannot end, so that it stays behind.
pub async fn node() -> Scenario {
    let lose = |world: &World| drop(world.fail_node_of("main-1"));
    to_members(3, "lost node", lose, |world| {
        let summary = Summary::of(world);
        let replaced = world.get("EtcdMember", "main-1").is_none();
        ensure(replaced && summary.voters == 3 && summary.learners == 0, summary)
    })
    .await
}

/// A minute is less than a member is given.
pub async fn node_for_a_while() -> Scenario {
    let begin = to_members(3, "", |_: &World| {}, members(3)).await;
    let lose = |world: &World| {
        let node = world.fail_node_of("main-1");
        (0..12).for_each(|_| world.tick());
        world.mend_node(&node);
    };
    let stays = |world: &World| {
        members(3)(world)?;
        ensure(world.get("EtcdMember", "main-1").is_some(), "main-1 was replaced")
    };
    begin.then(&production(), "node back", lose, stays).await
}

pub async fn unreadable() -> Scenario {
    let ruin = |world: &World| world.ruin_volume("data-main-1");
    to_members(3, "corrupt", ruin, gone("main-1")).await
}

pub async fn corrupt_alarm() -> Scenario {
    let raise = |world: &World| {
        world.alarm("main-1", AlarmKind::Corrupt);
        // Kubernetes has heard of it before the operator has.
        world.tick();
    };
    to_members(3, "corrupt alarm", raise, gone("main-1")).await
}

pub async fn replacement() -> Scenario {
    let ask = |world: &World| {
        let replace = json!({"metadata": {"annotations": {"etcd.taffrail.dev/replace": "please"}}});
        world.change("EtcdMember", "main-1", replace);
    };
    to_members(3, "replace", ask, gone("main-1")).await
}

/// A pod and a volume claim with the labels of a member's: copies that somebody made to look into them.
fn copies(world: &World) {
    let copy = |kind: &'static str, of: &str| {
        let labels = &world.get(kind, of).expect("it is there")["metadata"]["labels"];
        json!({"kind": kind, "metadata": {"name": format!("copy-of-{of}"), "labels": labels}})
    };
    let mut pod = copy("Pod", "main-0");
    pod["spec"] = json!({"containers": [{"name": "web", "image": "web"}]});
    let mut claim = copy("PersistentVolumeClaim", "data-main-1");
    claim["spec"] = json!({"resources": {"requests": {"storage": "1Gi"}}});
    [pod, claim]
        .iter()
        .for_each(|object| drop(world.create(&object.to_string())));
}

/// The disruption budget would count the pod; the claim could be taken for the member's.
pub async fn look_alikes() -> Scenario {
    let left_alone = |world: &World| {
        let summary = Summary::of(world);
        let counts = [summary.voters, summary.members, summary.pods, summary.claims];
        ensure(counts == [3, 3, 4, 4] && summary.learners == 0, summary)?;
        let labels = &world.get("Pod", "copy-of-main-0").unwrap_or_default()["metadata"]["labels"];
        ensure(labels[CLUSTER].is_null() && labels[ROLE] == "voter", labels)?;
        let ours = ["main-0", "main-1", "main-2"];
        ensure(
            ours.iter().all(|name| world.get("EtcdMember", name).is_some()),
            "replaced",
        )
    };
    to_members(3, "look-alikes", copies, left_alone).await
}

fn lose_two(world: &World) {
    for member in ["main-1", "main-2"] {
        world.delete_claim(&format!("data-{member}"));
        world.delete("Pod", member);
    }
}

pub async fn quorum_by_hand() -> Scenario {
    let lose = |world: &World| {
        lose_two(world);
        let consent = json!({"etcd.taffrail.dev/recover-from": "main-0", "etcd.taffrail.dev/accept-data-loss": "main"});
        world.change("EtcdCluster", "main", json!({"metadata": {"annotations": consent}}));
    };
    to_members(3, "quorum lost", lose, recovered).await
}

pub async fn quorum_automatically() -> Scenario {
    let lose = |world: &World| {
        changing(json!({"quorumRecovery": "Automatic"}))(world);
        lose_two(world);
    };
    to_members(3, "quorum lost, automatic", lose, recovered).await
}
