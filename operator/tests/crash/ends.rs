//! What has to be the case at the end.

use std::fmt::Debug;

use serde_json::Value;

use crate::world::{Summary, World};

pub type End = Result<(), String>;

/// What is due in each of the world's first ten minutes, and then no more for a year: an end that a next minute could
/// take away again would depend on how often time passes between two calls.
pub const FIRST_TEN_MINUTES: &str = "0-9 0 1 1 *";
/// Passes in which those go by, and what was begun in them ends.
pub const TEN_MINUTES_PASSES_MAX: usize = 300;

pub fn ten_minutes_have_passed(world: &World) -> End {
    ensure(world.state().ticks > 150, "not long enough")
}

pub fn ensure(holds: bool, otherwise: impl Debug) -> End {
    if holds { Ok(()) } else { Err(format!("{otherwise:#?}")) }
}

/// So many voters that serve, nobody else, and nothing left over.
pub fn members(wanted: usize) -> impl Fn(&World) -> End + Send + Sync + 'static {
    move |world| {
        let summary = Summary::of(world);
        let counts = [summary.voters, summary.members, summary.pods, summary.ready_pods];
        ensure(counts == [wanted; 4] && summary.learners == 0, summary)
    }
}

/// Three members, this one not among them.
pub fn gone(member: &'static str) -> impl Fn(&World) -> End + Send + Sync + 'static {
    move |world| {
        members(3)(world)?;
        ensure(world.get("EtcdMember", member).is_none(), member)
    }
}

/// Three members that all run `version`.
pub fn running(version: &'static str) -> impl Fn(&World) -> End + Send + Sync + 'static {
    move |world| {
        members(3)(world)?;
        let versions = Summary::of(world).versions;
        ensure(versions.keys().eq([version]), versions)
    }
}

/// Three members, and of this kind all objects are so.
pub fn all_are(kind: &'static str, so: impl Fn(&Value) -> bool + Send + Sync + 'static) -> impl Fn(&World) -> End {
    move |world| {
        members(3)(world)?;
        ensure(world.all(kind).iter().all(&so), world.all(kind))
    }
}

pub fn asleep(world: &World) -> End {
    let summary = Summary::of(world);
    ensure((summary.pods, summary.voters, summary.claims) == (0, 3, 3), summary)
}

/// Every member was made from what is declared.
pub fn updated(world: &World) -> End {
    members(3)(world)?;
    let updated = world
        .get("EtcdCluster", "main")
        .and_then(|one| one["status"]["updatedReplicas"].as_i64());
    ensure(updated == Some(3), updated)
}

/// No authority is on its way.
pub fn rotated(world: &World) -> End {
    members(3)(world)?;
    let cluster = world.get("EtcdCluster", "main").ok_or("no cluster")?;
    let certificates = cluster["status"]["certificates"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let steady = certificates.iter().all(|one| !one["rotation"].is_string());
    ensure(steady && !certificates.is_empty(), certificates)
}

/// One was forced to go on alone, and has company again.
pub fn recovered(world: &World) -> End {
    members(3)(world)?;
    let summary = Summary::of(world);
    ensure(summary.histories == 2 && summary.claims_kept > 0, summary)
}

pub fn with_password(password: &'static str) -> impl Fn(&World) -> End + Send + Sync + 'static {
    move |world| {
        members(3)(world)?;
        let state = world.state();
        let last = state.histories.last().ok_or("no cluster")?;
        ensure(
            last.auth && last.root_password.as_deref() == Some(password),
            &last.root_password,
        )
    }
}
