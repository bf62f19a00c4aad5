//! Names, keys and values of etcd's buckets, both ways.

use bytes::Bytes;

use crate::Revision;

pub const ALARM: &[u8] = b"alarm";
pub const AUTH: &[u8] = b"auth";
pub const AUTH_ROLES: &[u8] = b"authRoles";
pub const AUTH_USERS: &[u8] = b"authUsers";
pub const CLUSTER: &[u8] = b"cluster";
pub const KEY: &[u8] = b"key";
pub const LEASE: &[u8] = b"lease";
pub const MEMBERS: &[u8] = b"members";
pub const MEMBERS_REMOVED: &[u8] = b"members_removed";
pub const META: &[u8] = b"meta";

pub const AUTH_ENABLED: &[u8] = b"authEnabled";
pub const AUTH_REVISION: &[u8] = b"authRevision";
pub const CLUSTER_VERSION: &[u8] = b"clusterVersion";
pub const DOWNGRADE: &[u8] = b"downgrade";
pub const CONF_STATE: &[u8] = b"confState";
pub const CONSISTENT_INDEX: &[u8] = b"consistent_index";
pub const FINISHED_COMPACTION: &[u8] = b"finishedCompactRev";
pub const SCHEDULED_COMPACTION: &[u8] = b"scheduledCompactRev";
pub const STORAGE_VERSION: &[u8] = b"storageVersion";
pub const TERM: &[u8] = b"term";

const REVISION_BYTES: usize = 17;
const TOMBSTONE: u8 = b't';

/// An entry of the bucket `lease`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LeaseRecord {
    #[prost(int64, tag = "1")]
    pub id: i64,
    #[prost(int64, tag = "2")]
    pub ttl_s: i64,
    #[prost(int64, tag = "3")]
    pub remaining_ttl_s: i64,
}

pub fn revision_key(revision: Revision, tombstone: bool) -> Vec<u8> {
    let mut key = Vec::with_capacity(REVISION_BYTES + 1);
    key.extend_from_slice(&revision.main.to_be_bytes());
    key.push(b'_');
    key.extend_from_slice(&u64::from(revision.sub).to_be_bytes());
    if tombstone {
        key.push(TOMBSTONE);
    }
    key
}

/// The revision and whether it is a deletion; None if the key is none that etcd writes.
pub fn parse_revision_key(key: &[u8]) -> Option<(Revision, bool)> {
    let tombstone = match key.get(REVISION_BYTES..)? {
        [] => false,
        [TOMBSTONE] => true,
        _ => return None,
    };
    let main = i64::from_be_bytes(*key.first_chunk()?);
    let sub = u64::from_be_bytes(*key.get(9..)?.first_chunk()?).try_into().ok()?;
    (key[8] == b'_' && main >= 0).then_some((Revision { main, sub }, tombstone))
}

pub fn member_key(id: u64) -> Vec<u8> {
    format!("{id:x}").into_bytes()
}

/// Whether a member's JSON says that it only learns. etcd writes it without spaces, and only if it is so.
pub fn is_learner(json: &[u8]) -> bool {
    const MARK: &[u8] = b"\"isLearner\":true";
    json.windows(MARK.len()).any(|part| part == MARK)
}

pub fn parse_u64(value: &Bytes) -> Option<u64> {
    Some(u64::from_be_bytes(value.as_ref().try_into().ok()?))
}

/// A JSON string with its quotes.
pub fn json_string(text: &str) -> String {
    let escaped = text.chars().map(|char| match char {
        '"' | '\\' => format!("\\{char}"),
        control if u32::from(control) < 0x20 => format!("\\u{:04x}", u32::from(control)),
        plain => plain.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_key_is_parsed_back() {
        for (revision, tombstone) in [
            (Revision { main: 7, sub: 3 }, false),
            (Revision { main: i64::MAX, sub: 0 }, true),
        ] {
            assert_eq!(
                parse_revision_key(&revision_key(revision, tombstone)),
                Some((revision, tombstone))
            );
        }
    }

    #[test]
    fn a_revision_key_of_another_shape_is_refused() {
        let key = revision_key(Revision { main: 7, sub: 3 }, true);
        for length in (0..17).chain([]) {
            assert_eq!(parse_revision_key(&key[..length]), None);
        }
        assert_eq!(parse_revision_key(&[key.as_slice(), b"t"].concat()), None);
        assert_eq!(parse_revision_key(&[0xff; 17]), None);
        assert_eq!(parse_revision_key(b"1234567890123456x"), None);
    }

    #[test]
    fn json_strings_are_escaped() {
        assert_eq!(json_string("a\"b\\c\n"), r#""a\"b\\c\u000a""#);
    }
}
