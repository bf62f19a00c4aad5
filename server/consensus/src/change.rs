//! What can be changed about the membership, and who is how far.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Node;
use crate::error::{ChangeError, TransferError};
use crate::peer::Peer;

/// One change of the membership; changes come one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// A voter-to-be replicates as a learner first and votes by itself once it has caught up, so that adding a
    /// member that is not started yet costs no quorum.
    Add {
        id: u64,
        peer: Peer,
    },
    Promote {
        id: u64,
    },
    Remove {
        id: u64,
    },
    Update {
        id: u64,
        peer_urls: Vec<String>,
    },
}

/// How far another member is, as its leader knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Follower {
    /// The last entry it is known to hold durably; 0 for none.
    pub matched_index: u64,
    /// How long ago it last answered; none if it never did in this term.
    pub silent_for: Option<Duration>,
}

impl Node {
    /// Changes the membership; only the leader can. Returns once the change is committed and in force.
    pub async fn change_members(&self, change: MemberChange) -> Result<(), ChangeError> {
        let _ = change;
        Err(ChangeError::NotLeader)
    }

    /// Hands leadership over and returns once `to` leads. Only the leader can.
    pub async fn transfer_leadership(&self, to: u64) -> Result<(), TransferError> {
        let _ = to;
        Err(TransferError::NotLeader)
    }

    /// Hands leadership to the voter that is furthest, if this member leads and there is one.
    pub async fn step_aside(&self) {}

    /// The other members as the leader sees them; none if this member does not lead.
    pub fn followers(&self) -> Option<BTreeMap<u64, Follower>> {
        None
    }

    /// How long each other member has been in touch without a break; absent are those that are not.
    pub fn in_touch(&self) -> BTreeMap<u64, Duration> {
        BTreeMap::new()
    }

    /// Resolves once this member has learnt that it was removed from its cluster: the process must end.
    pub async fn removed(&self) {
        std::future::pending().await
    }
}
