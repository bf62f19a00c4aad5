//! What is to be said of a backup that is stored and shall be verified. Pure.

use taffrail_crds::{Artifact, BackupPhase, Verification};

use super::plan::{Plan, ROUNDS_MAX, Step, Teller, WAITING, WORKING};
use crate::backup::conditions::VERIFIED;
use crate::backup::heard::Standing;
use crate::backup::jobs::Work;
use crate::backup::request::Outcome;

/// What the snapshot itself is to blame for; anything else says nothing about it.
const UNUSABLE: [&str; 7] = [
    "Different",
    "ChecksumMismatch",
    "Truncated",
    "NotASnapshot",
    "DecryptionFailed",
    "NoSuchObject",
    "RestoreFailed",
];

impl Teller<'_> {
    pub(super) fn verify(mut self) -> Plan {
        let Some(artifact) = self.status.artifact.clone() else {
            return self.failed("Invalid", "its status has lost what was stored: make another backup");
        };
        match self.seen.heard.standing(Work::Verify) {
            Standing::Done(outcome) => match *outcome {
                Outcome::Checked { verification } => self.checked(verification),
                other => self.unverified("UnexpectedOutcome", &format!("the pod said {other:?}")),
            },
            Standing::Failed { reason, message, .. } => self.not_verified(&reason, &message),
            Standing::Running { why, .. } => {
                let why = why.unwrap_or_else(|| "a throw-away member is being made of it".into());
                self.set(VERIFIED, false, "Verifying", &why);
                self.then(Step::Wait(WORKING))
            }
            Standing::Unheard { round } if round >= ROUNDS_MAX => {
                self.unverified("Unheard", "its pods were removed before they could say what they found")
            }
            Standing::Unheard { round } => self.begin_to_verify(&artifact, round + 1),
            Standing::None => self.begin_to_verify(&artifact, 1),
        }
    }

    fn begin_to_verify(mut self, artifact: &Artifact, round: u32) -> Plan {
        let found = self
            .obstacle(Ok(()))
            .map(|(image, ())| self.inputs().verify(&image, artifact, round));
        let (problem, step) = match found {
            Err(problem) => (Some(problem), Step::Wait(WAITING)),
            Ok(job) => (self.seen.refused.clone(), Step::Make(Box::new(job))),
        };
        let stored = self.status.completed_at.as_ref().and_then(|text| text.parse().ok());
        match problem {
            Some(problem) if self.is_late(stored) => self.unverified(problem.reason, &problem.message),
            Some(problem) => {
                self.set(VERIFIED, false, problem.reason, &problem.message);
                self.then(step)
            }
            None => self.then(step),
        }
    }

    fn checked(mut self, verification: Verification) -> Plan {
        let good = verification.verified_at.is_some();
        let said = verification.message.clone();
        self.status.verification = Some(verification);
        if !good {
            let said = said.unwrap_or_else(|| "a throw-away member had something else than the cluster".into());
            return self.unusable("Different", &said);
        }
        let said = said.unwrap_or_else(|| "a throw-away member has what the cluster had".into());
        self.set(VERIFIED, true, "Verified", &said);
        self.succeeded("Verified", &said)
    }

    fn not_verified(self, reason: &str, message: &str) -> Plan {
        match UNUSABLE.contains(&reason) {
            true => self.unusable(reason, message),
            false => self.unverified(reason, message),
        }
    }

    /// It is there, and nobody knows more than that.
    pub(super) fn unverified(mut self, reason: &str, message: &str) -> Plan {
        self.verification_said(message);
        self.set(VERIFIED, false, reason, message);
        self.succeeded("NotVerified", message)
    }

    fn unusable(mut self, reason: &str, message: &str) -> Plan {
        self.verification_said(message);
        self.set(VERIFIED, false, reason, message);
        let message = format!("{message}. What is stored is left as it is; make another backup now");
        self.tell(BackupPhase::Unusable, reason, &message);
        self.over()
    }

    fn verification_said(&mut self, message: &str) {
        let said = self.status.verification.get_or_insert_default();
        said.message = Some(message.into());
    }
}
