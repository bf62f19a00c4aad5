//! What a schedule makes. Pure.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use taffrail_crds::{BackupRetention, EtcdBackup, EtcdBackupSchedule, MANAGED_BY, MANAGER, SCHEDULE};

use crate::backup::jobs::{Limits, Work, job, name};
use crate::backup::pods::{spec, tool, volumes};
use crate::backup::request::{Prune, Request};

/// On a Job that prunes: UID of the EtcdBackup after which it does.
pub const AFTER: &str = "etcd.taffrail.dev/after";
const STALL_SECONDS: u64 = 60;

/// The backup that is due at `time`. It is not owned: it outlives its schedule.
pub fn backup(schedule: &EtcdBackupSchedule, time: Timestamp, verify: bool) -> EtcdBackup {
    let mut made = EtcdBackup::new(&backup_name(&schedule.name_any(), time), schedule.spec.template.clone());
    made.spec.verify |= verify;
    made.metadata = ObjectMeta {
        namespace: schedule.namespace(),
        labels: Some(
            [(MANAGED_BY, MANAGER.to_owned()), (SCHEDULE, schedule.name_any())]
                .map(|(key, value)| (key.to_owned(), value))
                .into(),
        ),
        ..made.metadata
    };
    made
}

/// `SCHEDULE-29631234`: minutes since 1970, as CronJobs call their Jobs.
pub fn backup_name(schedule: &str, time: Timestamp) -> String {
    format!("{schedule}-{}", time.as_second().div_euclid(60))
}

/// What prunes is told apart by the backup after which it does; there is one at a time.
pub struct Pruning<'a> {
    pub schedule: &'a EtcdBackupSchedule,
    pub retention: &'a BackupRetention,
    pub cluster_uid: String,
    pub keep: Vec<String>,
    /// The EtcdBackup that has succeeded.
    pub after: &'a EtcdBackup,
}

impl Pruning<'_> {
    pub fn job(self, image: &str) -> Job {
        let (schedule, template) = (self.schedule, &self.schedule.spec.template);
        let after = self.after.uid().unwrap_or_default();
        let request = Request::Prune(Box::new(Prune {
            target: template.target.clone(),
            retention: self.retention.clone(),
            schedule: format!("{}/{}", schedule.namespace().unwrap_or_default(), schedule.name_any()),
            cluster_uid: self.cluster_uid,
            keep: self.keep,
            stall_seconds: STALL_SECONDS,
        }));
        let (all, mounts) = volumes(Some(&template.target), None, None, None);
        let container = tool("prune", image, &request, &template.pod, mounts);
        let pod = spec(&template.pod, &[], vec![container], all);
        let limits = Limits {
            retries: template.retries,
            deadline_seconds: template.deadline_seconds,
        };
        let name = name(&self.after.name_any(), &after, Work::Prune, 1);
        let made = self
            .after
            .creation_timestamp()
            .map_or(0, |time| time.0.as_second().div_euclid(60));
        let round = u32::try_from(made).unwrap_or(1);
        let mut made = job(schedule, Work::Prune, round, name, limits, &template.pod, pod);
        let annotations = made.metadata.annotations.get_or_insert_default();
        annotations.insert(AFTER.into(), after);
        made
    }
}
