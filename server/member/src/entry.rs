//! One log entry, encoded without building the whole message it is part of.

use bytes::{Bytes, BytesMut};
use prost::Message;
use prost::encoding::message;
use taffrail_proto::etcdserverpb::RequestHeader;
use taffrail_store::Caller;

macro_rules! proposals {
    ($($name:ident = $field:literal $label:literal,)*) => {
        /// Which field of `InternalRaftRequest` a request is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Proposal {
            $($name = $field,)*
        }

        /// Every kind of entry that is proposed: its field, and what etcd calls it.
        const OPERATIONS: &[(u32, &str)] = &[$(($field, $label),)*];
    };
}

proposals! {
    Put = 4 "Put",
    DeleteRange = 5 "DeleteRange",
    Txn = 6 "Txn",
    Compaction = 7 "Compaction",
    LeaseGrant = 8 "LeaseGrant",
    LeaseRevoke = 9 "LeaseRevoke",
    Alarm = 10 "Alarm",
    LeaseCheckpoint = 11 "LeaseCheckpoint",
    ClusterVersionSet = 1300 "ClusterVersionSet",
    ClusterMemberAttrSet = 1301 "ClusterMemberAttrSet",
    DowngradeInfoSet = 1302 "DowngradeInfoSet",
    AuthEnable = 1000 "AuthEnable",
    AuthDisable = 1011 "AuthDisable",
    Authenticate = 1012 "Authenticate",
    UserAdd = 1100 "AuthUserAdd",
    UserDelete = 1101 "AuthUserDelete",
    UserChangePassword = 1103 "AuthUserChangePassword",
    UserGrantRole = 1104 "AuthUserGrantRole",
    UserRevokeRole = 1105 "AuthUserRevokeRole",
    RoleAdd = 1200 "AuthRoleAdd",
    RoleDelete = 1201 "AuthRoleDelete",
    RoleGrantPermission = 1203 "AuthRoleGrantPermission",
    RoleRevokePermission = 1204 "AuthRoleRevokePermission",
}

/// The field of the header.
const HEADER: u32 = 100;

/// The bytes of an `InternalRaftRequest` with this header and this one request. The message itself has a field
/// for every kind of request and is more than a kilobyte in memory, which is too much to move about for each put.
pub(crate) fn encode<M: Message>(id: u64, caller: &Caller, proposal: Proposal, request: &M) -> Bytes {
    let header = RequestHeader {
        id,
        username: caller.user.clone(),
        auth_revision: caller.auth_revision,
    };
    let field = proposal as u32;
    let bytes = message::encoded_len(HEADER, &header) + message::encoded_len(field, request);
    let mut entry = BytesMut::with_capacity(bytes);
    message::encode(field, request, &mut entry);
    message::encode(HEADER, &header, &mut entry);
    debug_assert_eq!(entry.len(), bytes, "exactly as long as promised");
    entry.freeze()
}

/// What etcd calls the kinds of entries, in the order of [`operation`]'s places.
pub fn operations() -> impl ExactSizeIterator<Item = &'static str> {
    OPERATIONS.iter().map(|(_, name)| *name)
}

/// Which kind of request an entry carries, as a place among [`operations`].
pub(crate) fn operation(entry: &[u8]) -> Option<usize> {
    let (field, _) = fields(entry).find(|(field, _)| *field != HEADER)?;
    OPERATIONS.iter().position(|(known, _)| *known == field)
}

/// The header's id of an encoded request: the one by which its proposer knows it.
pub fn id_of(entry: &[u8]) -> Option<u64> {
    let (_, header) = fields(entry).find(|(field, _)| *field == HEADER)?;
    Some(RequestHeader::decode(header).ok()?.id)
}

/// The fields of an entry, up to the first that is no message.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    /// All fields are messages, so all are read the same way.
    const LENGTH_DELIMITED: u64 = 2;
    std::iter::from_fn(move || {
        let tag = prost::encoding::decode_varint(&mut rest).ok()?;
        let length = prost::encoding::decode_varint(&mut rest).ok()?;
        let field = rest.get(..usize::try_from(length).ok()?)?;
        rest = &rest[field.len()..];
        (tag & 7 == LENGTH_DELIMITED).then_some(((tag >> 3) as u32, field))
    })
}

#[cfg(test)]
mod tests {
    use taffrail_proto::etcdserverpb::{AlarmRequest, InternalRaftRequest, LeaseGrantRequest, PutRequest};

    use super::*;

    fn decoded(proposal: Proposal, request: &impl Message) -> InternalRaftRequest {
        InternalRaftRequest::decode(encode(7, &Caller::default(), proposal, request)).expect("an entry")
    }

    #[test]
    fn an_entry_is_the_message_that_etcd_writes() {
        let header = Some(RequestHeader {
            id: 7,
            ..Default::default()
        });
        let put = PutRequest {
            key: "k".into(),
            value: "v".into(),
            lease: 3,
            ..Default::default()
        };
        let entry = decoded(Proposal::Put, &put);
        assert_eq!(
            entry,
            InternalRaftRequest {
                header: header.clone(),
                put: Some(put),
                ..Default::default()
            }
        );
        let grant = LeaseGrantRequest { ttl: 5, id: 6 };
        let entry = decoded(Proposal::LeaseGrant, &grant);
        assert_eq!(
            entry,
            InternalRaftRequest {
                header,
                lease_grant: Some(grant),
                ..Default::default()
            }
        );
    }

    #[test]
    fn the_id_is_found_without_reading_the_request() {
        let caller = Caller {
            user: "alice".into(),
            auth_revision: 3,
        };
        let put = PutRequest {
            value: vec![7; 300].into(),
            ..Default::default()
        };
        assert_eq!(id_of(&encode(u64::MAX, &caller, Proposal::Put, &put)), Some(u64::MAX));
        assert_eq!(
            id_of(&encode(9, &caller, Proposal::Alarm, &AlarmRequest::default())),
            Some(9)
        );
        assert_eq!(id_of(b""), None);
        assert_eq!(id_of(b"\x22\xff"), None);
    }

    #[test]
    fn an_empty_request_is_still_there() {
        assert!(decoded(Proposal::Alarm, &AlarmRequest::default()).alarm.is_some());
    }

    #[test]
    fn an_entry_tells_what_it_is() {
        let name = |entry: &[u8]| operation(entry).and_then(|place| operations().nth(place));
        let put = encode(1, &Caller::default(), Proposal::Put, &PutRequest::default());
        let role = encode(1, &Caller::default(), Proposal::RoleAdd, &AlarmRequest::default());
        assert_eq!((name(&put), name(&role)), (Some("Put"), Some("AuthRoleAdd")));
        assert_eq!(name(b""), None);
    }
}
