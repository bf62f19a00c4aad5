//! What is to be said of a schedule, and the one next step. Pure.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use taffrail_crds::{ConcurrencyPolicy, EtcdBackup, EtcdBackupSchedule, EtcdBackupScheduleStatus, EtcdCluster};

use super::build::{backup, backup_name};
use super::history::{History, verified_at};
use crate::backup::conditions::{SCHEDULED, SHARED, set, stamp, unset};
use crate::backup::cron::Timetable;
use crate::backup::heard::Heard;
use crate::context::Settings;
use crate::problem::Problem;

/// A schedule whose time is far away is looked at once in a while: what it says of its past may have become wrong.
const PAUSE_MAX: Duration = Duration::from_secs(300);
const WORKING: Duration = Duration::from_secs(15);

/// Everything that a plan is made from.
#[derive(Clone)]
pub struct Seen {
    pub schedule: EtcdBackupSchedule,
    pub now: Timestamp,
    pub history: History,
    /// Jobs that prune, and their pods.
    pub heard: Heard,
    pub cluster: Option<EtcdCluster>,
    /// Names of EtcdBackups, and keys of objects, that clusters of this namespace are being made from.
    pub restored: Restored,
    /// Other schedules whose backups lie in the same place.
    pub sharing: Vec<String>,
    /// What the Job that prunes needs and has not.
    pub missing: Option<Problem>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    pub backups: Vec<String>,
    pub keys: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Wait(Duration),
    Make(Box<EtcdBackup>),
    /// Said of these that they were given up.
    Replace(Vec<EtcdBackup>),
    Prune(Box<Job>),
    /// Said of these that retention has removed them from the store.
    Expire(Vec<EtcdBackup>),
    /// EtcdBackups that nobody needs to look at any longer.
    Forget(Vec<EtcdBackup>),
    /// Name and UID of Jobs that pruned before.
    Sweep(Vec<(String, String)>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub status: EtcdBackupScheduleStatus,
    pub step: Step,
    /// Taken before the status is written: what it says then has happened.
    pub step_first: bool,
    /// For people: reason and note of what is left out.
    pub skipped: Option<String>,
}

pub fn plan(seen: &Seen, settings: &Settings) -> Plan {
    let mut teller = Teller {
        seen,
        settings,
        status: seen.schedule.status.clone().unwrap_or_default(),
    };
    teller.facts();
    let spec = &seen.schedule.spec;
    match Timetable::new(&spec.schedule, spec.time_zone.as_deref()) {
        // Nothing else happens, nor is anything removed: who knows what was meant.
        Err(error) => teller.invalid(&error.to_string()),
        Ok(table) => teller.scheduled(&table),
    }
}

/// What is seen, and what is to be said of it, so far.
pub(super) struct Teller<'a> {
    pub seen: &'a Seen,
    pub settings: &'a Settings,
    pub status: EtcdBackupScheduleStatus,
}

enum Due {
    Now(Timestamp),
    /// Its time to begin has passed.
    Missed(Timestamp),
    Later,
}

impl Teller<'_> {
    /// What can be seen anew. What has gone since is still true of the past.
    fn facts(&mut self) {
        let history = &self.seen.history;
        self.status.observed_generation = self.seen.schedule.metadata.generation;
        self.status.active = history.active().map(ResourceExt::name_any).collect();
        if let Some(good) = history.newest_good() {
            self.status.last_backup = Some(good.name_any());
            let done = good.status.as_ref().and_then(|status| status.completed_at.clone());
            self.status.last_successful_time = done.max(self.status.last_successful_time.take());
        }
        let verified = history.all().iter().filter_map(verified_at).max();
        self.status.last_verified_time = verified.map(stamp).max(self.status.last_verified_time.take());
        match self.seen.sharing.is_empty() {
            true => unset(&mut self.status.conditions, SHARED),
            false => {
                let others = self.seen.sharing.join(", ");
                let message = format!(
                    "{others} keep backups in the same place: each removes its own alone, but a prefix for each is easier \
                     to read"
                );
                self.set(SHARED, true, "SameTarget", &message);
            }
        }
    }

    fn invalid(mut self, why: &str) -> Plan {
        self.status.next_schedule_time = None;
        self.set(SCHEDULED, false, "InvalidSchedule", why);
        self.then(Step::Wait(PAUSE_MAX))
    }

    fn scheduled(mut self, table: &Timetable) -> Plan {
        if self.seen.schedule.spec.suspend {
            self.status.next_schedule_time = None;
            self.set(
                SCHEDULED,
                false,
                "Suspended",
                "spec.suspend is set: no backups are made",
            );
            return self.after_work(None);
        }
        let next = table.next(self.seen.now);
        self.status.next_schedule_time = next.map(stamp);
        match self.due(table) {
            Due::Now(time) => self.make(time),
            Due::Missed(time) => {
                let note = format!("the backup of {time} could not begin in time and was left out");
                self.set(SCHEDULED, true, "Missed", &note);
                self.after_work(next)
            }
            Due::Later => {
                self.set(SCHEDULED, true, "Waiting", "backups are made at their times");
                self.after_work(next)
            }
        }
    }

    /// Of several times that were missed only the last counts.
    fn due(&self, table: &Timetable) -> Due {
        let spec = &self.seen.schedule.spec;
        let created = self
            .seen
            .schedule
            .creation_timestamp()
            .map_or(self.seen.now, |time| time.0);
        let before = self
            .status
            .last_schedule_time
            .as_ref()
            .and_then(|text| text.parse().ok());
        if spec.immediate && before.is_none() {
            return Due::Now(created);
        }
        let Some(last) = table.last(before.unwrap_or(created), self.seen.now) else {
            return Due::Later;
        };
        let waited = self.seen.now.as_second() - last.as_second();
        match spec.starting_deadline_seconds {
            Some(deadline) if waited > deadline => Due::Missed(last),
            _ => Due::Now(last),
        }
    }

    fn make(mut self, time: Timestamp) -> Plan {
        let schedule = &self.seen.schedule;
        let name = backup_name(&schedule.name_any(), time);
        // One that is there already was made for this very time by who died before saying so.
        let others: Vec<EtcdBackup> = self
            .seen
            .history
            .active()
            .filter(|one| one.name_any() != name)
            .cloned()
            .collect();
        match schedule.spec.concurrency_policy {
            ConcurrencyPolicy::Forbid if !others.is_empty() => return self.left_out(time, &others),
            ConcurrencyPolicy::Replace if !others.is_empty() => return self.then(Step::Replace(others)),
            _ => {}
        }
        let verify = self.is_to_be_verified();
        let made = backup(schedule, time, verify);
        self.status.since_verified = if made.spec.verify {
            0
        } else {
            self.status.since_verified.saturating_add(1)
        };
        self.status.last_schedule_time = Some(stamp(time));
        if !self.status.active.contains(&name) {
            self.status.active.push(name);
        }
        self.set(SCHEDULED, true, "Waiting", "backups are made at their times");
        Plan {
            step_first: true,
            ..self.then(Step::Make(Box::new(made)))
        }
    }

    /// The first, and every so manieth after it.
    fn is_to_be_verified(&self) -> bool {
        let every = self.seen.schedule.spec.verify_every;
        let first = self.status.last_schedule_time.is_none();
        every > 0 && (first || self.status.since_verified.saturating_add(1) >= every)
    }

    fn left_out(mut self, time: Timestamp, others: &[EtcdBackup]) -> Plan {
        let names: Vec<String> = others.iter().map(ResourceExt::name_any).collect();
        let note = format!(
            "the backup of {time} is left out: {} is still being made",
            names.join(", ")
        );
        self.status.last_schedule_time = Some(stamp(time));
        self.set(SCHEDULED, true, "LeftOut", &note);
        Plan {
            skipped: Some(note),
            ..self.then(Step::Wait(WORKING))
        }
    }

    /// Nothing is due: what was made is looked after.
    fn after_work(mut self, next: Option<Timestamp>) -> Plan {
        let prune = self.prune();
        let step = prune
            .or_else(|| self.forget())
            .unwrap_or_else(|| Step::Wait(self.pause(next)));
        self.then(step)
    }

    fn pause(&self, next: Option<Timestamp>) -> Duration {
        let busy = !self.status.active.is_empty() || self.seen.heard.unfinished().next().is_some();
        let longest = if busy { WORKING } else { PAUSE_MAX };
        let until = next
            .map(|next| next.duration_since(self.seen.now))
            .and_then(|span| Duration::try_from(span).ok());
        until.map_or(longest, |until| until.min(longest))
    }

    fn forget(&self) -> Option<Step> {
        let spec = &self.seen.schedule.spec;
        let (successful, failed) = (spec.successful_backups_history_limit, spec.failed_backups_history_limit);
        let all = self
            .seen
            .history
            .superfluous(successful, failed, &self.seen.restored.backups);
        (!all.is_empty()).then(|| Step::Forget(all.into_iter().cloned().collect()))
    }

    pub(super) fn set(&mut self, kind: &str, status: bool, reason: &str, message: &str) {
        let at = (self.seen.now, self.seen.schedule.metadata.generation);
        set(&mut self.status.conditions, kind, status, (reason, message), at);
    }

    fn then(self, step: Step) -> Plan {
        Plan {
            status: self.status,
            step,
            step_first: false,
            skipped: None,
        }
    }
}
