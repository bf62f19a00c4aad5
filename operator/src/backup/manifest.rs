//! The manifest: a small JSON object beside each backup. It is written last, so where there is one, the backup is whole.
//!
//! What it says is covered by a digest of its own over the very bytes of `backup`: a later version may add fields.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use taffrail_crds::Artifact;

use super::request::Origin;
use super::{Failure, Reason};

/// What tells a manifest from other JSON.
const FORMAT: &str = "taffrail-etcd-backup";
/// Raised when an older reader would misunderstand; a new field alone is no reason.
const VERSION: u32 = 1;
/// Longer is no manifest.
pub const MANIFEST_BYTES_MAX: u64 = 64 << 10;
/// What the names of manifests end in.
pub const ENDING: &str = ".json";

/// What a manifest says.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub artifact: Artifact,
    pub origin: Origin,
    /// Name and version of what wrote it.
    #[serde(default)]
    pub made_by: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    format: String,
    version: u32,
    /// Of the bytes of `backup`, hexadecimal.
    sha256: String,
    #[serde(borrow)]
    backup: &'a RawValue,
}

impl Manifest {
    pub fn new(artifact: Artifact, origin: Origin) -> Self {
        let made_by = concat!("taffrail-operator ", env!("CARGO_PKG_VERSION")).into();
        Self {
            artifact,
            origin,
            made_by,
        }
    }

    /// Name of the manifest of an object.
    pub fn key_of(object: &str) -> String {
        format!("{object}{ENDING}")
    }

    /// # Errors
    /// Never for what can be made of Rust's types; said all the same.
    pub fn encode(&self) -> Result<Vec<u8>, Failure> {
        let backup = serde_json::value::to_raw_value(self).map_err(|error| unwritable(&error))?;
        let envelope = Envelope {
            format: FORMAT.into(),
            version: VERSION,
            sha256: hex(Sha256::digest(backup.get()).as_slice()),
            backup: &backup,
        };
        serde_json::to_vec(&envelope).map_err(|error| unwritable(&error))
    }

    /// # Errors
    /// If `text` is no manifest, is damaged, or was made by a version that this one does not understand.
    pub fn decode(text: &[u8]) -> Result<Self, Failure> {
        let envelope: Envelope<'_> = serde_json::from_slice(text).map_err(|error| damaged(&error.to_string()))?;
        if envelope.format != FORMAT {
            return Err(damaged(&format!("its format is {:?}", envelope.format)));
        }
        match envelope.version {
            0 => return Err(damaged("its version is 0")),
            VERSION => {}
            version => return Err(newer(version)),
        }
        if hex(Sha256::digest(envelope.backup.get()).as_slice()) != envelope.sha256 {
            return Err(damaged("its digest is not that of what it says"));
        }
        serde_json::from_str(envelope.backup.get()).map_err(|error| damaged(&error.to_string()))
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unwritable(error: &serde_json::Error) -> Failure {
    Failure::new(Reason::Failed, format!("the manifest cannot be written: {error}"))
}

fn damaged(why: &str) -> Failure {
    let message =
        format!("the manifest beside the object is damaged or no manifest at all: {why}; take another backup");
    Failure::new(Reason::ChecksumMismatch, message)
}

fn newer(version: u32) -> Failure {
    let message = format!("the manifest has version {version}, this operator knows {VERSION}: use a newer operator");
    Failure::new(Reason::NewerFormat, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let artifact = Artifact {
            key: "ns/demo/nightly/20261122T000000Z-1a2b3c4d.snap".into(),
            revision: 7,
            ..Default::default()
        };
        Manifest::new(
            artifact,
            Origin {
                schedule: Some("ns/nightly".into()),
                ..Default::default()
            },
        )
    }

    #[test]
    fn a_manifest_says_what_was_written() {
        assert_eq!(Manifest::decode(&manifest().encode().unwrap()), Ok(manifest()));
    }

    #[test]
    fn no_flipped_byte_of_a_manifest_is_believed() {
        let written = manifest().encode().unwrap();
        for at in 0..written.len() {
            for bit in [0x01, 0x04, 0x20] {
                let mut flipped = written.clone();
                flipped[at] ^= bit;
                assert!(Manifest::decode(&flipped).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn a_field_of_a_later_version_is_passed_over_and_a_later_format_is_refused() {
        let backup = r#"{"artifact":{"key":"a","colour":"red"},"origin":{"namespace":"n","cluster":"c","clusterUid":"u","backup":"b","backupUid":"v"},"new":[1]}"#;
        let text = |version: u32| {
            let sha256 = hex(Sha256::digest(backup).as_slice());
            format!(r#"{{"format":"{FORMAT}","version":{version},"sha256":"{sha256}","backup":{backup}}}"#)
        };
        assert_eq!(Manifest::decode(text(1).as_bytes()).unwrap().artifact.key, "a");
        assert_eq!(
            Manifest::decode(text(2).as_bytes()).unwrap_err().reason,
            Reason::NewerFormat
        );
    }
}
