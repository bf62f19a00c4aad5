//! Conditions: what is the case, since when, and why.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The types of conditions on an EtcdCluster.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// A quorum answers clients.
    Available,
    /// Something is on its way to what was declared.
    Progressing,
    /// Less than what was declared is healthy, or what was declared cannot be.
    Degraded,
    /// No quorum can be had from the members that are left.
    QuorumLost,
    /// Every certificate is there and valid for a while.
    CertificatesValid,
    /// Volumes are growing.
    StorageResizing,
    /// Passwords and authentication are as declared.
    AuthReady,
    /// The newest backup is there and not too old. Only for clusters of which backups are made.
    BackupReady,
    /// A member raised the alarm NOSPACE: nothing can be written.
    NoSpace,
    /// The data, without what defragmentation gives back, are close to the quota.
    SpaceLow,
    /// Defragmentations are made by the schedule. Only where one is declared.
    DefragmentationScheduled,
    /// Nothing is done: `spec.paused`.
    Paused,
}

impl ConditionType {
    pub fn name(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Progressing => "Progressing",
            Self::Degraded => "Degraded",
            Self::QuorumLost => "QuorumLost",
            Self::CertificatesValid => "CertificatesValid",
            Self::StorageResizing => "StorageResizing",
            Self::AuthReady => "AuthReady",
            Self::BackupReady => "BackupReady",
            Self::NoSpace => "NoSpace",
            Self::SpaceLow => "SpaceLow",
            Self::DefragmentationScheduled => "DefragmentationScheduled",
            Self::Paused => "Paused",
        }
    }
}

/// A condition that keeps the time of its last transition from `before` while its status has not changed.
pub fn condition(
    before: &[Condition],
    kind: ConditionType,
    status: bool,
    (reason, message): (&str, &str),
    (now, generation): (Time, Option<i64>),
) -> Condition {
    let status = if status { "True" } else { "False" };
    let same = before
        .iter()
        .find(|old| old.type_ == kind.name() && old.status == status);
    Condition {
        type_: kind.name().into(),
        status: status.into(),
        reason: reason.into(),
        message: message.into(),
        last_transition_time: same.map_or(now, |old| old.last_transition_time.clone()),
        observed_generation: generation,
    }
}
