//! Hashes of the logical content: the same on every member, however far cleaning or the engine's own work got.

use prost::Message;

use super::old::Old;
use super::revisions::{Kept, revisions};
use super::{Current, KeyRange, StoredRevision};
use crate::pinned::Pinned;
use crate::schema::lease;
use crate::state::State;
use crate::{Lease, StoreFailure};

/// A hash of versions up to a revision, comparable where both revisions agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKv {
    pub hash: u32,
    pub compact_revision: i64,
    pub hash_revision: i64,
}

/// etcd's bucket of revisions, with whose name its hash begins.
const BUCKET: &[u8] = b"key";

/// What etcd 3.6 computes: CRC-32C over bucket name, revision keys and encoded `KeyValue`s. Versions of the floor
/// count only if they are current at `revision`, unless nothing is; a tombstone at the floor never counts, because
/// older releases dropped it.
pub(crate) fn hash_kv(pinned: &Pinned, current: Current<'_>, revision: i64) -> Result<u32, StoreFailure> {
    let floor = pinned.state.floor;
    let only_current_of_floor = keys_at(current, &pinned.state, revision)? > 0;
    let kept = Kept {
        floor,
        up_to: revision,
        only_current_of_floor,
    };
    let mut hash = crc32c::crc32c(BUCKET);
    let mut value = Vec::new();
    for stored in revisions(current.engine, current.snapshot, kept)? {
        let stored = stored?;
        if stored.tombstone && stored.revision.main == floor {
            continue;
        }
        value.clear();
        stored.kv.encode_raw(&mut value);
        hash = crc32c::crc32c_append(crc32c::crc32c_append(hash, &bucket_key(&stored)), &value);
    }
    Ok(hash)
}

fn keys_at(current: Current<'_>, state: &State, revision: i64) -> Result<u64, StoreFailure> {
    let newest = state.counts.total();
    if revision >= state.revision || revision < state.floor {
        return Ok(newest);
    }
    Old { current, revision }.count(&KeyRange::all(), newest)
}

/// main 8, an underscore, sub 8, and a mark if it is a tombstone.
fn bucket_key(stored: &StoredRevision) -> Vec<u8> {
    let mut key = Vec::with_capacity(18);
    key.extend_from_slice(&stored.revision.main.to_be_bytes());
    key.push(b'_');
    key.extend_from_slice(&u64::from(stored.revision.sub).to_be_bytes());
    if stored.tombstone {
        key.push(b't');
    }
    key
}

/// Everything that is replicated: versions, leases, alarms, attributes, revision and floor.
pub(crate) fn hash_all(hash_kv: u32, state: &State, leases: &[Lease]) -> u32 {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&hash_kv.to_be_bytes());
    bytes.extend_from_slice(&state.revision.to_be_bytes());
    bytes.extend_from_slice(&state.floor.to_be_bytes());
    for lease in leases {
        bytes.extend_from_slice(&lease::key(lease.id));
        bytes.extend_from_slice(&lease::value(lease));
    }
    for (member, alarm) in &state.facts.alarms {
        bytes.extend_from_slice(&member.to_be_bytes());
        bytes.extend_from_slice(&alarm.to_be_bytes());
    }
    for (member, attributes) in &state.facts.attributes {
        bytes.extend_from_slice(&member.to_be_bytes());
        bytes.extend_from_slice(&attributes.encode_length_delimited_to_vec());
    }
    bytes.extend_from_slice(state.facts.cluster_version.as_deref().unwrap_or_default().as_bytes());
    if let Some(downgrade) = &state.facts.downgrade {
        bytes.extend_from_slice(&downgrade.encode_length_delimited_to_vec());
    }
    // Where users and roles were never touched the hash is the one it was before there were any.
    if !state.facts.auth.is_untouched() {
        for (key, value) in state.facts.auth.whole().rows() {
            bytes.extend_from_slice(&key);
            bytes.extend_from_slice(&value.unwrap_or_default());
        }
    }
    crc32c::crc32c(&bytes)
}
