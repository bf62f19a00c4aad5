//! The steps there are. Each can be taken twice, or half, and the next look finds what is left to do.

use std::time::Duration;

use taffrail_crds::{EtcdClusterStatus, Leaving, RecoveryStatus, RestoreStatus, RollBackStatus};

use crate::etcd::{Alarm, Downgrade, Endpoint};

/// The one next step, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub step: Step,
    pub why: String,
    pub phase: Phase,
}

/// What people see in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Creating,
    Running,
    Scaling,
    Updating,
    Repairing,
    /// Nothing is to be done but to wait for a member that is not healthy.
    Degraded,
    /// No quorum answers at the moment.
    Unavailable,
    QuorumLost,
    Recovering,
    /// Data of a backup come first.
    Restoring,
    Hibernated,
    Paused,
    Invalid,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// All is as declared.
    Nothing,
    /// Somebody else has to do something first: Kubernetes, etcd or a person. Look again after a while.
    Wait(Duration),
    /// Take the next serial number and write a record under it.
    CreateMember {
        serial: i64,
        seed: bool,
    },
    /// Write a record again whose volume is still there and still belongs to the cluster.
    RecallMember {
        claim: String,
        member: String,
    },
    CreateVolume {
        member: String,
    },
    /// Write down which volume claim holds its data.
    RememberVolume {
        member: String,
        uid: String,
    },
    AddLearner {
        member: String,
    },
    /// Write down etcd's ID of it and what it is started with.
    RememberMember {
        member: String,
        id: u64,
        initial_cluster: String,
    },
    RememberCluster {
        id: u64,
    },
    CreatePod {
        member: String,
    },
    DeletePod {
        pod: String,
        uid: String,
    },
    /// Which Service and disruption budget count it.
    LabelPod {
        pod: String,
        role: &'static str,
    },
    /// Take the cluster's label off a pod that is none of its members.
    DisownPod {
        pod: String,
    },
    Promote {
        member: String,
        id: u64,
    },
    MoveLeader {
        from: Endpoint,
        to: u64,
    },
    BeginLeaving {
        member: String,
        leaving: Leaving,
    },
    /// Take a member off etcd's list.
    Remove {
        id: u64,
        member: String,
    },
    DeleteVolume {
        claim: String,
        uid: String,
    },
    /// Mark a volume claim as kept for people.
    KeepVolume {
        claim: String,
        reason: String,
    },
    GrowVolume {
        claim: String,
        size: String,
    },
    /// Forget a record whose member, pod and volume are dealt with.
    DeleteMember {
        member: String,
    },
    Disarm(Alarm),
    Downgrade {
        action: Downgrade,
        version: String,
    },
    /// Write down how far a recovery is.
    Recover(Option<RecoveryStatus>),
    /// Start the copy of a survivor's volume.
    KeepAside {
        survivor: String,
        claim: String,
    },
    /// Set or take away `--force-new-cluster` in a record.
    Force {
        member: String,
        on: bool,
    },
    /// Write down what is restored, and how far it is.
    NoteRestore(Box<RestoreStatus>),
    /// Start the pod that fills a member's volume.
    RunRestore {
        member: String,
    },
    /// Write down that a member's volume was filled.
    RememberRestored {
        member: String,
        key: String,
    },
    /// Write down how far a roll-back is, and what it goes back to.
    RollBack {
        roll_back: RollBackStatus,
        restore: Option<Box<RestoreStatus>>,
    },
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Running => "Running",
            Self::Scaling => "Scaling",
            Self::Updating => "Updating",
            Self::Repairing => "Repairing",
            Self::Degraded => "Degraded",
            Self::Unavailable => "Unavailable",
            Self::QuorumLost => "QuorumLost",
            Self::Recovering => "Recovering",
            Self::Restoring => "Restoring",
            Self::Hibernated => "Hibernated",
            Self::Paused => "Paused",
            Self::Invalid => "Invalid",
        }
    }
}

impl Step {
    /// For events and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "Nothing",
            Self::Wait(_) => "Wait",
            Self::CreateMember { .. } => "CreateMember",
            Self::RecallMember { .. } => "RecallMember",
            Self::CreateVolume { .. } => "CreateVolume",
            Self::RememberVolume { .. } => "RememberVolume",
            Self::AddLearner { .. } => "AddLearner",
            Self::RememberMember { .. } => "RememberMember",
            Self::RememberCluster { .. } => "RememberCluster",
            Self::CreatePod { .. } => "CreatePod",
            Self::DeletePod { .. } => "DeletePod",
            Self::LabelPod { .. } => "LabelPod",
            Self::DisownPod { .. } => "DisownPod",
            Self::Promote { .. } => "Promote",
            Self::MoveLeader { .. } => "MoveLeader",
            Self::BeginLeaving { .. } => "BeginLeaving",
            Self::Remove { .. } => "RemoveMember",
            Self::DeleteVolume { .. } => "DeleteVolume",
            Self::KeepVolume { .. } => "KeepVolume",
            Self::GrowVolume { .. } => "GrowVolume",
            Self::DeleteMember { .. } => "DeleteMember",
            Self::Disarm(_) => "DisarmAlarm",
            Self::Downgrade { .. } => "Downgrade",
            Self::Recover(_) => "RecoverQuorum",
            Self::KeepAside { .. } => "KeepAside",
            Self::Force { .. } => "ForceNewCluster",
            Self::NoteRestore(_) => "Restore",
            Self::RunRestore { .. } => "RunRestore",
            Self::RememberRestored { .. } => "RememberRestored",
            Self::RollBack { .. } => "RollBack",
        }
    }

    /// Bookkeeping that people need no event for.
    pub fn is_quiet(&self) -> bool {
        matches!(
            self,
            Self::Nothing
                | Self::Wait(_)
                | Self::RememberVolume { .. }
                | Self::RememberMember { .. }
                | Self::RememberCluster { .. }
                | Self::LabelPod { .. }
        )
    }
}

impl Plan {
    pub fn new(phase: Phase, step: Step, why: impl Into<String>) -> Self {
        Self {
            step,
            why: why.into(),
            phase,
        }
    }

    /// Looked at again after a second or when Kubernetes tells of a change.
    pub fn wait(phase: Phase, why: impl Into<String>) -> Self {
        Self::new(phase, Step::Wait(Duration::from_secs(1)), why)
    }

    /// Nothing that the operator does brings it on.
    pub fn stuck(phase: Phase, why: impl Into<String>) -> Self {
        Self::new(phase, Step::Wait(Duration::from_secs(15)), why)
    }
}

/// The serial number after every one that was ever seen.
pub fn next_serial(status: Option<&EtcdClusterStatus>, seen: impl Iterator<Item = i64>) -> i64 {
    let written = status.map_or(0, |status| status.next_serial);
    seen.map(|serial| serial + 1).chain([written]).max().unwrap_or(written)
}
