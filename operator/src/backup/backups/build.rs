//! The Jobs of one EtcdBackup. Pure: the same declaration gives the same Jobs.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, LocalObjectReference, PodSpec, VolumeMount};
use kube::ResourceExt;
use taffrail_crds::{Artifact, EtcdBackup, EtcdCluster, SCHEDULE};

use crate::backup::jobs::{Limits, Work, job, name, uid8};
use crate::backup::needs;
use crate::backup::pods::{mount, scratch, spec, thrifty, tool, variable, volumes};
use crate::backup::request::{Check, Fetch, MemberAddress, Origin, Request, Take};
use crate::cluster::build::confined;
use crate::context::Settings;
use crate::names::Names;

/// Bytes of one part of an upload, of which a few are in memory at a time.
const PART_BYTES: usize = 8 << 20;
/// Seconds without progress after which a store or a member is given up.
const STALL_SECONDS: u64 = 60;
const SCRATCH: &str = "/scratch";
const CLIENT_URL: &str = "http://127.0.0.1:2379";
const PEER_URL: &str = "http://localhost:2380";
/// The throw-away member is only read from, so its quota must never speak up: etcd's suggested maximum.
const QUOTA_BYTES: u64 = 8 << 30;

/// What Jobs are made from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub backup: &'a EtcdBackup,
    pub cluster: Option<&'a EtcdCluster>,
    pub names: &'a Names,
    pub settings: &'a Settings,
}

impl Inputs<'_> {
    fn identity(&self) -> Option<&str> {
        let encryption = self.backup.spec.encryption.as_ref()?;
        Some(encryption.identity_secret_ref.as_ref()?.name.as_str())
    }

    fn root(&self) -> Option<String> {
        needs::root(self.cluster?, self.names)
    }

    fn client(&self) -> Option<String> {
        needs::client(self.cluster?, self.names)
    }

    fn pull_secrets(&self) -> Vec<LocalObjectReference> {
        let template = self.cluster.map(|cluster| &cluster.spec.pod_template);
        template
            .map(|template| template.image_pull_secrets.clone())
            .unwrap_or_default()
    }

    fn made(&self, work: Work, round: u32, pod: PodSpec) -> Job {
        let limits = Limits {
            retries: self.backup.spec.retries,
            deadline_seconds: self.backup.spec.deadline_seconds,
        };
        let uid = self.backup.uid().unwrap_or_default();
        let name = name(&self.backup.name_any(), &uid, work, round);
        job(self.backup, work, round, name, limits, &self.backup.spec.pod, pod)
    }

    /// What has to be there before the pod is.
    pub fn needs(&self, work: Work) -> Vec<needs::Need> {
        let mut all = needs::of_target(&self.backup.spec.target, self.identity());
        let of_client = self.cluster.map(|cluster| needs::of_client(cluster, self.names));
        let root = self.root();
        // Nobody speaks TLS with a throw-away member.
        let wanted = |need: &needs::Need| match need {
            needs::Need::Secret { name, .. } => work == Work::Take || Some(name) == root.as_ref(),
            needs::Need::Claim { .. } => true,
        };
        all.extend(of_client.unwrap_or_default().into_iter().filter(wanted));
        all
    }

    /// The operator's image takes a snapshot of one of `members`, best first, and stores it.
    pub fn take(&self, image: &str, members: Vec<MemberAddress>, round: u32) -> Job {
        let spec_ = &self.backup.spec;
        let encryption = spec_.encryption.clone().unwrap_or_default();
        let request = Request::Take(Box::new(Take {
            target: spec_.target.clone(),
            compression: spec_.compression,
            recipients: encryption.recipients,
            identity: self.identity().is_some(),
            members,
            key: key(self.backup),
            origin: origin(self.backup, self.cluster),
            part_bytes: PART_BYTES,
            stall_seconds: STALL_SECONDS,
        }));
        let (client, root) = (self.client(), self.root());
        let (all, mounts) = volumes(Some(&spec_.target), self.identity(), client.as_deref(), root.as_deref());
        let container = tool("take", image, &request, &spec_.pod, mounts);
        self.made(
            Work::Take,
            round,
            spec(&spec_.pod, &self.pull_secrets(), vec![container], all),
        )
    }

    /// Fetched by the operator's image, restored and run by the members', asked by the operator's.
    pub fn verify(&self, image: &str, artifact: &Artifact, round: u32) -> Job {
        let spec_ = &self.backup.spec;
        let root = self.root();
        let (mut all, _) = volumes(Some(&spec_.target), self.identity(), None, root.as_deref());
        all.push(scratch("scratch", spec_.pod.scratch_size.as_deref()));
        let check = self.check(image, artifact, root.as_deref());
        let mut pod = spec(&spec_.pod, &self.pull_secrets(), vec![check], all);
        pod.init_containers = Some(vec![
            self.fetch(image, artifact),
            self.restore(artifact),
            self.member(artifact),
        ]);
        self.made(Work::Verify, round, pod)
    }

    fn fetch(&self, image: &str, artifact: &Artifact) -> Container {
        let spec_ = &self.backup.spec;
        let request = Request::Fetch(Box::new(Fetch {
            target: spec_.target.clone(),
            key: artifact.key.clone(),
            artifact: Some(artifact.clone()),
            identity: artifact.encrypted,
            folder: SCRATCH.into(),
            data_dir: None,
            stall_seconds: STALL_SECONDS,
        }));
        let (_, mut mounts) = volumes(Some(&spec_.target), self.identity(), None, None);
        mounts.push(on_scratch());
        tool("fetch", image, &request, &spec_.pod, mounts)
    }

    fn restore(&self, artifact: &Artifact) -> Container {
        let file = format!("{SCRATCH}/{}", Fetch::SNAPSHOT);
        let words = ["snapshot", "restore", &file, "--data-dir", &data_dir()].map(String::from);
        self.of_member("restore", "/usr/local/bin/etcdutl", words.into(), artifact)
    }

    /// A native sidecar: it runs until the check has ended.
    fn member(&self, artifact: &Artifact) -> Container {
        let flags = [
            "--name=default".into(),
            format!("--data-dir={}", data_dir()),
            format!("--listen-client-urls={CLIENT_URL}"),
            format!("--advertise-client-urls={CLIENT_URL}"),
            "--listen-peer-urls=http://127.0.0.1:2380".into(),
            format!("--initial-advertise-peer-urls={PEER_URL}"),
            format!("--initial-cluster=default={PEER_URL}"),
            format!("--quota-backend-bytes={QUOTA_BYTES}"),
        ];
        Container {
            restart_policy: Some("Always".into()),
            ..self.of_member("member", "/usr/local/bin/etcd", flags.into(), artifact)
        }
    }

    fn of_member(&self, name: &str, program: &str, words: Vec<String>, artifact: &Artifact) -> Container {
        let version = self
            .cluster
            .map_or(&artifact.etcd_version, |cluster| &cluster.spec.version);
        Container {
            name: name.into(),
            image: Some(self.member_image(version)),
            image_pull_policy: self
                .cluster
                .and_then(|one| one.spec.pod_template.image_pull_policy.clone()),
            command: Some(vec![program.into()]),
            args: Some(words),
            env: Some(vec![variable("ETCD_COMPATIBILITY_VERSION", version), thrifty()]),
            resources: self.backup.spec.pod.resources.clone(),
            // A program that knows nothing of outcomes is quoted.
            termination_message_policy: Some("FallbackToLogsOnError".into()),
            volume_mounts: Some(vec![on_scratch()]),
            security_context: Some(confined()),
            ..Container::default()
        }
    }

    /// The cluster's own; if it has gone meanwhile, the default of the version that the snapshot is of.
    fn member_image(&self, version: &str) -> String {
        let own = self.cluster.and_then(|cluster| cluster.spec.image.clone());
        own.unwrap_or_else(|| format!("{}:{version}", self.settings.image_repository))
    }

    fn check(&self, image: &str, artifact: &Artifact, root: Option<&str>) -> Container {
        let request = Request::Check(Box::new(Check {
            url: CLIENT_URL.into(),
            artifact: artifact.clone(),
            patience_seconds: u64::try_from(self.backup.spec.deadline_seconds / 2).unwrap_or(STALL_SECONDS),
        }));
        let (_, mounts) = volumes(None, None, None, root);
        tool("check", image, &request, &self.backup.spec.pod, mounts)
    }
}

fn data_dir() -> String {
    format!("{SCRATCH}/data")
}

fn on_scratch() -> VolumeMount {
    mount("scratch", SCRATCH, false)
}

/// `NAMESPACE/CLUSTER/SCHEDULE/20261122T041500Z-UID8`, with `manual` for one that no schedule made. It follows from the
/// EtcdBackup alone: every attempt means the same object.
pub fn key(backup: &EtcdBackup) -> String {
    let made = backup.creation_timestamp().map(|time| time.0).unwrap_or_default();
    let uid = backup.uid().unwrap_or_default();
    format!(
        "{}/{}/{}/{}-{}",
        backup.namespace().unwrap_or_default(),
        backup.spec.cluster_ref.name,
        schedule(backup).unwrap_or("manual"),
        made.strftime("%Y%m%dT%H%M%SZ"),
        uid8(&uid)
    )
}

/// Name of the schedule that made it.
pub fn schedule(backup: &EtcdBackup) -> Option<&str> {
    backup.metadata.labels.as_ref()?.get(SCHEDULE).map(String::as_str)
}

fn origin(backup: &EtcdBackup, cluster: Option<&EtcdCluster>) -> Origin {
    let namespace = backup.namespace().unwrap_or_default();
    Origin {
        schedule: schedule(backup).map(|schedule| format!("{namespace}/{schedule}")),
        namespace,
        cluster: backup.spec.cluster_ref.name.clone(),
        cluster_uid: cluster.and_then(ResourceExt::uid).unwrap_or_default(),
        backup: backup.name_any(),
        backup_uid: backup.uid().unwrap_or_default(),
    }
}
