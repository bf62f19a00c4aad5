//! The bytes of a segment of etcd's write-ahead log. No other file knows an offset.
//!
//! ```text
//! frame   length i64: record bytes in the lower 56, if negative the padding in bits 56 to 58 | record | padding
//! record  protobuf: type 1, checksum 2, data 3
//! ```
//! Numbers are little endian. A length of 0 is space that was never written. The checksum is CRC-32C over the data
//! of all records so far; a record of its own at the start of each file tells what it was at the end of the last.

use bytes::Bytes;

pub const FRAME_BYTES: u64 = 8;
const LENGTH_BITS: u32 = 56;
const PADDING_BYTES_MAX: u64 = 7;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Record {
    #[prost(int64, tag = "1")]
    pub kind: i64,
    #[prost(uint32, tag = "2")]
    pub checksum: u32,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub data: Option<Bytes>,
}

pub const METADATA: i64 = 1;
pub const ENTRY: i64 = 2;
pub const STATE: i64 = 3;
pub const CHECKSUM: i64 = 4;
pub const SNAPSHOT: i64 = 5;

/// Whose log it is.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Metadata {
    #[prost(uint64, tag = "1")]
    pub member_id: u64,
    #[prost(uint64, tag = "2")]
    pub cluster_id: u64,
}

/// An entry as raft keeps it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RaftEntry {
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(uint64, tag = "2")]
    pub term: u64,
    #[prost(uint64, tag = "3")]
    pub index: u64,
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
}

pub const NORMAL: i32 = 0;
pub const CONFIGURATION: i32 = 1;
pub const CONFIGURATION_V2: i32 = 2;

/// What raft has promised.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct HardState {
    #[prost(uint64, tag = "1")]
    pub term: u64,
    #[prost(uint64, tag = "2")]
    pub vote: u64,
    #[prost(uint64, tag = "3")]
    pub commit: u64,
}

/// Up to where a snapshot covers the log.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct SnapshotMark {
    #[prost(uint64, tag = "1")]
    pub index: u64,
    #[prost(uint64, tag = "2")]
    pub term: u64,
}

/// A change of the membership.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConfigurationChange {
    #[prost(int32, tag = "2")]
    pub kind: i32,
    #[prost(uint64, tag = "3")]
    pub member_id: u64,
}

pub const ADD: i32 = 0;
pub const REMOVE: i32 = 1;
pub const ADD_LEARNER: i32 = 3;

/// Bytes of the record and of its padding; none where nothing was written.
pub fn frame(length: [u8; FRAME_BYTES as usize]) -> Option<(u64, u64)> {
    let length = u64::from_le_bytes(length);
    let padding = if length >> 63 == 1 {
        length >> LENGTH_BITS & PADDING_BYTES_MAX
    } else {
        0
    };
    (length != 0).then_some((length & ((1 << LENGTH_BITS) - 1), padding))
}

/// The number of a segment in their order, and the first index that may be in it.
pub fn segment(name: &str) -> Option<(u64, u64)> {
    let (sequence, index) = name.strip_suffix(".wal")?.split_once('-')?;
    let number = |text: &str| (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok()).flatten();
    Some((number(sequence)?, number(index)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_tell_length_and_padding() {
        assert_eq!(frame([0; 8]), None);
        assert_eq!(frame(0x28u64.to_le_bytes()), Some((0x28, 0)));
        assert_eq!(frame(0x8300_0000_0000_0125u64.to_le_bytes()), Some((0x125, 3)));
    }

    #[test]
    fn segments_are_known_by_their_names() {
        assert_eq!(segment("000000000000000a-00000000000000ff.wal"), Some((10, 255)));
        for other in ["0.tmp", "a-b.wal", "0000000000000000-0000000000000000.wal.broken"] {
            assert_eq!(segment(other), None, "{other}");
        }
    }
}
