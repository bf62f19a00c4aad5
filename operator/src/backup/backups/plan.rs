//! What is to be said of an EtcdBackup, and the one next step. Pure.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use taffrail_crds::{Artifact, BackupPhase, EtcdBackup, EtcdBackupStatus, EtcdCluster};

use super::build::Inputs;
use crate::backup::conditions::{COMPLETE, VERIFIED, set, stamp};
use crate::backup::heard::{Heard, Standing};
use crate::backup::jobs::Work;
use crate::backup::members::members;
use crate::backup::request::Outcome;
use crate::context::Settings;
use crate::names::Names;
use crate::problem::Problem;

/// Jobs whose end nobody heard of, after which it is given up.
pub(super) const ROUNDS_MAX: u32 = 3;
pub(super) const WAITING: Duration = Duration::from_secs(10);
pub(super) const WORKING: Duration = Duration::from_secs(30);

/// Everything that a plan is made from.
#[derive(Clone)]
pub struct Seen {
    pub backup: EtcdBackup,
    pub cluster: Option<EtcdCluster>,
    pub names: Names,
    pub now: Timestamp,
    pub heard: Heard,
    /// What the next Job needs and has not.
    pub missing: Option<Problem>,
    /// Why the API server took the last step ill.
    pub refused: Option<Problem>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Nothing,
    /// Another look at once.
    Again,
    Wait(Duration),
    Make(Box<Job>),
    /// Name and UID of Jobs that nobody waits for any more.
    Stop(Vec<(String, String)>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub status: EtcdBackupStatus,
    pub step: Step,
}

pub fn is_over(phase: BackupPhase) -> bool {
    use BackupPhase::{Expired, Failed, Succeeded, Unusable};
    matches!(phase, Succeeded | Failed | Unusable | Expired)
}

/// The work that comes next, if any does.
pub fn next_work(backup: &EtcdBackup) -> Option<Work> {
    match backup
        .status
        .as_ref()
        .map_or(BackupPhase::Pending, |status| status.phase)
    {
        BackupPhase::Pending | BackupPhase::Running => Some(Work::Take),
        BackupPhase::Verifying => Some(Work::Verify),
        _ => None,
    }
}

pub fn plan(seen: &Seen, settings: &Settings) -> Plan {
    let teller = Teller {
        seen,
        settings,
        status: seen.backup.status.clone().unwrap_or_default(),
    };
    match next_work(&seen.backup) {
        None => teller.over(),
        Some(Work::Verify) => teller.verify(),
        Some(_) => teller.take(),
    }
}

/// What is seen, and what is to be said of it, so far.
pub(super) struct Teller<'a> {
    pub seen: &'a Seen,
    pub settings: &'a Settings,
    pub status: EtcdBackupStatus,
}

impl Teller<'_> {
    pub(super) fn inputs(&self) -> Inputs<'_> {
        Inputs {
            backup: &self.seen.backup,
            cluster: self.seen.cluster.as_ref(),
            names: &self.seen.names,
            settings: self.settings,
        }
    }

    fn take(mut self) -> Plan {
        match self.seen.heard.standing(Work::Take) {
            Standing::Done(outcome) => match *outcome {
                Outcome::Taken { artifact } => self.taken(artifact),
                other => self.failed("UnexpectedOutcome", &format!("the pod said {other:?}")),
            },
            Standing::Failed {
                attempts,
                reason,
                message,
            } => {
                self.status.attempts = attempts;
                self.failed(&reason, &message)
            }
            Standing::Running { attempts, why } => {
                self.status.attempts = attempts;
                self.running(why.as_deref());
                self.then(Step::Wait(WORKING))
            }
            Standing::Unheard { round } if round >= ROUNDS_MAX => self.failed(
                "Unheard",
                "its pods were removed before they could say what became of it: make another one",
            ),
            Standing::Unheard { round } => self.begin(round + 1),
            Standing::None => self.begin(1),
        }
    }

    fn begin(mut self, round: u32) -> Plan {
        let name = &self.seen.backup.spec.cluster_ref.name;
        let found = members(self.seen.cluster.as_ref(), name, &self.seen.names);
        match self.obstacle(found) {
            Err(problem) => self.pending(&problem),
            Ok((image, members)) => {
                let job = self.inputs().take(&image, members, round);
                match self.seen.refused.clone() {
                    Some(problem) => self.refused(&problem, job),
                    None => {
                        self.running(None);
                        self.then(Step::Make(Box::new(job)))
                    }
                }
            }
        }
    }

    pub(super) fn obstacle<T>(&self, found: Result<T, Problem>) -> Result<(String, T), Problem> {
        let found = found?;
        if let Some(problem) = &self.seen.missing {
            return Err(problem.clone());
        }
        let image = self.settings.operator_image.clone().ok_or_else(|| {
            let message = "the operator does not know its own image, which backups are made by: set --operator-image";
            Problem::new("NoOperatorImage", message)
        })?;
        Ok((image, found))
    }

    fn pending(mut self, problem: &Problem) -> Plan {
        let since = self.seen.backup.creation_timestamp().map(|time| time.0);
        if self.is_late(since) {
            let deadline = self.seen.backup.spec.deadline_seconds;
            let message = format!(
                "{}. It was waited for {deadline} s: make another backup",
                problem.message
            );
            return self.failed(problem.reason, &message);
        }
        self.tell(BackupPhase::Pending, problem.reason, &problem.message);
        self.then(Step::Wait(WAITING))
    }

    /// It is tried all the same: what stood in the way may have gone.
    fn refused(mut self, problem: &Problem, job: Job) -> Plan {
        let since = self.seen.backup.creation_timestamp().map(|time| time.0);
        if self.is_late(since) {
            return self.failed(problem.reason, &problem.message);
        }
        self.tell(BackupPhase::Pending, problem.reason, &problem.message);
        self.then(Step::Make(Box::new(job)))
    }

    pub(super) fn is_late(&self, since: Option<Timestamp>) -> bool {
        let waited = since.map_or(0, |since| self.seen.now.as_second() - since.as_second());
        waited >= self.seen.backup.spec.deadline_seconds
    }

    fn running(&mut self, why: Option<&str>) {
        self.status.started_at.get_or_insert_with(|| stamp(self.seen.now));
        self.tell(BackupPhase::Running, "Running", why.unwrap_or("a pod makes it"));
    }

    fn taken(mut self, artifact: Artifact) -> Plan {
        self.status.attempts = self.status.attempts.max(1);
        self.status.started_at.get_or_insert_with(|| stamp(self.seen.now));
        self.status.completed_at = Some(stamp(self.seen.now));
        let unreadable = artifact.encrypted && !self.has_identity();
        let stored = format!("revision {} is stored in {}", artifact.revision, artifact.uri);
        self.status.artifact = Some(artifact);
        self.set(COMPLETE, true, "Stored", &stored);
        match self.seen.backup.spec.verify {
            false => self.succeeded("Stored", &stored),
            true if unreadable => self.unverified(
                "NoIdentity",
                "it is encrypted for others: name encryption.identitySecretRef to have it verified",
            ),
            true => {
                self.set(VERIFIED, false, "Verifying", "a throw-away member is being made of it");
                self.phase(BackupPhase::Verifying, "Verifying", &stored);
                self.then(Step::Again)
            }
        }
    }

    fn has_identity(&self) -> bool {
        let encryption = self.seen.backup.spec.encryption.as_ref();
        encryption.is_some_and(|encryption| encryption.identity_secret_ref.is_some())
    }

    pub(super) fn succeeded(mut self, reason: &str, message: &str) -> Plan {
        self.phase(BackupPhase::Succeeded, reason, message);
        self.over()
    }

    pub(super) fn failed(mut self, reason: &str, message: &str) -> Plan {
        self.status.completed_at = Some(stamp(self.seen.now));
        self.tell(BackupPhase::Failed, reason, message);
        self.over()
    }

    /// Whatever still works for one that was given up is of no use any more. A Job that has done its work ends by
    /// itself, and is left for people to look at.
    pub(super) fn over(self) -> Plan {
        let named = |job: &Job| Some((job.metadata.name.clone()?, job.metadata.uid.clone()?));
        let alive: Vec<_> = self.seen.heard.unfinished().filter_map(named).collect();
        let given_up = self.status.phase == BackupPhase::Failed && !alive.is_empty();
        self.then(if given_up { Step::Stop(alive) } else { Step::Nothing })
    }

    pub(super) fn then(self, step: Step) -> Plan {
        Plan {
            status: self.status,
            step,
        }
    }

    /// A phase in which there is none, or none that is good.
    pub(super) fn tell(&mut self, phase: BackupPhase, reason: &str, message: &str) {
        self.set(COMPLETE, false, reason, message);
        self.phase(phase, reason, message);
    }

    fn phase(&mut self, phase: BackupPhase, reason: &str, message: &str) {
        self.status.phase = phase;
        self.status.reason = Some(reason.into());
        self.status.message = Some(message.into());
    }

    pub(super) fn set(&mut self, kind: &str, status: bool, reason: &str, message: &str) {
        let at = (self.seen.now, self.seen.backup.metadata.generation);
        set(&mut self.status.conditions, kind, status, (reason, message), at);
    }
}
