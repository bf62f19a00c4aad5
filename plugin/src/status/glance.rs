//! What there is to see of a cluster; also what `-o json` prints.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use serde::Serialize;
use taffrail_crds::{
    BackupSummary, CertificateStatus, EtcdBackupSchedule, EtcdCluster, EtcdClusterStatus, MemberSummary, RestorePhase,
    RollBackPhase,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Glance {
    pub name: String,
    pub namespace: String,
    pub phase: String,
    pub ready: String,
    pub version: Option<String>,
    pub leader: Option<String>,
    pub cluster_id: Option<String>,
    pub doing: Option<String>,
    /// What is under way and no everyday matter: a roll-out, a restore, a roll-back, a recovery.
    pub under_way: Vec<String>,
    /// NOSPACE and CORRUPT.
    pub alarms: Vec<String>,
    pub members: Vec<MemberGlance>,
    pub conditions: Vec<Condition>,
    pub certificates: Vec<CertificateStatus>,
    pub backup: Option<BackupSummary>,
    pub schedules: Vec<ScheduleGlance>,
}

#[derive(Serialize)]
pub struct MemberGlance {
    #[serde(flatten)]
    pub seen: MemberSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
}

/// What a member said of itself a moment ago.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Live {
    pub revision: i64,
    pub db_size_bytes: i64,
    pub db_size_in_use_bytes: i64,
    pub raft_term: u64,
    pub raft_index: u64,
    pub raft_applied_index: u64,
    pub leads: bool,
    pub errors: Vec<String>,
    /// Why it could not be asked; the rest is empty then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreached: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleGlance {
    pub name: String,
    pub schedule: String,
    pub suspend: bool,
    pub next: Option<String>,
}

impl Glance {
    pub fn of(cluster: &EtcdCluster, schedules: Vec<EtcdBackupSchedule>) -> Self {
        let status = cluster.status.clone().unwrap_or_default();
        let nothing_yet = || "not looked at by an operator yet".to_owned();
        Self {
            name: cluster.name_any(),
            namespace: cluster.namespace().unwrap_or_default(),
            phase: status.phase.clone().unwrap_or_else(nothing_yet),
            ready: status
                .ready
                .clone()
                .unwrap_or_else(|| format!("0/{}", cluster.spec.replicas)),
            alarms: alarms(&status),
            under_way: under_way(&status),
            version: status.version,
            leader: status.leader,
            cluster_id: status.cluster_id,
            doing: status.doing,
            members: status
                .members
                .into_iter()
                .map(|seen| MemberGlance { seen, live: None })
                .collect(),
            conditions: status.conditions,
            certificates: status.certificates,
            backup: status.backup,
            schedules: schedules.iter().map(ScheduleGlance::of).collect(),
        }
    }
}

impl ScheduleGlance {
    fn of(schedule: &EtcdBackupSchedule) -> Self {
        Self {
            name: schedule.name_any(),
            schedule: schedule.spec.schedule.clone(),
            suspend: schedule.spec.suspend,
            next: schedule
                .status
                .as_ref()
                .and_then(|status| status.next_schedule_time.clone()),
        }
    }
}

fn alarms(status: &EtcdClusterStatus) -> Vec<String> {
    let no_space = status
        .conditions
        .iter()
        .any(|one| one.type_ == "NoSpace" && one.status == "True");
    let reasons = status.members.iter().filter_map(|member| member.reason.as_deref());
    let corrupt = reasons.map(str::to_uppercase).any(|reason| reason.contains("CORRUPT"));
    [(no_space, "NOSPACE"), (corrupt, "CORRUPT")]
        .into_iter()
        .filter(|(is_so, _)| *is_so)
        .map(|(_, name)| name.into())
        .collect()
}

fn under_way(status: &EtcdClusterStatus) -> Vec<String> {
    let upgrade = status
        .upgrade
        .as_ref()
        .filter(|_| status.updated_replicas < status.replicas)
        .map(|one| {
            let blocked = one
                .blocked_by
                .as_ref()
                .map(|what| format!(", waits for {what}"))
                .unwrap_or_default();
            format!("roll-out from {} to {}: {}{blocked}", one.from, one.to, one.progress)
        });
    let restore = status
        .restore
        .as_ref()
        .filter(|one| one.phase != RestorePhase::Restored)
        .map(|one| {
            let why = one.message.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("restore of {}: {:?}{why}", one.object.key, one.phase)
        });
    let roll_back = status.roll_back.as_ref().filter(|one| one.phase != RollBackPhase::Done);
    let roll_back = roll_back.map(|one| format!("roll-back to {}: {:?}", one.to, one.phase));
    let recovery = status
        .recovery
        .as_ref()
        .filter(|one| one.phase != taffrail_crds::RecoveryPhase::Done);
    let recovery = recovery.map(|one| format!("recovery from {}: {:?}", one.survivor, one.phase));
    [upgrade, restore, roll_back, recovery].into_iter().flatten().collect()
}
