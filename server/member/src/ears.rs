//! Hears every applied entry, on the apply thread, and tells the parts of the member that care.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use taffrail_consensus::Listener;
use taffrail_proto::mvccpb::event::EventType;
use taffrail_store::{Applied, ApplyError, Content, Entry, Response, Store, View};
use tokio::sync::Notify;

use crate::auth::{SimpleTokens, simple};
use crate::counters::Counters;
use crate::entry;
use crate::lease::LeaseClock;
use crate::slow::Slow;
use crate::watch::Hub;

/// The listener a node is started with; the member is then started with the same one.
pub struct Ears {
    pub(crate) hub: Arc<Hub>,
    pub(crate) leases: LeaseClock,
    pub(crate) counters: Arc<Counters>,
    pub(crate) tokens: SimpleTokens,
    /// Every request asks, so it is only looked up. Told a moment after the state that a reader may see.
    pub(crate) auth_enabled: AtomicBool,
    pub(crate) slow: Slow,
    /// Wakes whoever reclaims space after a compaction.
    pub(crate) compacted: Notify,
    /// A change of the membership was applied.
    pub(crate) membership: Notify,
    membership_index: AtomicU64,
}

impl Ears {
    pub fn new(store: &Store) -> Arc<Self> {
        let counters = Arc::new(Counters::default());
        Arc::new(Ears {
            hub: Arc::new(Hub::new(store.view().revision(), Arc::clone(&counters))),
            leases: LeaseClock::default(),
            counters,
            tokens: SimpleTokens::default(),
            auth_enabled: AtomicBool::new(store.view().auth().enabled()),
            slow: Slow::default(),
            compacted: Notify::new(),
            membership: Notify::new(),
            membership_index: AtomicU64::new(0),
        })
    }
}

impl Listener for Ears {
    fn applied(&self, batch: &[Applied], view: &View) {
        self.heed_membership(view);
        self.auth_enabled.store(view.auth().enabled(), Relaxed);
        for applied in batch {
            self.heed(applied, view);
        }
        self.hub.publish(batch);
    }

    fn evaluated(&self, entry: &Entry, applied: &Applied, took: Duration) {
        let Content::Request(request) = &entry.content else {
            return;
        };
        let Some(operation) = entry::operation(request) else {
            return;
        };
        let success = matches!(&applied.answer, Ok(_) | Err(ApplyError::Compacted(_)));
        self.counters.applies.0[operation].observe(success, took);
        if self.slow.is_slow(took) {
            self.counters.slow_applies.add(1);
            self.slow.entry(took, request, &applied.answer);
        }
    }

    fn committed(&self, took: Duration) {
        self.counters.upkeep.commit_s.observe(took.as_secs_f64());
    }

    fn installed(&self, view: &View) {
        self.heed_membership(view);
        self.auth_enabled.store(view.auth().enabled(), Relaxed);
        self.hub.jump(view.revision());
        self.compacted.notify_one();
    }
}

impl Ears {
    fn heed_membership(&self, view: &View) {
        let index = view.consensus_membership().map_or(0, |(position, _)| position.index);
        if self.membership_index.swap(index, Relaxed) != index {
            self.membership.notify_one();
        }
    }

    fn heed(&self, applied: &Applied, view: &View) {
        self.count(applied);
        match &applied.answer {
            Ok(Response::LeaseGrant(grant)) => {
                self.counters.leases_granted.add(1);
                self.counters.lease_ttls.0.observe(grant.ttl as f64);
                self.leases.granted(grant.id, grant.ttl);
            }
            Ok(Response::LeaseRevoke(_)) => self.counters.leases_revoked.add(1),
            Ok(Response::Compaction(_)) => self.compacted.notify_one(),
            Ok(Response::Txn(_)) => self.counters.txns.add(1),
            Ok(Response::Auth) if !view.auth().enabled() => self.tokens.forget(),
            Ok(Response::Authenticated {
                user,
                simple_token,
                index,
                ..
            }) if !simple_token.is_empty() => {
                self.tokens
                    .learn(simple::token(simple_token, *index), user, view.auth());
            }
            _ => {}
        }
    }

    fn count(&self, applied: &Applied) {
        self.counters.events.add(applied.events.len() as u64);
        for event in &applied.events {
            match (event.r#type(), &event.kv) {
                (EventType::Put, Some(kv)) => {
                    self.counters.puts.add(1);
                    self.counters.put_bytes.add((kv.key.len() + kv.value.len()) as u64);
                }
                (EventType::Put, None) => {}
                (EventType::Delete, _) => self.counters.deletes.add(1),
            }
        }
    }
}
