//! openraft, kept behind one type.
//!
//! Enters: encoded requests to propose, read barriers to pass, membership to change. Leaves: answers, once the
//! entry is durable on a quorum and applied here; and, through a [`Listener`], every applied entry. Always holds:
//! an answer never precedes the fsync of its entry; entries are opaque here.
//!
//! The way of a proposal: `node` hands it to raft; raft appends it through `storage` to the `log`, whose writer
//! makes it durable; once committed, `machine` hands it to the `apply` thread, which answers.

mod apply;
mod ask;
mod barrier;
mod change;
mod config;
mod elect;
mod error;
mod failure;
mod followers;
mod forward;
mod founding;
pub mod log;
mod machine;
mod membership;
mod node;
mod open;
mod peer;
mod recorder;
mod settle;
mod shared;
mod snapshot;
mod solo;
mod start;
mod state;
mod storage;
mod transfer;
mod types;
mod watch;

#[cfg(test)]
mod tests;

pub use ask::Answerer;
pub use change::MemberChange;
pub use config::NodeConfig;
pub use error::{AskError, BarrierError, ChangeError, ProposeError, StartError, TransferError};
pub use followers::Follower;
pub use founding::first_membership;
pub use membership::StoredMembers;
pub use node::{Leadership, Node};
pub use peer::{ClusterFacts, Dialer, KnownMember, NotDescribed, Peer, PeerService, PlainDialer, Wire, discover};
pub use recorder::{NoRecorder, Recorder};
pub use shared::{Progress, Proposals};
pub use state::{Listener, Machine};
