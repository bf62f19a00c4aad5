//! More members, fewer, none.

use std::sync::Arc;

use crate::ends::{asleep, ensure, members};
use crate::show::{creating, production, scaling_to, to_members};
use crate::world::{Incarnation, Life, Scenario, Summary};

pub async fn three_of_nothing() -> Scenario {
    creating(3)
}

pub async fn one_to_three() -> Scenario {
    to_members(1, "scale out", scaling_to(3), members(3)).await
}

pub async fn five_to_three() -> Scenario {
    to_members(5, "scale in", scaling_to(3), members(3)).await
}

pub async fn three_to_one() -> Scenario {
    to_members(3, "scale in to one", scaling_to(1), members(1)).await
}

pub async fn to_sleep() -> Scenario {
    to_members(3, "hibernate", scaling_to(0), asleep).await
}

pub async fn awake_again() -> Scenario {
    let slept = to_sleep().await;
    slept.then(&production(), "wake", scaling_to(3), members(3)).await
}

/// Five were wanted until the first of the two was under way.
pub async fn back_half_way() -> Scenario {
    let towards = to_members(3, "five", scaling_to(3), members(3)).await;
    let world = towards.begin.clone();
    scaling_to(5)(&world);
    let life = Life::begin(&world, Incarnation::immortal("before"), &production());
    life.pass(&world).await;
    world.tick();
    Scenario {
        name: "back to three",
        disturb: Arc::new(scaling_to(3)),
        ..towards
    }
}

pub async fn deleted() -> Scenario {
    to_members(
        3,
        "delete",
        |world| world.delete("EtcdCluster", "main"),
        |world| {
            let summary = Summary::of(world);
            ensure((summary.pods, summary.members, summary.claims) == (0, 0, 3), summary)
        },
    )
    .await
}
