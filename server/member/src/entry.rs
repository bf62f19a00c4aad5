//! One log entry, encoded without building the whole message it is part of.

use bytes::{Bytes, BytesMut};
use prost::Message;
use prost::encoding::message;
use taffrail_proto::etcdserverpb::RequestHeader;
use taffrail_store::Caller;

/// Which field of `InternalRaftRequest` a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proposal {
    Put = 4,
    DeleteRange = 5,
    Txn = 6,
    Compaction = 7,
    LeaseGrant = 8,
    LeaseRevoke = 9,
    Alarm = 10,
    LeaseCheckpoint = 11,
    ClusterVersionSet = 1300,
    ClusterMemberAttrSet = 1301,
    DowngradeInfoSet = 1302,
    AuthEnable = 1000,
    AuthDisable = 1011,
    Authenticate = 1012,
    UserAdd = 1100,
    UserDelete = 1101,
    UserChangePassword = 1103,
    UserGrantRole = 1104,
    UserRevokeRole = 1105,
    RoleAdd = 1200,
    RoleDelete = 1201,
    RoleGrantPermission = 1203,
    RoleRevokePermission = 1204,
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

/// The header's id of an encoded request: the one by which its proposer knows it.
pub fn id_of(entry: &[u8]) -> Option<u64> {
    /// Both fields are messages, so both are read the same way.
    const LENGTH_DELIMITED: u64 = 2;
    let mut rest = entry;
    while !rest.is_empty() {
        let tag = prost::encoding::decode_varint(&mut rest).ok()?;
        let length = prost::encoding::decode_varint(&mut rest).ok()?;
        let field = rest.get(..usize::try_from(length).ok()?)?;
        if tag & 7 != LENGTH_DELIMITED {
            return None;
        }
        if tag >> 3 == u64::from(HEADER) {
            return Some(RequestHeader::decode(field).ok()?.id);
        }
        rest = &rest[field.len()..];
    }
    None
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
}
