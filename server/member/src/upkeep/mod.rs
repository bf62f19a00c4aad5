//! What keeps a member healthy while nobody asks for anything: reclaiming space, compacting on schedule, the quota,
//! comparing with other members.

mod compactor;
pub(crate) mod corruption;
pub(crate) mod quota;
mod reclaim;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use crate::{AutoCompaction, Member};

/// How often a member looks whether an alarm can go off.
const HEAL_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) struct Upkeep {
    /// One reclaim at a time.
    reclaiming: Mutex<()>,
    /// What was in use when this member last found itself full; all there can be if it never did.
    full_at_bytes: AtomicU64,
    failure: watch::Sender<Option<String>>,
}

impl Upkeep {
    pub fn new() -> Self {
        Upkeep {
            reclaiming: Mutex::new(()),
            full_at_bytes: AtomicU64::new(u64::MAX),
            failure: watch::Sender::new(None),
        }
    }

    /// Resolves with the cause once upkeep cannot go on, which means that the store cannot.
    pub async fn failed(&self) -> String {
        let mut failure = self.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(cause) => cause.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }
}

pub(crate) fn spawn(member: &Member) {
    tokio::spawn(reclaim::run(member.clone()));
    tokio::spawn(heal(member.clone()));
    corruption::spawn(member);
    match member.config().auto_compaction {
        AutoCompaction::Off => {}
        AutoCompaction::Periodic(period) => drop(tokio::spawn(compactor::periodic(member.clone(), period))),
        AutoCompaction::Revision(keep) => drop(tokio::spawn(compactor::by_revision(member.clone(), keep))),
    }
}

/// Looks in a row that must find space. An administrator who makes room disarms the alarm by hand, and expects to find
/// it; the alarm goes off by itself where there is none.
const HEAL_LOOKS: u32 = 5;

async fn heal(member: Member) {
    let mut tick = tokio::time::interval(HEAL_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looks_with_space = 0;
    loop {
        tick.tick().await;
        let room = member.has_own_space_alarm() && member.has_space();
        looks_with_space = if room { looks_with_space + 1 } else { 0 };
        if looks_with_space >= HEAL_LOOKS {
            member.heal_space_alarms().await;
        }
    }
}
