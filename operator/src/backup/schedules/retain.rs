//! When what a schedule keeps no longer is removed from the store, and what became of it. Pure.

use kube::ResourceExt;
use taffrail_crds::{BackupPhase, EtcdBackup};

use super::build::{AFTER, Pruning};
use super::history::{key, phase};
use super::plan::{Step, Teller};
use crate::backup::conditions::{RETAINED, unset};
use crate::backup::heard::Standing;
use crate::backup::jobs::Work;
use crate::backup::request::Outcome;
use crate::problem::Problem;

impl Teller<'_> {
    /// After each success once; the Job stays until the next one as a sign that it was done.
    pub(super) fn prune(&mut self) -> Option<Step> {
        let Some(retention) = &self.seen.schedule.spec.retention else {
            unset(&mut self.status.conditions, RETAINED);
            return None;
        };
        if let Some(step) = self.pruned() {
            return Some(step);
        }
        let unfinished = self.seen.heard.unfinished().next().is_some();
        // Nothing is ever removed on account of a backup that is not there or not good.
        let newest = self
            .seen
            .history
            .newest_over()
            .filter(|one| phase(one) == BackupPhase::Succeeded)?;
        if unfinished || self.is_done_after(newest) {
            return self.sweep(newest);
        }
        let image = self.settings.operator_image.clone();
        let problem = self.seen.missing.clone().or_else(|| {
            let message = "the operator does not know its own image: set --operator-image";
            image.is_none().then(|| Problem::new("NoOperatorImage", message))
        });
        if let Some(problem) = problem {
            self.set(RETAINED, false, problem.reason, &problem.message);
            return None;
        }
        let pruning = Pruning {
            schedule: &self.seen.schedule,
            retention,
            cluster_uid: self.seen.cluster.as_ref().and_then(ResourceExt::uid)?,
            keep: self.keep(),
            after: newest,
        };
        Some(Step::Prune(Box::new(pruning.job(&image?))))
    }

    fn is_done_after(&self, backup: &EtcdBackup) -> bool {
        self.seen
            .heard
            .jobs
            .iter()
            .any(|job| Some(job.annotations().get(AFTER)) == Some(backup.uid().as_ref()))
    }

    fn keep(&self) -> Vec<String> {
        let history = &self.seen.history;
        let own = [history.newest_good(), history.newest_verified()];
        let own = own.into_iter().flatten().filter_map(key).map(String::from);
        let named = history
            .all()
            .iter()
            .filter(|one| self.seen.restored.backups.contains(&one.name_any()));
        let named = named.filter_map(key).map(String::from);
        let mut all: Vec<String> = own
            .chain(named)
            .chain(self.seen.restored.keys.iter().cloned())
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// What the last Job that pruned said.
    fn pruned(&mut self) -> Option<Step> {
        match self.seen.heard.latest_round(Work::Prune).standing(Work::Prune) {
            Standing::Done(outcome) => match *outcome {
                Outcome::Pruned { keys, count, kept } => {
                    let note = format!("{kept} backups are kept, {count} were removed");
                    self.set(RETAINED, true, "Pruned", &note);
                    self.expired(&keys)
                }
                _ => None,
            },
            Standing::Failed { reason, message, .. } => {
                self.set(RETAINED, false, &reason, &message);
                None
            }
            _ => None,
        }
    }

    fn expired(&self, keys: &[String]) -> Option<Step> {
        let gone = |one: &&EtcdBackup| {
            matches!(phase(one), BackupPhase::Succeeded | BackupPhase::Unusable)
                && key(one).is_some_and(|key| keys.iter().any(|gone| gone == key))
        };
        let all: Vec<EtcdBackup> = self.seen.history.all().iter().filter(gone).cloned().collect();
        (!all.is_empty()).then_some(Step::Expire(all))
    }

    /// Jobs that pruned after earlier backups.
    fn sweep(&self, newest: &EtcdBackup) -> Option<Step> {
        let alive: Vec<_> = self.seen.heard.unfinished().map(|job| job.uid()).collect();
        let old = self.seen.heard.jobs.iter().filter(|job| {
            job.annotations().get(AFTER) != newest.uid().as_ref()
                && job.metadata.deletion_timestamp.is_none()
                && !alive.contains(&job.uid())
                && alive.is_empty()
        });
        let old: Vec<_> = old
            .filter_map(|job| Some((job.metadata.name.clone()?, job.uid()?)))
            .collect();
        (!old.is_empty()).then_some(Step::Sweep(old))
    }
}
