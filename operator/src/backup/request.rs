//! What a pod is told to do, and what it says became of it: the contract between who writes the pods and who runs in
//! them.

use serde::{Deserialize, Serialize};
use taffrail_crds::{Artifact, BackupRetention, BackupTarget, Compression, Verification};

/// The variable that a request is given in.
pub const REQUEST: &str = "TAFFRAIL_REQUEST";
/// Where files of Secrets are: one folder each, empty or absent if there is no such Secret.
pub const CREDENTIALS: &str = "/etc/taffrail/credentials";
/// `identity` with lines `AGE-SECRET-KEY-1...`.
pub const IDENTITY: &str = "/etc/taffrail/identity";
/// `ca.crt`, `tls.crt`, `tls.key` of a client of the cluster.
pub const CLIENT: &str = "/etc/taffrail/client";
/// `username` and `password` of root.
pub const ROOT: &str = "/etc/taffrail/root";
/// The volume of a target that is one.
pub const TARGET_VOLUME: &str = "/backups";
/// What the kubelet reads after the end: at most 4096 bytes.
pub const TERMINATION_MESSAGE: &str = "/dev/termination-log";
/// Exit code of a failure that another attempt would meet again: Jobs are told not to repeat it.
pub const HOPELESS: i32 = 78;

/// `taffrail-operator backup`, one work each.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", tag = "do")]
pub enum Request {
    Take(Box<Take>),
    Fetch(Box<Fetch>),
    Finish(Finish),
    Check(Box<Check>),
    Prune(Box<Prune>),
}

/// Snapshot of one member -> object and manifest in the store. Never overwrites anything.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Take {
    pub target: BackupTarget,
    pub compression: Compression,
    /// Public keys of age beside those of [`IDENTITY`]. Encrypted if there is any of either.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// Whether [`IDENTITY`] is meant to be there: its absence is an error then.
    #[serde(default)]
    pub identity: bool,
    /// Best first: healthy followers, learners that have caught up, the leader last. The first that is not behind and
    /// answers is taken; one whose revision is behind what a linearizable read tells is not.
    pub members: Vec<MemberAddress>,
    /// Name of the object without its endings; the pod adds `.snap`, `.zst`, `.age`.
    pub key: String,
    /// Who made it, for the manifest.
    pub origin: Origin,
    /// Bytes per part of an upload, and so about the memory that is used.
    #[serde(default = "eight_mebibytes")]
    pub part_bytes: usize,
    /// Seconds without any progress after which the store or the member is given up.
    #[serde(default = "a_minute")]
    pub stall_seconds: u64,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MemberAddress {
    pub name: String,
    /// `https://HOST:2379`.
    pub url: String,
    /// The name in its certificate.
    pub server_name: String,
}

/// Written into the manifest: retention looks at backups of the same schedule only.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    pub namespace: String,
    pub cluster: String,
    /// UID of the EtcdCluster.
    pub cluster_uid: String,
    pub backup: String,
    /// UID of the EtcdBackup: an attempt after one whose end nobody heard of finds its own work by it.
    pub backup_uid: String,
    /// `NAMESPACE/NAME` of the EtcdBackupSchedule, if one made it.
    #[serde(default)]
    pub schedule: Option<String>,
}

/// Object -> plain snapshot file, checked by every digest there is, in a folder that nothing else is in.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Fetch {
    pub target: BackupTarget,
    pub key: String,
    /// What the EtcdBackup's status says; checked against the manifest beside the object.
    #[serde(default)]
    pub artifact: Option<Artifact>,
    #[serde(default)]
    pub identity: bool,
    /// Folder on the volume that the member will use. If `done` is in place there, nothing is fetched.
    pub folder: String,
    /// Name of the data directory in `folder` that a restore ends in: if it is there, nothing is done.
    #[serde(default)]
    pub data_dir: Option<String>,
    #[serde(default = "a_minute")]
    pub stall_seconds: u64,
}

impl Fetch {
    /// The snapshot's name in `folder`.
    pub const SNAPSHOT: &'static str = "restore.snapshot.db";
    /// The data directory that is being made, until [`Request::Finish`] gives it its name.
    pub const RESTORING: &'static str = "restoring";
    /// A manifest's copy beside the snapshot, for [`Request::Check`].
    pub const ARTIFACT: &'static str = "restore.artifact.json";
}

/// `folder/restoring` gets the name `data_dir`, safely on the disk; the snapshot goes.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Finish {
    pub folder: String,
    pub data_dir: String,
}

/// A throw-away member that runs beside this container is asked for revision, keys and HashKV and compared.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// `http://127.0.0.1:2379`.
    pub url: String,
    pub artifact: Artifact,
    /// Seconds to wait until the member serves.
    pub patience_seconds: u64,
}

/// Removes what `retention` keeps no longer, of one schedule.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Prune {
    pub target: BackupTarget,
    pub retention: BackupRetention,
    /// As in [`Origin`].
    pub schedule: String,
    pub cluster_uid: String,
    /// Keys that are kept whatever the rules say: the newest verified one, one that is being restored.
    #[serde(default)]
    pub keep: Vec<String>,
    #[serde(default = "a_minute")]
    pub stall_seconds: u64,
}

/// The termination message, one line of JSON.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", tag = "became")]
pub enum Outcome {
    Taken {
        artifact: Artifact,
    },
    Fetched {
        artifact: Option<Artifact>,
        snapshot_bytes: u64,
    },
    Finished,
    Checked {
        verification: Verification,
    },
    Pruned {
        /// As many as fit; the number is right in any case.
        keys: Vec<String>,
        count: usize,
        kept: usize,
    },
    Failed {
        /// One word, for a condition: NoSuchBucket, AccessDenied, Stalled, Truncated, ChecksumMismatch,
        /// DecryptionFailed, NotASnapshot, NoRoom, MemberBehind, NoMember, Different, Exists, Invalid...
        reason: String,
        /// What happened and what to do.
        message: String,
        /// Another attempt would meet it again.
        hopeless: bool,
    },
}

fn eight_mebibytes() -> usize {
    8 << 20
}

fn a_minute() -> u64 {
    60
}
