//! What one look at a cluster's certificates works with, and what it finds.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use taffrail_crds::{CertificateStatus, EtcdCluster, TlsSource};

use super::Trust;
use crate::context::Context;
use crate::names::{Names, Surface};
use crate::pki::{Pair, Step, facts};
use crate::problem::Problem;
use crate::secrets::Secrets;

const DAY: Duration = Duration::from_secs(24 * 3600);
const LEAF_DAYS: u32 = 90;
const AUTHORITY_DAYS: u32 = 3650;

pub(super) struct Keeper<'a> {
    pub context: &'a Context,
    pub cluster: &'a EtcdCluster,
    pub names: Names,
    pub secrets: Secrets,
    pub trust: Trust,
    pub now: Timestamp,
    pub statuses: Vec<CertificateStatus>,
    pub problems: Vec<Problem>,
    due: Vec<Timestamp>,
}

impl<'a> Keeper<'a> {
    pub fn new(context: &'a Context, cluster: &'a EtcdCluster, trust: Trust) -> Self {
        Self {
            context,
            cluster,
            names: Names::of(cluster, &context.settings.cluster_domain),
            secrets: Secrets::of(&context.client, cluster),
            trust,
            now: context.now(),
            statuses: Vec::new(),
            problems: Vec::new(),
            due: Vec::new(),
        }
    }

    pub fn source(&self, surface: Surface) -> &'a TlsSource {
        match surface {
            Surface::Client => &self.cluster.spec.tls.client,
            Surface::Peer => &self.cluster.spec.tls.peer,
        }
    }

    pub fn leaf_life(&self, surface: Surface) -> Duration {
        days(self.source(surface).validity_days, LEAF_DAYS)
    }

    pub fn authority_life(&self, surface: Surface) -> Duration {
        days(self.source(surface).ca_validity_days, AUTHORITY_DAYS)
    }

    pub fn problem(&mut self, reason: &'static str, message: impl Into<String>) {
        self.problems.push(Problem::new(reason, message));
    }

    pub fn note(&mut self, name: &str, pair: &Pair, rotation: Step) {
        let Ok(read) = facts(&pair.certificate) else { return };
        self.statuses.push(CertificateStatus {
            name: name.into(),
            not_after: read.not_after.to_string(),
            rotation: (rotation != Step::Steady).then(|| rotation.word().into()),
        });
    }

    /// Something is to be looked at then. What is past waits for something else than time.
    pub fn look_again(&mut self, at: Option<Timestamp>) {
        self.due.extend(at.filter(|at| *at > self.now));
    }

    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.iter().min().copied()
    }

    /// The hosts of the members that there are and of the one that would come next.
    pub fn member_hosts(&self) -> Vec<String> {
        let status = self.cluster.status.clone().unwrap_or_default();
        let next = self.names.member(status.next_serial);
        let there = status.members.into_iter().map(|member| member.name);
        there.chain([next]).map(|name| self.names.member_host(&name)).collect()
    }
}

fn days(asked: Option<i32>, default: u32) -> Duration {
    DAY * asked.and_then(|days| u32::try_from(days).ok()).unwrap_or(default)
}

/// The beginning of a SHA-256, in hexadecimal digits: enough to tell one bundle from another.
pub(super) fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
