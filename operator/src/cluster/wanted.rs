//! What is declared, made whole: defaults taken, what is not allowed found.

use taffrail_crds::EtcdMember;

use super::build::{self, Mounts};
use super::observe::Observed;
use super::version::{Version, skew};
use crate::context::Settings;
use crate::names::{Names, PEER_PORT};
use crate::problem::Problem;

/// What is declared, made whole.
#[derive(Clone)]
pub struct Wanted {
    pub replicas: usize,
    pub version: Version,
    pub class_name: Option<String>,
    pub peer_tls: bool,
    /// Why running members are left as they are.
    pub blocks_roll: Option<Problem>,
    pub pods: build::PodInputs,
}

/// What was declared cannot be read at all: the API server should have refused it.
pub fn wanted(seen: &Observed, settings: &Settings, mounts: Mounts) -> Result<Wanted, Problem> {
    let spec = &seen.cluster.spec;
    let version = spec.version.parse::<Version>();
    let version = version.map_err(|error| Problem::new("InvalidVersion", format!("spec.version {error}")))?;
    Ok(Wanted {
        replicas: usize::try_from(spec.replicas).unwrap_or(0),
        version,
        class_name: spec.storage.class_name.clone(),
        peer_tls: spec.tls.peer.is_on(),
        blocks_roll: skew(seen, version),
        pods: pods(seen, settings, version, mounts),
    })
}

impl Wanted {
    /// Stands for a declaration that cannot be: enough to say how things are.
    pub fn impossible(seen: &Observed, settings: &Settings, mounts: Mounts, problem: &Problem) -> Self {
        let version = Version {
            major: 3,
            minor: 6,
            patch: 0,
        };
        Self {
            replicas: seen.members.len(),
            version,
            class_name: None,
            peer_tls: mounts.peer.is_some(),
            blocks_roll: Some(problem.clone()),
            pods: pods(seen, settings, version, mounts),
        }
    }
}

fn pods(seen: &Observed, settings: &Settings, version: Version, mounts: Mounts) -> build::PodInputs {
    build::PodInputs {
        cluster: seen.cluster.clone(),
        names: seen.names.clone(),
        image: image(seen, settings),
        version,
        ipv6: settings.ipv6,
        mounts,
    }
}

fn image(seen: &Observed, settings: &Settings) -> String {
    let spec = &seen.cluster.spec;
    let default = || format!("{}:{}", settings.image_repository, spec.version);
    spec.image.clone().unwrap_or_else(default)
}

impl Wanted {
    /// What a pod of this member is made from, in short.
    pub fn pod_hash(&self, record: &EtcdMember) -> String {
        build::pod_hash(&self.pods, record)
    }

    pub fn peer_scheme_prefix(&self) -> &'static str {
        if self.peer_tls { "https://" } else { "http://" }
    }

    /// Where a new member is reached by the others.
    pub fn peer_url(&self, names: &Names, member: &str) -> String {
        format!("{}{}:{PEER_PORT}", self.peer_scheme_prefix(), names.member_host(member))
    }
}
