//! A cluster, or many, as text.

use jiff::Timestamp;

use super::glance::{Glance, Live, MemberGlance};
use crate::show::{ago, bytes, or_dash, table, yes_no};

/// One line each.
pub fn all(glances: &[Glance], with_namespace: bool, now: Timestamp) -> Vec<String> {
    let head = [
        "NAMESPACE",
        "NAME",
        "PHASE",
        "READY",
        "VERSION",
        "LEADER",
        "DB SIZE",
        "ALARMS",
        "CERTIFICATES",
        "LAST BACKUP",
    ];
    let first = usize::from(!with_namespace);
    let row = |glance: &Glance| summary(glance, now).split_off(first);
    table(&head[first..], &glances.iter().map(row).collect::<Vec<_>>())
}

fn summary(glance: &Glance, now: Timestamp) -> Vec<String> {
    let size = glance
        .members
        .iter()
        .filter_map(|member| member.seen.db_size_bytes)
        .max();
    let soonest = glance.certificates.iter().map(|one| one.not_after.as_str()).min();
    let backup = glance
        .backup
        .as_ref()
        .and_then(|backup| backup.last_successful_backup.as_deref());
    vec![
        glance.namespace.clone(),
        glance.name.clone(),
        glance.phase.clone(),
        glance.ready.clone(),
        or_dash(glance.version.as_deref()),
        or_dash(glance.leader.as_deref()),
        size.map_or_else(|| "-".into(), bytes),
        or_dash(Some(&glance.alarms.join(","))),
        soonest.map_or_else(|| "-".into(), |time| ago(now, time)),
        backup.map_or_else(|| "-".into(), |time| ago(now, time)),
    ]
}

/// All there is to see.
pub fn one(glance: &Glance, now: Timestamp) -> Vec<String> {
    let mut lines = top(glance);
    for part in [
        members(glance),
        conditions(glance, now),
        certificates(glance, now),
        backups(glance, now),
    ] {
        if !part.is_empty() {
            lines.push(String::new());
            lines.extend(part);
        }
    }
    lines
}

fn top(glance: &Glance) -> Vec<String> {
    let mut lines = vec![
        format!(
            "EtcdCluster {}/{}: {}, {} ready",
            glance.namespace, glance.name, glance.phase, glance.ready
        ),
        format!(
            "version {}, leader {}, cluster ID {}, alarms {}",
            or_dash(glance.version.as_deref()),
            or_dash(glance.leader.as_deref()),
            or_dash(glance.cluster_id.as_deref()),
            if glance.alarms.is_empty() {
                "none".into()
            } else {
                glance.alarms.join(", ")
            },
        ),
    ];
    lines.extend(
        glance
            .doing
            .iter()
            .filter(|doing| !doing.is_empty())
            .map(|doing| format!("doing: {doing}")),
    );
    lines.extend(glance.under_way.iter().map(|what| format!("under way: {what}")));
    lines
}

fn members(glance: &Glance) -> Vec<String> {
    if glance.members.is_empty() {
        return vec!["no members".into()];
    }
    let mut head = vec!["MEMBER", "ID", "ROLE", "HEALTHY", "VERSION", "DB SIZE", "TERM", "INDEX"];
    let is_live = glance.members.iter().any(|member| member.live.is_some());
    head.extend(is_live.then_some(["REVISION", "IN USE", "SAYS"]).into_iter().flatten());
    table(&head, &glance.members.iter().map(member).collect::<Vec<_>>())
}

/// Where a member was asked, its own word counts.
fn member(member: &MemberGlance) -> Vec<String> {
    let MemberGlance { seen, live } = member;
    let said = live.as_ref().filter(|live| live.unreached.is_none());
    let number = |value: Option<i64>| value.map_or_else(|| "-".into(), |value| value.to_string());
    let size = said.map(|live| live.db_size_bytes).or(seen.db_size_bytes);
    let term = said.map(|live| live.raft_term as i64).or(seen.raft_term);
    let index = said.map(|live| live.raft_index as i64).or(seen.raft_index);
    let healthy = match &seen.reason {
        Some(reason) if !seen.healthy => format!("no: {reason}"),
        _ => yes_no(seen.healthy),
    };
    let mut row = vec![
        seen.name.clone(),
        or_dash(seen.id.as_deref()),
        or_dash(seen.role.as_deref()),
        healthy,
        or_dash(seen.version.as_deref()),
        size.map_or_else(|| "-".into(), bytes),
        number(term),
        number(index),
    ];
    row.extend(live.iter().flat_map(live_cells));
    row
}

fn live_cells(live: &Live) -> [String; 3] {
    match &live.unreached {
        Some(why) => ["-".into(), "-".into(), why.clone()],
        None => [
            live.revision.to_string(),
            bytes(live.db_size_in_use_bytes),
            or_dash(Some(&live.errors.join("; "))),
        ],
    }
}

fn conditions(glance: &Glance, now: Timestamp) -> Vec<String> {
    if glance.conditions.is_empty() {
        return Vec::new();
    }
    let row = |one: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
        let since = ago(now, &one.last_transition_time.0.to_string());
        vec![
            one.type_.clone(),
            one.status.clone(),
            since,
            one.reason.clone(),
            one.message.clone(),
        ]
    };
    table(
        &["CONDITION", "STATUS", "SINCE", "REASON", "MESSAGE"],
        &glance.conditions.iter().map(row).collect::<Vec<_>>(),
    )
}

fn certificates(glance: &Glance, now: Timestamp) -> Vec<String> {
    if glance.certificates.is_empty() {
        return Vec::new();
    }
    let row = |one: &taffrail_crds::CertificateStatus| {
        vec![
            one.name.clone(),
            ago(now, &one.not_after),
            one.not_after.clone(),
            or_dash(one.rotation.as_deref()),
        ]
    };
    table(
        &["CERTIFICATE", "ENDS", "AT", "ROTATION"],
        &glance.certificates.iter().map(row).collect::<Vec<_>>(),
    )
}

fn backups(glance: &Glance, now: Timestamp) -> Vec<String> {
    let Some(backup) = &glance.backup else {
        let mut lines = vec!["no backups".into()];
        lines.extend(schedules(glance, now));
        return lines;
    };
    let when = |time: &Option<String>| time.as_deref().map_or_else(|| "never".into(), |time| ago(now, time));
    let details: Vec<_> = [
        backup.last_backup_name.clone(),
        backup.last_revision.map(|number| format!("revision {number}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let details = if details.is_empty() {
        String::new()
    } else {
        format!(" ({})", details.join(", "))
    };
    let mut lines = vec![
        format!("last good backup: {}{details}", when(&backup.last_successful_backup)),
        format!("last verified backup: {}", when(&backup.last_verified_backup)),
    ];
    if let Some(failed) = &backup.last_failed_backup {
        let why = or_dash(backup.last_failure.as_deref());
        lines.push(format!("last failed backup: {}: {why}", ago(now, failed)));
    }
    lines.extend(schedules(glance, now));
    lines
}

fn schedules(glance: &Glance, now: Timestamp) -> Vec<String> {
    let line = |one: &super::glance::ScheduleGlance| {
        let next = match (one.suspend, &one.next) {
            (true, _) => "suspended".into(),
            (false, Some(next)) => format!("next {}", ago(now, next)),
            (false, None) => "not looked at by an operator yet".into(),
        };
        format!("schedule {}: {}, {next}", one.name, one.schedule)
    };
    glance.schedules.iter().map(line).collect()
}
