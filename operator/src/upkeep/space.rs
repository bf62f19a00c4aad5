//! How much room there is: what members have allocated, what of it they use, and the quota. Pure.

use taffrail_crds::{ConditionType, DefragmentationThresholds, EtcdClusterSpec, bytes_of};

use crate::backup::cron::Timetable;
use crate::cluster::observe::Observed;
use crate::etcd::{AlarmKind, MemberFacts};

/// etcd's own, if none is declared (`DefaultQuotaBytes`).
const QUOTA_BYTES: i64 = 2 * GIB;
/// What etcd's documentation advises not to go beyond.
const QUOTA_BYTES_MAX: i64 = 8 * GIB;
const GIB: i64 = 1024 * 1024 * 1024;
/// Of the quota: data beyond it are called many.
const MANY_PERCENT: i64 = 80;
/// Of the quota: members that have allocated less have room again.
const ROOM_PERCENT: i64 = 90;
/// Of a volume: the rest is for the log, snapshots, and the copy that defragmentation makes.
const VOLUME_PERCENT: i64 = 80;

/// Bytes that one member has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub allocated: i64,
    pub in_use: i64,
}

impl Sizes {
    pub fn of(facts: &MemberFacts) -> Self {
        Self {
            allocated: facts.db_size_bytes,
            in_use: facts.db_size_in_use_bytes,
        }
    }

    /// Why it is not worth while, if it is not.
    pub fn falls_short(self, thresholds: &DefragmentationThresholds, quota: i64) -> Option<String> {
        let free = (self.allocated - self.in_use).max(0);
        let least = thresholds.min_free_bytes.as_deref().and_then(bytes_of);
        let least = least.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        if let Some(least) = least.filter(|least| free < *least) {
            return Some(format!("{free} bytes are free, less than {least}"));
        }
        let rules = [
            (
                thresholds.min_free_percent,
                percent(free, self.allocated),
                "of what is allocated is free",
            ),
            (
                thresholds.min_quota_percent,
                percent(self.allocated, quota),
                "of the quota is allocated",
            ),
        ];
        let short = rules
            .into_iter()
            .find_map(|(least, is, what)| Some((least?, is, what)).filter(|one| is < one.0.into()));
        short.map(|(least, is, what)| format!("{is} % {what}, less than {least} %"))
    }

    pub fn is_full(self, quota: i64) -> bool {
        percent(self.allocated, quota) >= ROOM_PERCENT
    }

    pub fn is_much(self, quota: i64) -> bool {
        percent(self.in_use, quota) >= MANY_PERCENT
    }
}

fn percent(part: i64, whole: i64) -> i64 {
    let percent = i128::from(part) * 100 / i128::from(whole.max(1));
    i64::try_from(percent).unwrap_or(i64::MAX)
}

/// The quota in force.
pub fn quota_bytes(spec: &EtcdClusterSpec) -> i64 {
    let declared = spec.quota.as_deref().and_then(bytes_of).filter(|bytes| *bytes > 0);
    declared.map_or(QUOTA_BYTES, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// What a person can do if the data really are that large.
pub fn advice(spec: &EtcdClusterSpec, in_use: i64) -> String {
    let quota = quota_bytes(spec);
    let volume = bytes_of(&spec.storage.size).map_or(i64::MAX, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let room = (i128::from(volume) * i128::from(VOLUME_PERCENT) / 100).min(i128::from(QUOTA_BYTES_MAX));
    let wanted = larger(quota, in_use);
    if i128::from(wanted) <= room {
        return format!("set spec.quota to {}", in_gib(wanted));
    }
    match wanted <= QUOTA_BYTES_MAX {
        true => format!(
            "set spec.storage.size to {} or more, and then spec.quota to {}",
            in_gib(i64::try_from(i128::from(wanted) * 100 / i128::from(VOLUME_PERCENT)).unwrap_or(i64::MAX)),
            in_gib(wanted)
        ),
        false => format!(
            "remove data: quotas beyond {} make members slow to start",
            in_gib(QUOTA_BYTES_MAX)
        ),
    }
}

/// The next power of two GiB above the quota of which the data are half or less.
fn larger(quota: i64, in_use: i64) -> i64 {
    let mut next = GIB;
    while next <= quota || next / 2 < in_use {
        match next.checked_mul(2) {
            Some(double) => next = double,
            None => return i64::MAX,
        }
    }
    next
}

fn in_gib(bytes: i64) -> String {
    format!("{}Gi", bytes.saturating_add(GIB - 1) / GIB)
}

/// What one condition says.
pub type Told = (ConditionType, bool, &'static str, String);

/// What is to be said of the space of a cluster; none of what members would have to tell if none does.
pub fn told(seen: &Observed) -> Vec<Told> {
    let known: Vec<Sizes> = seen
        .members
        .iter()
        .filter_map(|member| member.facts.as_ref().ok())
        .map(Sizes::of)
        .collect();
    let mut all = Vec::new();
    if seen.roster.is_ok() {
        all.push(no_space(seen));
    }
    if let Some(in_use) = known.iter().map(|sizes| sizes.in_use).max() {
        all.push(space_low(seen, in_use));
    }
    all.extend(scheduled(seen));
    all
}

fn no_space(seen: &Observed) -> Told {
    let raised = seen.alarms.iter().filter(|alarm| alarm.kind == AlarmKind::NoSpace);
    let names: Vec<String> = raised.map(|alarm| named(seen, alarm.member_id)).collect();
    let (reason, message) = match names.is_empty() {
        true => ("RoomLeft", "no member has reached its quota".to_owned()),
        false => (
            "QuotaReached",
            format!("nothing can be written: {} reached the quota", names.join(", ")),
        ),
    };
    (ConditionType::NoSpace, !names.is_empty(), reason, message)
}

fn named(seen: &Observed, id: u64) -> String {
    seen.by_id(id)
        .map_or_else(|| format!("{id:x}"), |member| member.name().to_owned())
}

/// Without a figure that changes all the time: it would be written all the time.
fn space_low(seen: &Observed, in_use: i64) -> Told {
    let spec = &seen.cluster.spec;
    let sizes = Sizes {
        allocated: in_use,
        in_use,
    };
    match sizes.is_much(quota_bytes(spec)) {
        true => {
            let message = format!(
                "the data alone are more than {MANY_PERCENT} % of the quota: {}",
                advice(spec, in_use)
            );
            (ConditionType::SpaceLow, true, "QuotaNearlyUsed", message)
        }
        false => (
            ConditionType::SpaceLow,
            false,
            "RoomLeft",
            format!("the data are less than {MANY_PERCENT} % of the quota"),
        ),
    }
}

fn scheduled(seen: &Observed) -> Option<Told> {
    let policy = seen.cluster.spec.defragmentation.as_ref()?;
    let kind = ConditionType::DefragmentationScheduled;
    Some(match Timetable::new(&policy.schedule, policy.time_zone.as_deref()) {
        Err(error) => (kind, false, "InvalidSchedule", error.to_string()),
        Ok(_) if policy.suspend => (kind, false, "Suspended", "spec.defragmentation.suspend is set".into()),
        Ok(_) => (kind, true, "Waiting", "defragmentations are made at their times".into()),
    })
}
