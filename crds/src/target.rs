//! Where backups are kept, and how they are packed.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SecretRef;
use crate::tls::is_false;

/// Where backups are kept: exactly one of its fields is set.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("[has(self.s3), has(self.gcs), has(self.azure), has(self.volume)].filter(one, one).size() == 1").message("exactly one of s3, gcs, azure and volume is needed"))]
pub struct BackupTarget {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Target>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcs: Option<GcsTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<AzureTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeTarget>,
}

/// S3, and everything that speaks as it does.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct S3Target {
    #[schemars(length(min = 3, max = 63))]
    pub bucket: String,
    /// What the names of objects begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.contains('//')").message("is a path without a slash in front"))]
    pub prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub region: Option<String>,
    /// URL of a server other than AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new("isURL(self) && (self.startsWith('http://') || self.startsWith('https://'))").message("is a URL as https://s3.example.org"))]
    pub endpoint: Option<String>,
    /// The bucket is part of the path, not of the host's name.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force_path_style: bool,
    /// A Secret with `accessKeyId`, `secretAccessKey`, perhaps `sessionToken` and `ca.crt`. Absent: the identity of the
    /// pod (`serviceAccountName`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
}

/// Google Cloud Storage.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GcsTarget {
    #[schemars(length(min = 3, max = 222))]
    pub bucket: String,
    /// What the names of objects begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.contains('//')").message("is a path without a slash in front"))]
    pub prefix: Option<String>,
    /// A Secret with `credentials.json`, the key of a service account. Absent: the identity of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
}

/// Azure Blob Storage.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureTarget {
    #[schemars(length(min = 3, max = 24))]
    pub account: String,
    #[schemars(length(min = 3, max = 63))]
    pub container: String,
    /// What the names of objects begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.contains('//')").message("is a path without a slash in front"))]
    pub prefix: Option<String>,
    /// URL of a server other than Azure's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new("isURL(self) && (self.startsWith('http://') || self.startsWith('https://'))").message("is a URL as https://account.blob.core.windows.net"))]
    pub endpoint: Option<String>,
    /// A Secret with `accountKey` or `sasToken`. Absent: the identity of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
}

/// A volume of the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeTarget {
    /// A PersistentVolumeClaim that nobody but backups writes to.
    #[schemars(length(min = 1, max = 253))]
    pub claim_name: String,
    /// A folder in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.contains('..')").message("is a path within the volume"))]
    pub prefix: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Compression {
    #[default]
    Zstd,
    None,
}

/// Encryption before anything leaves the pod (age). At least one of the two is needed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.identitySecretRef) || (has(self.recipients) && self.recipients.size() > 0)").message("recipients or identitySecretRef is needed"))]
pub struct Encryption {
    /// Public keys, `age1...`: whoever has the identity of one of them can read the backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 62)))]
    #[x_kube(validation = Rule::new("self.all(one, one.matches('^age1[02-9ac-hj-np-z]{58}$'))").message("recipients are public keys of age: age1 and 58 letters and digits"))]
    pub recipients: Vec<String>,
    /// A Secret with `identity`, lines `AGE-SECRET-KEY-1...`: it can be read with, and is written for them too.
    /// Verification and restore need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_secret_ref: Option<SecretRef>,
}
