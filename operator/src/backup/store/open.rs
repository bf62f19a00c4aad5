//! A target and the files of its Secret become a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use taffrail_crds::{AzureTarget, BackupTarget, GcsTarget, S3Target, VolumeTarget};

use super::Store;
use super::http::Connector;
use crate::backup::places::{Places, needed, text};
use crate::backup::progress::Progress;
use crate::backup::{Failure, Reason};

/// Where no region is named: what servers other than AWS take for it.
const REGION: &str = "us-east-1";
const RETRIES_MAX: usize = 4;
const RETRY_FOR: Duration = Duration::from_secs(120);
const BACKOFF: BackoffConfig = BackoffConfig {
    init_backoff: Duration::from_millis(200),
    max_backoff: Duration::from_secs(8),
    base: 2.,
};

impl Store {
    /// # Errors
    /// If the target or its Secret makes no sense, or a volume is not mounted. Nobody is asked yet.
    pub fn open(
        target: &BackupTarget,
        places: &Places,
        progress: Arc<Progress>,
        stall: Duration,
    ) -> Result<Self, Failure> {
        let BackupTarget { s3, gcs, azure, volume } = target;
        let (objects, mounted, prefix, uri) = match (s3, gcs, azure, volume) {
            (Some(s3), None, None, None) => (
                amazon(s3, places, &progress)?,
                None,
                &s3.prefix,
                format!("s3://{}", s3.bucket),
            ),
            (None, Some(gcs), None, None) => (
                google(gcs, places, &progress)?,
                None,
                &gcs.prefix,
                format!("gs://{}", gcs.bucket),
            ),
            (None, None, Some(azure), None) => {
                let uri = format!("azure://{}/{}", azure.account, azure.container);
                (microsoft(azure, places, &progress)?, None, &azure.prefix, uri)
            }
            (None, None, None, Some(volume)) => {
                let (objects, root) = local(volume, places)?;
                (
                    objects,
                    Some(root),
                    &volume.prefix,
                    format!("volume://{}", volume.claim_name),
                )
            }
            _ => return Err(invalid("exactly one of s3, gcs, azure and volume is needed")),
        };
        let prefix = prefix.as_deref().unwrap_or_default().trim_matches('/').to_owned();
        let uri = format!("{uri}/{prefix}").trim_end_matches('/').to_owned();
        Ok(Self {
            objects,
            mounted,
            prefix,
            uri,
            progress,
            stall,
        })
    }
}

type Objects = Arc<dyn ObjectStore>;

fn amazon(target: &S3Target, places: &Places, progress: &Arc<Progress>) -> Result<Objects, Failure> {
    let given = target.credentials_secret_ref.is_some();
    let mut builder = match given {
        true => s3_keys(&places.credentials)?,
        false => AmazonS3Builder::from_env(),
    };
    let region = target
        .region
        .clone()
        .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Region));
    builder = builder
        .with_bucket_name(&target.bucket)
        .with_region(region.unwrap_or_else(|| REGION.into()))
        // Not every server knows how to remove many at once.
        .with_disable_bulk_delete(true)
        .with_virtual_hosted_style_request(!target.force_path_style)
        .with_retry(retries())
        .with_http_connector(connector(&places.credentials, progress)?);
    if let Some(endpoint) = &target.endpoint {
        builder = builder.with_allow_http(true).with_endpoint(address(endpoint, target)?);
    }
    Ok(Arc::new(builder.build().map_err(|error| misfit(&error))?))
}

fn s3_keys(folder: &Path) -> Result<AmazonS3Builder, Failure> {
    let builder = AmazonS3Builder::new()
        .with_access_key_id(needed(folder, "accessKeyId")?)
        .with_secret_access_key(needed(folder, "secretAccessKey")?);
    Ok(match text(folder, "sessionToken")? {
        Some(token) => builder.with_token(token),
        None => builder,
    })
}

/// Where the bucket is part of the host's name, the endpoint has it in front.
fn address(endpoint: &str, target: &S3Target) -> Result<String, Failure> {
    let endpoint = endpoint.trim_end_matches('/');
    let (scheme, host) = endpoint
        .split_once("://")
        .ok_or_else(|| invalid(&format!("{endpoint} is no URL")))?;
    Ok(match target.force_path_style {
        true => endpoint.to_owned(),
        false => format!("{scheme}://{}.{host}", target.bucket),
    })
}

fn google(target: &GcsTarget, places: &Places, progress: &Arc<Progress>) -> Result<Objects, Failure> {
    let builder = match target.credentials_secret_ref.is_some() {
        true => {
            GoogleCloudStorageBuilder::new().with_service_account_key(needed(&places.credentials, "credentials.json")?)
        }
        false => GoogleCloudStorageBuilder::from_env(),
    };
    let builder = builder
        .with_bucket_name(&target.bucket)
        .with_retry(retries())
        .with_http_connector(connector(&places.credentials, progress)?);
    Ok(Arc::new(builder.build().map_err(|error| misfit(&error))?))
}

fn microsoft(target: &AzureTarget, places: &Places, progress: &Arc<Progress>) -> Result<Objects, Failure> {
    let mut builder = match target.credentials_secret_ref.is_some() {
        true => azure_keys(&places.credentials)?,
        false => MicrosoftAzureBuilder::from_env(),
    };
    builder = builder
        .with_account(&target.account)
        .with_container_name(&target.container)
        .with_retry(retries())
        .with_http_connector(connector(&places.credentials, progress)?);
    if let Some(endpoint) = &target.endpoint {
        builder = builder.with_allow_http(true).with_endpoint(endpoint.clone());
    }
    Ok(Arc::new(builder.build().map_err(|error| misfit(&error))?))
}

fn azure_keys(folder: &Path) -> Result<MicrosoftAzureBuilder, Failure> {
    let builder = MicrosoftAzureBuilder::new();
    match (text(folder, "accountKey")?, text(folder, "sasToken")?) {
        (Some(key), _) => Ok(builder.with_access_key(key)),
        (None, Some(token)) => {
            let pairs = pairs(&token);
            Ok(builder.with_sas_authorization(pairs))
        }
        (None, None) => Err(invalid("the Secret of the target needs accountKey or sasToken")),
    }
}

/// A token is the query of a URL: `sv=...&sig=...`, percent-encoded.
fn pairs(token: &str) -> Vec<(String, String)> {
    let token = token.trim_start_matches('?');
    url::form_urlencoded::parse(token.as_bytes()).into_owned().collect()
}

fn local(target: &VolumeTarget, places: &Places) -> Result<(Objects, PathBuf), Failure> {
    let root = std::fs::canonicalize(&places.volume).map_err(|error| {
        let message = format!(
            "the volume {} is not mounted at {}: {error}",
            target.claim_name,
            places.volume.display()
        );
        Failure::new(Reason::NoSuchBucket, message)
    })?;
    let files = LocalFileSystem::new_with_prefix(&root).map_err(|error| misfit(&error))?;
    Ok((Arc::new(files), root))
}

fn connector(credentials: &Path, progress: &Arc<Progress>) -> Result<Connector, Failure> {
    Ok(Connector::new(text(credentials, "ca.crt")?, progress.clone()))
}

fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BACKOFF,
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_FOR,
    }
}

fn misfit(error: &object_store::Error) -> Failure {
    super::refusal::unusable(error)
}

fn invalid(message: &str) -> Failure {
    Failure::new(Reason::Invalid, message)
}
