//! Where a backup goes, said by flags.

use clap::Args;
use taffrail_crds::{AzureTarget, BackupTarget, Encryption, GcsTarget, S3Target, SecretRef, VolumeTarget};

#[derive(Args, Clone, Debug, Default)]
#[group(id = "target", multiple = true, args = ["s3_bucket", "gcs_bucket", "azure_container", "volume"])]
pub struct TargetFlags {
    /// Bucket of S3 or of a server that speaks as it does.
    #[arg(long, conflicts_with_all = ["gcs_bucket", "azure_container", "volume"])]
    pub s3_bucket: Option<String>,
    #[arg(long, requires = "s3_bucket")]
    pub s3_region: Option<String>,
    /// URL of a server other than AWS.
    #[arg(long, requires = "s3_bucket")]
    pub s3_endpoint: Option<String>,
    /// The bucket is part of the path, not of the host's name.
    #[arg(long, requires = "s3_bucket")]
    pub s3_force_path_style: bool,
    /// Bucket of Google Cloud Storage.
    #[arg(long, conflicts_with_all = ["azure_container", "volume"])]
    pub gcs_bucket: Option<String>,
    /// Container of Azure Blob Storage.
    #[arg(long, requires = "azure_account", conflicts_with = "volume")]
    pub azure_container: Option<String>,
    #[arg(long, requires = "azure_container")]
    pub azure_account: Option<String>,
    /// A PersistentVolumeClaim of the namespace.
    #[arg(long, value_name = "CLAIM")]
    pub volume: Option<String>,
    /// What names of objects begin with.
    #[arg(long, requires = "target")]
    pub prefix: Option<String>,
    /// Secret with the credentials of the store. Default: the identity of the pod.
    #[arg(long, requires = "target", conflicts_with = "volume", value_name = "SECRET")]
    pub credentials: Option<String>,
    /// Public key of age to encrypt for; may be given several times.
    #[arg(long, requires = "target", value_name = "AGE1...")]
    pub recipient: Vec<String>,
    /// Secret with the identity of age: encrypted for it too, verified with it.
    #[arg(long, requires = "target", value_name = "SECRET")]
    pub identity: Option<String>,
}

impl TargetFlags {
    /// None if no flag names a place.
    pub fn target(&self) -> Option<BackupTarget> {
        let mut target = BackupTarget::default();
        if let Some(bucket) = &self.s3_bucket {
            target.s3 = Some(self.s3(bucket));
        } else if let Some(bucket) = &self.gcs_bucket {
            target.gcs = Some(GcsTarget {
                bucket: bucket.clone(),
                prefix: self.prefix.clone(),
                credentials_secret_ref: secret(&self.credentials),
            });
        } else if let (Some(container), Some(account)) = (&self.azure_container, &self.azure_account) {
            target.azure = Some(AzureTarget {
                account: account.clone(),
                container: container.clone(),
                prefix: self.prefix.clone(),
                endpoint: None,
                credentials_secret_ref: secret(&self.credentials),
            });
        } else {
            target.volume = Some(VolumeTarget {
                claim_name: self.volume.clone()?,
                prefix: self.prefix.clone(),
            });
        }
        Some(target)
    }

    pub fn encryption(&self) -> Option<Encryption> {
        let encryption = Encryption {
            recipients: self.recipient.clone(),
            identity_secret_ref: secret(&self.identity),
        };
        (encryption != Encryption::default()).then_some(encryption)
    }

    fn s3(&self, bucket: &str) -> S3Target {
        S3Target {
            bucket: bucket.to_owned(),
            prefix: self.prefix.clone(),
            region: self.s3_region.clone(),
            endpoint: self.s3_endpoint.clone(),
            force_path_style: self.s3_force_path_style,
            credentials_secret_ref: secret(&self.credentials),
        }
    }
}

fn secret(name: &Option<String>) -> Option<SecretRef> {
    name.clone().map(|name| SecretRef { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own_flags() {
        let nowhere = TargetFlags::default();
        assert_eq!((nowhere.target(), nowhere.encryption()), (None, None));
        let volume = TargetFlags {
            volume: Some("shelf".into()),
            prefix: Some("etcd".into()),
            ..TargetFlags::default()
        };
        let target = volume.target().and_then(|target| target.volume).unwrap();
        assert_eq!(
            (target.claim_name.as_str(), target.prefix.as_deref()),
            ("shelf", Some("etcd"))
        );
        let s3 = TargetFlags {
            s3_bucket: Some("bucket".into()),
            credentials: Some("keys".into()),
            ..TargetFlags::default()
        };
        let target = s3.target().and_then(|target| target.s3).unwrap();
        assert_eq!(
            target.credentials_secret_ref.map(|one| one.name).as_deref(),
            Some("keys")
        );
    }
}
