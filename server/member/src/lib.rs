//! One living member.
//!
//! Enters: well-formed requests of known callers. Leaves: answers, and for watchers a stream of events. Always
//! holds: a write is answered only after it is durable and applied here; a read that is not serializable sees every
//! write acknowledged before it began; a watcher sees every event of its range once, in order, a revision at a time.
//!
//! Time starts here: leases expire, compaction runs on schedule, requests give up. The rooms below know no clock.

mod auth;
mod backup;
mod change;
mod config;
mod counters;
mod ears;
mod entry;
mod error;
mod histogram;
mod identity;
mod ids;
mod leadership;
mod lease;
mod membership;
mod publish;
mod questions;
mod range;
mod read;
mod seldom;
pub mod shown;
mod slow;
mod status;
mod upkeep;
mod version;
pub mod watch;
mod write;

use std::sync::Arc;

use taffrail_consensus::Node;
use taffrail_store::Store;

pub use auth::{
    AuthChange, AuthConfig, AuthStatus, Credentials, InvalidToken, Jwt, JwtConfig, JwtKeyError, PasswordError,
    TokenConfig,
};
pub use config::{
    AutoCompaction, CorruptionChecks, LEASE_CHECKPOINT_INTERVAL, Limits, MemberConfig, MembershipRules,
    QUOTA_DEFAULT_BYTES,
};
pub use counters::Counters;
pub use ears::Ears;
pub use entry::{id_of, operations};
pub use error::{
    AuthChangeError, AuthenticateError, BackupError, DowngradeError, LeaseError, MemberError, MoveLeaderError,
    ReadError, Timeout, WriteError,
};
pub use histogram::{Distribution, Histogram};
pub use identity::{cluster_id, member_id};
pub use lease::LeaseTtl;
pub use membership::MemberInfo;
pub use range::KeyRange;
pub use seldom::Seldom;
pub use status::Status;
pub use taffrail_consensus::{BarrierError, Leadership, Progress, Proposals, ProposeError};
pub use taffrail_store::backup::Chunks;
pub use taffrail_store::{ApplyError, AuthError, Caller, RangeError, Sizes};
pub use upkeep::corruption::InitialCheckError;
pub use version::check_not_older;
pub use write::TxnError;

/// The handle to a running member. Cloning is cheap.
#[derive(Clone)]
pub struct Member(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub config: MemberConfig,
    pub store: Store,
    pub node: Node,
    pub ears: Arc<Ears>,
    pub ids: ids::IdGenerator,
    pub admission: write::Admission,
    pub upkeep: upkeep::Upkeep,
    pub learner: std::sync::atomic::AtomicBool,
    pub leaders: leadership::Leaders,
    pub passwords: auth::Passwords,
    /// None where tokens are simple.
    pub jwt: Option<Arc<Jwt>>,
    pub invalid_tokens: seldom::Seldom,
    /// One change of the membership at a time: what it was checked against must still hold when it is made.
    pub changing: tokio::sync::Mutex<()>,
}

impl Member {
    /// Brings a member to life on a running node. `ears` must be the listener the node was started with.
    pub fn start(config: MemberConfig, store: Store, node: Node, ears: Arc<Ears>) -> Self {
        let member = Member(Arc::new(Inner {
            ids: ids::IdGenerator::new(config.member_id, config.started_at_ms),
            admission: write::Admission::new(config.limits.inflight_bytes_max),
            upkeep: upkeep::Upkeep::new(),
            learner: std::sync::atomic::AtomicBool::new(false),
            leaders: leadership::Leaders::default(),
            passwords: auth::Passwords::new(config.auth.bcrypt_cost),
            jwt: auth::start_tokens(&config.auth.tokens, &ears.tokens),
            invalid_tokens: seldom::Seldom::default(),
            changing: tokio::sync::Mutex::new(()),
            config,
            store,
            node,
            ears,
        }));
        member
            .0
            .ears
            .leases
            .checkpoint_every(member.config().lease_checkpoint_interval);
        member.0.ears.slow.warn_above(member.config().warning_apply_duration);
        leadership::follow(&member);
        membership::follow(&member);
        questions::answer(&member);
        lease::spawn_clock(&member);
        version::spawn(&member);
        upkeep::spawn(&member);
        member
    }

    pub fn config(&self) -> &MemberConfig {
        &self.0.config
    }

    pub fn counters(&self) -> &Counters {
        &self.0.ears.counters
    }

    /// Resolves with the cause once this member can no longer go on.
    pub async fn failed(&self) -> String {
        tokio::select! {
            cause = self.0.node.failed() => cause,
            cause = self.0.upkeep.failed() => cause,
        }
    }

    /// Ends every stream, so that connections can be drained. Requests under way go on.
    pub fn close_streams(&self) {
        self.0.ears.hub.close();
    }

    /// Resolves once streams are to end.
    pub async fn closing(&self) {
        self.0.ears.hub.closed().await;
    }

    /// Stops taking part. Requests still under way end with "stopped".
    pub async fn shutdown(&self) {
        self.close_streams();
        self.0.node.shutdown().await;
    }
}
