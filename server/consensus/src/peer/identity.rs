//! Who speaks to whom, in every call and every answer.

use std::fmt;
use std::str::FromStr;

use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::{Code, Status};

const CALLER: &str = "taffrail-caller";
const ANSWERER: &str = "taffrail-answerer";
const REFUSAL: &str = "taffrail-refusal";

/// This member, as others know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub cluster_id: u64,
    pub member_id: u64,
    /// Tells a member that lost its data directory from the one that had it.
    pub incarnation: u64,
}

/// Who calls, and whom it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub who: Identity,
    pub to: u64,
}

/// Why a call is not even looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Another cluster.
    Cluster,
    /// Meant for another member.
    Target,
    /// Was a member once.
    Removed,
    /// Never was a member, as far as is known here.
    Stranger,
    /// A member by this id is known, but with other data.
    Incarnation,
}

impl Caller {
    pub fn stamp(&self, metadata: &mut MetadataMap) {
        let Identity {
            cluster_id,
            member_id,
            incarnation,
        } = self.who;
        let text = format!("{cluster_id:x}.{member_id:x}.{incarnation:x}.{:x}", self.to);
        metadata.insert(CALLER, ascii(&text));
    }

    pub fn read(metadata: &MetadataMap) -> Option<Caller> {
        let [cluster_id, member_id, incarnation, to] = hex(metadata, CALLER)?;
        let who = Identity {
            cluster_id,
            member_id,
            incarnation,
        };
        Some(Caller { who, to })
    }
}

impl Identity {
    /// Signs an answer.
    pub fn sign(&self, metadata: &mut MetadataMap) {
        let text = format!("{:x}.{:x}.{:x}", self.cluster_id, self.member_id, self.incarnation);
        metadata.insert(ANSWERER, ascii(&text));
    }

    pub fn signature(metadata: &MetadataMap) -> Option<Identity> {
        let [cluster_id, member_id, incarnation] = hex(metadata, ANSWERER)?;
        Some(Identity {
            cluster_id,
            member_id,
            incarnation,
        })
    }
}

impl Refusal {
    pub fn status(self) -> Status {
        let mut status = Status::new(Code::FailedPrecondition, self.to_string());
        status.metadata_mut().insert(REFUSAL, ascii(self.name()));
        status
    }

    pub fn read(status: &Status) -> Option<Refusal> {
        match status.metadata().get(REFUSAL)?.to_str().ok()? {
            "cluster" => Some(Refusal::Cluster),
            "target" => Some(Refusal::Target),
            "incarnation" => Some(Refusal::Incarnation),
            "removed" => Some(Refusal::Removed),
            "stranger" => Some(Refusal::Stranger),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Refusal::Cluster => "cluster",
            Refusal::Target => "target",
            Refusal::Removed => "removed",
            Refusal::Stranger => "stranger",
            Refusal::Incarnation => "incarnation",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Refusal::Cluster => "cluster ID mismatch",
            Refusal::Target => "meant for another member",
            Refusal::Removed => "the member has been permanently removed from the cluster",
            Refusal::Stranger => "the caller is not a member of this cluster",
            Refusal::Incarnation => "the caller has lost the data that it was a member with",
        })
    }
}

fn ascii(text: &str) -> MetadataValue<Ascii> {
    MetadataValue::from_str(text).unwrap_or_else(|_| MetadataValue::from_static(""))
}

fn hex<const COUNT: usize>(metadata: &MetadataMap, key: &str) -> Option<[u64; COUNT]> {
    let mut parts = metadata.get(key)?.to_str().ok()?.split('.');
    let mut numbers = [0; COUNT];
    for number in &mut numbers {
        *number = u64::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: Identity = Identity {
        cluster_id: 0xcdf8_1819_4e3a_8c32,
        member_id: 7,
        incarnation: u64::MAX,
    };

    #[test]
    fn a_caller_is_read_back() {
        let mut metadata = MetadataMap::new();
        let caller = Caller { who: WHO, to: 9 };
        caller.stamp(&mut metadata);
        WHO.sign(&mut metadata);
        assert_eq!(Caller::read(&metadata), Some(caller));
        assert_eq!(Identity::signature(&metadata), Some(WHO));
    }

    #[test]
    fn nonsense_is_no_caller() {
        for text in ["", "1.2.3", "1.2.3.4.5", "1.2.x.4"] {
            let mut metadata = MetadataMap::new();
            metadata.insert(CALLER, ascii(text));
            assert_eq!(Caller::read(&metadata), None, "{text}");
        }
    }

    #[test]
    fn refusals_are_read_back() {
        for refusal in [
            Refusal::Cluster,
            Refusal::Target,
            Refusal::Incarnation,
            Refusal::Removed,
            Refusal::Stranger,
        ] {
            assert_eq!(Refusal::read(&refusal.status()), Some(refusal));
        }
        assert_eq!(Refusal::read(&Status::unavailable("gone")), None);
    }
}
