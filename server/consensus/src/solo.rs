//! Whether this member is alone, so that nobody need be asked.

use taffrail_store::{Content, Entry};

use crate::membership;

/// Whether this member is the only one there is.
///
/// Then every answer anybody ever got came from here, after it was applied here, so a read barrier holds without a
/// round. It must have led since this start: what an earlier run acknowledged is applied once an entry of a newer
/// term is.
pub struct Solo {
    pub member_id: u64,
    /// The term of the vote found at start.
    pub start_term: u64,
    pub alone: bool,
}

impl Solo {
    pub fn after(&mut self, entries: &[Entry]) -> bool {
        for entry in entries {
            if let Content::Membership(bytes) = &entry.content {
                self.alone = is_alone(self.member_id, bytes);
            }
        }
        self.alone
            && entries
                .last()
                .is_some_and(|entry| entry.position.term > self.start_term)
    }
}

pub fn is_alone(member_id: u64, membership: &[u8]) -> bool {
    membership::decode(membership).is_ok_and(|membership| {
        let nodes: Vec<u64> = membership.nodes().map(|(id, _)| *id).collect();
        let voters: Vec<u64> = membership.voter_ids().collect();
        nodes == [member_id] && voters == [member_id]
    })
}
