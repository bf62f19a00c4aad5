//! Forgets the past now and then, never more of it than collectors have heard of.

use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::shared::{DRIVER, Shared};
use crate::chance::Chance;
use crate::history::Request;

const PAUSE_MILLIS: (u64, u64) = (500, 6_000);

pub async fn run(shared: Arc<Shared>, mut chance: Chance) {
    while shared.is_writing() && shared.settings.compactions {
        tokio::time::sleep(Duration::from_millis(chance.between(PAUSE_MILLIS.0, PAUSE_MILLIS.1))).await;
        let mut connection = Connection::new(chance.below(shared.doors.slots() as u64) as usize);
        compact(&shared, &mut connection, &mut chance).await;
    }
}

pub async fn compact(shared: &Shared, connection: &mut Connection, chance: &mut Chance) {
    let (from, to) = (shared.compacted(), shared.collected());
    // The very newest revision is worth compacting too: deletions and compaction meet there.
    let revision = if chance.percent(30) {
        to
    } else {
        from + chance.below((to - from).max(1) as u64) as i64
    };
    if revision > from {
        shared.compact(revision);
        connection.ask(shared, DRIVER, Request::Compact { revision }).await;
    }
}
