//! The way to the other members, and theirs to this one.
//!
//! Enters: openraft's calls to a peer, and the calls of peers to us. Leaves: their answers. Always holds: who speaks
//! is checked on every call and every answer before the message is looked at; entries, heartbeats, snapshots and
//! talk have connections of their own, so that none holds up another; what is on its way to a slow peer is bounded.

mod book;
mod connection;
mod dial;
mod discover;
mod hurry;
mod identity;
mod line;
mod outgoing;
mod server;
mod touch;
pub(crate) mod wire;

pub(crate) use book::PeerBook;
pub(crate) use connection::{Peers, within};
pub use dial::{Dialer, PlainDialer, Wire};
pub use discover::{ClusterFacts, KnownMember, NotDescribed, discover};
pub(crate) use identity::Identity;
pub(crate) use line::{Line, Pace};
pub use server::PeerService;
pub(crate) use server::{Inner as PeerInner, service};
pub(crate) use touch::keep_in_touch;

/// How a member is reached, replicated with the membership.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    pub peer_urls: Vec<String>,
    /// Stays a learner until it is promoted. A member that is none votes as soon as it has caught up.
    pub learner: bool,
}
