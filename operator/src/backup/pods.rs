//! Pods of the operator's own program: what they mount, whose they are, and what they may do, which is little.
//!
//! Enters: a request, names of Secrets and a target. Leaves: containers, volumes and the rest of a pod. What is mounted
//! is told by the contract in [`super::request`].

use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, EnvVar, KeyToPath, LocalObjectReference, PersistentVolumeClaimVolumeSource,
    PodSpec, SecretVolumeSource, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use taffrail_crds::{BackupPod, BackupTarget};

use super::request::{CLIENT, CREDENTIALS, IDENTITY, REQUEST, ROOT, Request, TARGET_VOLUME};
use crate::cluster::build::{NOBODY, confined, security};

/// The operator's program in its image.
pub const PROGRAM: &str = "/usr/local/bin/taffrail-operator";
/// The one folder of a read-only root that can be written, by everybody.
const TEMPORARY: &str = "tmp";
/// Bytes in [`TEMPORARY`]: parts of an upload are held in memory, so this is for small things.
const TEMPORARY_SIZE: &str = "64Mi";

/// Volumes and where they are mounted, for a container that works on `target`. Of a Secret only what the contract
/// names is mounted, but of credentials everything, for what is in them depends on the store.
///
/// `identity`, `client` and `root` are names of Secrets.
pub fn volumes(
    target: Option<&BackupTarget>,
    identity: Option<&str>,
    client: Option<&str>,
    root: Option<&str>,
) -> (Vec<Volume>, Vec<VolumeMount>) {
    let credentials = target.and_then(credentials);
    let secrets = [
        credentials.map(|name| secret("credentials", name, CREDENTIALS, &[])),
        identity.map(|name| secret("identity", name, IDENTITY, &["identity"])),
        client.map(|name| secret("client", name, CLIENT, &["ca.crt", "tls.crt", "tls.key"])),
        root.map(|name| secret("root", name, ROOT, &[])),
    ];
    let stored = target.and_then(|target| target.volume.as_ref());
    let stored = stored.map(|volume| claim(&volume.claim_name));
    let own = Some((
        scratch(TEMPORARY, Some(TEMPORARY_SIZE)),
        mount(TEMPORARY, "/tmp", false),
    ));
    secrets.into_iter().chain([stored, own]).flatten().unzip()
}

/// The Secret that a store is entered with, if one is named.
pub fn credentials(target: &BackupTarget) -> Option<&str> {
    let BackupTarget {
        s3,
        gcs,
        azure,
        volume: _,
    } = target;
    let named = [
        s3.as_ref().map(|one| &one.credentials_secret_ref),
        gcs.as_ref().map(|one| &one.credentials_secret_ref),
        azure.as_ref().map(|one| &one.credentials_secret_ref),
    ];
    let mut named = named.into_iter().flatten().flatten();
    named.next().map(|secret| secret.name.as_str())
}

/// A container that does what `request` says.
pub fn tool(name: &str, image: &str, request: &Request, pod: &BackupPod, mounts: Vec<VolumeMount>) -> Container {
    Container {
        name: name.into(),
        image: Some(image.into()),
        command: Some(vec![PROGRAM.into()]),
        args: Some(vec!["backup".into()]),
        env: Some(vec![variable(REQUEST, &text(request))]),
        volume_mounts: Some(mounts),
        resources: pod.resources.clone(),
        security_context: Some(confined()),
        ..Container::default()
    }
}

/// The rest of a pod whose containers are these. It ends and is never started again: whoever made it decides.
pub fn spec(
    pod: &BackupPod,
    pull: &[LocalObjectReference],
    containers: Vec<Container>,
    volumes: Vec<Volume>,
) -> PodSpec {
    PodSpec {
        restart_policy: Some("Never".into()),
        service_account_name: pod.service_account_name.clone(),
        automount_service_account_token: Some(pod.service_account_name.is_some()),
        enable_service_links: Some(false),
        security_context: Some(security(NOBODY)),
        node_selector: (!pod.node_selector.is_empty()).then(|| pod.node_selector.clone()),
        tolerations: (!pod.tolerations.is_empty()).then(|| pod.tolerations.clone()),
        image_pull_secrets: (!pull.is_empty()).then(|| pull.to_vec()),
        containers,
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

/// An empty volume that goes with its pod.
pub fn scratch(name: &str, size: Option<&str>) -> Volume {
    Volume {
        name: name.into(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: size.map(|size| Quantity(size.into())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    }
}

pub fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.into(),
        mount_path: path.into(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

pub fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.into(),
        value: Some(value.into()),
        value_from: None,
    }
}

/// For a member's program that restores. Its allocator gives freed memory back after ten seconds, so that a short run
/// needs as much as it ever touched, and a limit would have to allow for that. Others do not know the name.
pub fn thrifty() -> EnvVar {
    variable("_RJEM_MALLOC_CONF", "dirty_decay_ms:200")
}

/// A request is made of texts and numbers alone, so it can always be written.
fn text(request: &Request) -> String {
    serde_json::to_string(request).unwrap_or_default()
}

/// `keys`: those that are mounted; all, if none is said.
fn secret(name: &str, secret: &str, path: &str, keys: &[&str]) -> (Volume, VolumeMount) {
    let item = |key: &&str| KeyToPath {
        key: (*key).into(),
        path: (*key).into(),
        ..KeyToPath::default()
    };
    let source = SecretVolumeSource {
        secret_name: Some(secret.into()),
        default_mode: Some(0o440),
        items: (!keys.is_empty()).then(|| keys.iter().map(item).collect()),
        ..SecretVolumeSource::default()
    };
    let volume = Volume {
        name: name.into(),
        secret: Some(source),
        ..Volume::default()
    };
    (volume, mount(name, path, true))
}

fn claim(claim: &str) -> (Volume, VolumeMount) {
    let volume = Volume {
        name: "target".into(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.into(),
            read_only: None,
        }),
        ..Volume::default()
    };
    (volume, mount("target", TARGET_VOLUME, false))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backup::request::Finish;

    fn target(value: serde_json::Value) -> BackupTarget {
        serde_json::from_value(value).unwrap()
    }

    fn paths(mounts: &[VolumeMount]) -> Vec<&str> {
        mounts.iter().map(|one| one.mount_path.as_str()).collect()
    }

    fn request() -> Request {
        Request::Finish(Finish {
            folder: "/data".into(),
            data_dir: "etcd".into(),
        })
    }

    #[test]
    fn what_is_there_is_mounted_where_the_contract_says() {
        let s3 = target(json!({"s3": {"bucket": "abc", "credentialsSecretRef": {"name": "keys"}}}));
        let (all, mounts) = volumes(Some(&s3), Some("age"), Some("a-client"), Some("root"));
        assert_eq!(paths(&mounts), [CREDENTIALS, IDENTITY, CLIENT, ROOT, "/tmp"]);
        assert_eq!(all.len(), mounts.len());
        assert_eq!(all[0].secret.as_ref().unwrap().secret_name.as_deref(), Some("keys"));
        let volume = target(json!({"volume": {"claimName": "shelf"}}));
        assert_eq!(
            paths(&volumes(Some(&volume), None, None, None).1),
            [TARGET_VOLUME, "/tmp"]
        );
        let ambient = target(json!({"gcs": {"bucket": "abc"}}));
        assert_eq!(paths(&volumes(Some(&ambient), None, None, None).1), ["/tmp"]);
    }

    #[test]
    fn nothing_but_temporary_files_and_a_target_volume_can_be_written() {
        let volume = target(json!({"volume": {"claimName": "shelf"}}));
        let (_, mounts) = volumes(Some(&volume), Some("age"), Some("a-client"), Some("root"));
        let writable = mounts.iter().filter(|one| one.read_only != Some(true));
        assert_eq!(
            writable.map(|one| one.mount_path.as_str()).collect::<Vec<_>>(),
            [TARGET_VOLUME, "/tmp"]
        );
        let container = tool("take", "image", &request(), &BackupPod::default(), mounts);
        assert_eq!(container.security_context, Some(confined()));
    }

    #[test]
    fn a_pod_has_a_token_only_if_an_account_is_named() {
        let mut pod = BackupPod::default();
        assert_eq!(
            spec(&pod, &[], vec![], vec![]).automount_service_account_token,
            Some(false)
        );
        pod.service_account_name = Some("backups".into());
        let made = spec(&pod, &[], vec![], vec![]);
        assert_eq!(made.automount_service_account_token, Some(true));
        assert_eq!(made.service_account_name.as_deref(), Some("backups"));
    }

    #[test]
    fn a_container_is_told_its_request_in_a_variable() {
        let container = tool("x", "image", &request(), &BackupPod::default(), vec![]);
        let told = container.env.unwrap()[0].value.clone().unwrap();
        assert_eq!(serde_json::from_str::<Request>(&told).unwrap(), request());
    }
}
