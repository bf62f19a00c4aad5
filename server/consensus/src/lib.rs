//! openraft, kept behind one type.
//!
//! Enters: encoded requests to propose, read barriers to pass, membership to change. Leaves: answers, once the
//! entry is durable on a quorum and applied here; and, through a [`Listener`], every applied entry. Always holds:
//! an answer never precedes the fsync of its entry; entries are opaque here.

mod stub;

pub use stub::{
    BarrierError, FoundError, Leadership, Listener, Machine, Node, NodeConfig, Peer, Progress,
    ProposeError, StartError,
};
