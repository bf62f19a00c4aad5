//! Conditions on EtcdBackups and EtcdBackupSchedules.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::heard::{one_word, shortened};

/// On an EtcdBackup: it lies in the store.
pub const COMPLETE: &str = "Complete";
/// On an EtcdBackup: a throw-away member had what the cluster had. Only where that was asked for.
pub const VERIFIED: &str = "Verified";
/// On an EtcdBackupSchedule: the next one will be made.
pub const SCHEDULED: &str = "Scheduled";
/// On an EtcdBackupSchedule: what is not kept any longer is removed. Only with a retention.
pub const RETAINED: &str = "RetentionApplied";
/// On an EtcdBackupSchedule: another one keeps its backups in the same place.
pub const SHARED: &str = "TargetShared";

/// Sets one condition. Its time stays as long as its status does.
pub fn set(
    all: &mut Vec<Condition>,
    kind: &str,
    status: bool,
    (reason, message): (&str, &str),
    (now, generation): (Timestamp, Option<i64>),
) {
    let status = if status { "True" } else { "False" };
    let before = all.iter().find(|one| one.type_ == kind && one.status == status);
    let condition = Condition {
        type_: kind.into(),
        status: status.into(),
        reason: one_word(reason),
        message: shortened(message),
        last_transition_time: before.map_or(Time(now), |one| one.last_transition_time.clone()),
        observed_generation: generation,
    };
    all.retain(|one| one.type_ != kind);
    all.push(condition);
    all.sort_by(|one, other| one.type_.cmp(&other.type_));
}

/// RFC 3339 in whole seconds: texts that can be compared.
pub fn stamp(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// Takes one away that has nothing to say any more.
pub fn unset(all: &mut Vec<Condition>, kind: &str) {
    all.retain(|one| one.type_ != kind);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let mut all = Vec::new();
        let at = |second| (Timestamp::from_second(second).unwrap(), Some(1));
        set(&mut all, COMPLETE, false, ("Running", "x"), at(1));
        set(&mut all, COMPLETE, false, ("Pending", "y"), at(2));
        assert_eq!(
            (all[0].reason.as_str(), all[0].last_transition_time.0.as_second()),
            ("Pending", 1)
        );
        set(&mut all, COMPLETE, true, ("Stored", "z"), at(3));
        assert_eq!((all.len(), all[0].last_transition_time.0.as_second()), (1, 3));
        unset(&mut all, COMPLETE);
        assert!(all.is_empty());
    }
}
