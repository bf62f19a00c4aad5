//! What people and programs are told. Computed anew from what was seen; written if it says something else than before.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use taffrail_crds::{
    CLUSTER, CertificateStatus, ConditionType, EtcdCluster, EtcdClusterStatus, EtcdMember, EtcdMemberStatus,
    MemberSummary, UpgradeStatus, condition,
};

use super::Error;
use super::observe::{Member, Observed};
use super::plan::{Phase, Plan, Step, cannot_come_back, capacity_is_behind, is_outdated};
use super::wanted::Wanted;
use crate::context::Context;
use crate::names::CLIENT_PORT;
use crate::upkeep::space;

/// Seconds without a quorum after which it is called lost.
const PATIENCE_SECONDS: i64 = 60;

/// What is known beside the picture.
pub struct Beside {
    pub certificates: Vec<CertificateStatus>,
    pub auth_enabled: bool,
}

/// The status that the picture and the plan make.
pub fn status(seen: &Observed, wanted: &Wanted, plan: &Plan, beside: &Beside) -> EtcdClusterStatus {
    let before = seen.cluster.status.clone().unwrap_or_default();
    let healthy = seen
        .members
        .iter()
        .filter(|member| member.is_healthy() && !is_learner(member))
        .count();
    let updated = seen
        .members
        .iter()
        .filter(|member| member.pod.is_some() && !is_outdated(wanted, member));
    let versions = seen.members.iter().filter_map(Member::version).min();
    EtcdClusterStatus {
        observed_generation: seen.cluster.metadata.generation,
        replicas: count(seen.members.len()),
        ready_replicas: count(healthy),
        updated_replicas: count(updated.count()),
        ready: Some(format!("{healthy}/{}", seen.cluster.spec.replicas)),
        selector: Some(format!("{CLUSTER}={}", seen.names.cluster)),
        phase: Some(plan.phase.name().into()),
        doing: (plan.step != Step::Nothing).then(|| plan.why.clone()),
        cluster_id: before.cluster_id.clone(),
        leader: seen.leader().map(|member| member.name().to_owned()),
        version: versions.map(|version| version.to_string()).or(before.version.clone()),
        next_serial: before.next_serial,
        members: seen
            .members
            .iter()
            .map(|member| summary(seen, member, &before))
            .collect(),
        endpoints: seen
            .members
            .iter()
            .filter(|member| !member.is_leaving())
            .map(|member| url(seen, member))
            .collect(),
        service: Some(format!(
            "{}:{CLIENT_PORT}",
            with_scheme(seen, &seen.names.service_host(&seen.names.client_service()))
        )),
        client_secret: seen
            .cluster
            .spec
            .tls
            .client
            .is_on()
            .then(|| seen.names.application_secret()),
        upgrade: upgrade(seen, wanted, plan),
        certificates: beside.certificates.clone(),
        recovery: before.recovery.clone(),
        restore: before.restore.clone(),
        roll_back: before.roll_back.clone(),
        backup: before.backup.clone(),
        access: before.access.clone(),
        auth_enabled: beside.auth_enabled,
        conditions: conditions(seen, wanted, plan, beside, &before.conditions),
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn is_learner(member: &Member) -> bool {
    member.facts.as_ref().is_ok_and(|facts| facts.is_learner)
}

fn with_scheme(seen: &Observed, host: &str) -> String {
    let scheme = if seen.cluster.spec.tls.client.is_on() {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{host}")
}

fn url(seen: &Observed, member: &Member) -> String {
    format!(
        "{}:{CLIENT_PORT}",
        with_scheme(seen, &seen.names.member_host(member.name()))
    )
}

fn role(member: &Member) -> Option<String> {
    let facts = member.facts.as_ref().ok()?;
    let role = match (facts.is_learner, member.leads()) {
        (true, _) => "learner",
        (_, true) => "leader",
        _ => "follower",
    };
    Some(role.into())
}

/// A member that is away keeps its last term and index: they say whose data are the newest.
fn summary(seen: &Observed, member: &Member, before: &EtcdClusterStatus) -> MemberSummary {
    let known = before.members.iter().find(|one| one.name == member.name());
    let facts = member.facts.as_ref().ok();
    let number = |value: u64| i64::try_from(value).ok();
    MemberSummary {
        name: member.name().to_owned(),
        id: member.record.spec.member_id.clone(),
        role: role(member),
        healthy: member.is_healthy(),
        reason: member.why_unhealthy(),
        version: facts
            .map(|facts| facts.version.clone())
            .or_else(|| known?.version.clone()),
        endpoint: Some(url(seen, member)),
        db_size_bytes: facts.map(|facts| facts.db_size_bytes).or_else(|| known?.db_size_bytes),
        raft_term: facts
            .and_then(|facts| number(facts.raft_term))
            .or_else(|| known?.raft_term),
        raft_index: facts
            .and_then(|facts| number(facts.raft_index))
            .or_else(|| known?.raft_index),
    }
}

fn upgrade(seen: &Observed, wanted: &Wanted, plan: &Plan) -> Option<UpgradeStatus> {
    let outdated = seen.members.iter().filter(|member| is_outdated(wanted, member)).count();
    let versions = || seen.members.iter().filter_map(Member::version);
    let other = versions().any(|version| version != wanted.version);
    let updating = plan.phase == Phase::Updating || wanted.blocks_roll.is_some();
    if (outdated == 0 && !(other && updating)) || seen.members.is_empty() {
        return None;
    }
    let from = versions().min().map_or(String::new(), |version| version.to_string());
    let highest = versions().max().map_or(String::new(), |version| version.to_string());
    let down = versions().max().is_some_and(|version| version > wanted.version);
    let current = match &plan.step {
        Step::DeletePod { pod, .. } => Some(pod.clone()),
        _ => seen
            .members
            .iter()
            .find(|member| !member.is_healthy())
            .map(|member| member.name().to_owned()),
    };
    Some(UpgradeStatus {
        from: if down { highest } else { from },
        to: wanted.version.to_string(),
        progress: format!("{}/{}", seen.members.len() - outdated, seen.members.len()),
        current,
        blocked_by: matches!(plan.step, Step::Wait(_)).then(|| plan.why.clone()),
    })
}

fn conditions(seen: &Observed, wanted: &Wanted, plan: &Plan, beside: &Beside, before: &[Condition]) -> Vec<Condition> {
    let at = (Time(seen.now), seen.cluster.metadata.generation);
    let of = |kind, status: bool, reason: &str, message: &str| {
        condition(before, kind, status, (reason, message), (at.0.clone(), at.1))
    };
    let available = seen.roster.is_ok() && seen.cluster_id().is_some();
    let sick: Vec<String> = seen.members.iter().filter_map(complaint).collect();
    let resizing = seen
        .members
        .iter()
        .filter_map(|member| member.volume.as_ref())
        .any(capacity_is_behind);
    let idle = plan.step == Step::Nothing;
    let why = plan.why.as_str();
    let lost = is_lost(seen, before);
    let mut all = vec![
        match &seen.roster {
            Ok(_) if available => of(
                ConditionType::Available,
                true,
                "QuorumAnswers",
                "a quorum of voters answers",
            ),
            Ok(_) => of(
                ConditionType::Available,
                false,
                "Founding",
                "the cluster is being founded",
            ),
            Err(_) if wanted.replicas == 0 => of(ConditionType::Available, false, "Hibernated", "spec.replicas is 0"),
            Err(error) => of(ConditionType::Available, false, "NoQuorum", &error.to_string()),
        },
        of(ConditionType::Progressing, !idle, plan.phase.name(), why),
        degraded(seen, &sick, &of),
        match lost {
            true => of(ConditionType::QuorumLost, true, lost_reason(seen), &lost_message(seen)),
            false => of(
                ConditionType::QuorumLost,
                false,
                "QuorumAnswers",
                "nothing has to be recovered",
            ),
        },
        of(
            ConditionType::StorageResizing,
            resizing,
            if resizing { "VolumesGrow" } else { "AsDeclared" },
            if resizing {
                "volumes are smaller than declared, and growing"
            } else {
                "volumes are as large as declared"
            },
        ),
        of(
            ConditionType::Paused,
            seen.cluster.spec.paused,
            if seen.cluster.spec.paused {
                "Declared"
            } else {
                "NotDeclared"
            },
            "spec.paused",
        ),
    ];
    all.extend(certificates(seen, &of));
    all.extend(auth(seen, beside, &of));
    all.extend(backups(seen, &of));
    let space = space::told(seen);
    all.extend(
        space
            .iter()
            .map(|(kind, status, reason, message)| of(*kind, *status, reason, message)),
    );
    all
}

type Of<'a> = dyn Fn(ConditionType, bool, &str, &str) -> Condition + 'a;

fn complaint(member: &Member) -> Option<String> {
    Some(format!("{}: {}", member.name(), member.why_unhealthy()?))
}

fn degraded(seen: &Observed, sick: &[String], of: &Of) -> Condition {
    if let Some(problem) = seen.problems.first() {
        let all: Vec<&str> = seen.problems.iter().map(|problem| problem.message.as_str()).collect();
        return of(ConditionType::Degraded, true, problem.reason, &all.join("; "));
    }
    if let Some(alarm) = seen.alarms.first() {
        let message = format!(
            "etcd raised the alarm {:?} for member {:x}",
            alarm.kind, alarm.member_id
        );
        return of(ConditionType::Degraded, true, "Alarm", &message);
    }
    match sick.is_empty() || seen.cluster.spec.replicas == 0 {
        true => of(ConditionType::Degraded, false, "AllHealthy", "every member is healthy"),
        false => of(ConditionType::Degraded, true, "MembersUnhealthy", &sick.join("; ")),
    }
}

fn certificates(seen: &Observed, of: &Of) -> Option<Condition> {
    let tls = &seen.cluster.spec.tls;
    if !tls.client.is_on() && !tls.peer.is_on() {
        return None;
    }
    let found = seen
        .problems
        .iter()
        .find(|problem| problem.reason.starts_with("Cert") || problem.reason.starts_with("Secret"));
    Some(match found.or(seen.blocked_pods.as_ref()) {
        Some(problem) => of(
            ConditionType::CertificatesValid,
            false,
            problem.reason,
            &problem.message,
        ),
        None => of(
            ConditionType::CertificatesValid,
            true,
            "Valid",
            "every certificate is valid",
        ),
    })
}

fn auth(seen: &Observed, beside: &Beside, of: &Of) -> Option<Condition> {
    let wanted = seen.cluster.spec.auth.as_ref()?.enabled;
    let problem = seen
        .problems
        .iter()
        .find(|problem| problem.reason.starts_with("Auth") || problem.reason.starts_with("Root"));
    Some(match problem {
        Some(problem) => of(ConditionType::AuthReady, false, problem.reason, &problem.message),
        None if wanted == beside.auth_enabled => of(
            ConditionType::AuthReady,
            true,
            "AsDeclared",
            "authentication is as declared",
        ),
        None => of(
            ConditionType::AuthReady,
            false,
            "Pending",
            "authentication is not yet as declared",
        ),
    })
}

/// Whoever makes backups sums them up; a cluster of which none are made has no such condition.
fn backups(seen: &Observed, of: &Of) -> Option<Condition> {
    let summary = seen.cluster.status.as_ref()?.backup.as_ref()?;
    let reason = if summary.reason.is_empty() {
        "Unknown"
    } else {
        &summary.reason
    };
    Some(of(ConditionType::BackupReady, summary.ready, reason, &summary.message))
}

/// Lost for good, or away for so long that somebody should look.
fn is_lost(seen: &Observed, before: &[Condition]) -> bool {
    if seen.roster.is_ok() || seen.cluster_id().is_none() || seen.cluster.spec.replicas == 0 {
        return false;
    }
    let away = before
        .iter()
        .find(|one| one.type_ == ConditionType::Available.name() && one.status == "False");
    let seconds = away.map_or(0, |one| seen.now.as_second() - one.last_transition_time.0.as_second());
    cannot_come_back(seen) || seconds >= PATIENCE_SECONDS
}

fn lost_reason(seen: &Observed) -> &'static str {
    if cannot_come_back(seen) { "DataLost" } else { "NoQuorum" }
}

/// Facts for whoever has to choose, and how.
fn lost_message(seen: &Observed) -> String {
    let before = seen.cluster.status.clone().unwrap_or_default();
    let of = |member: &Member| {
        let known = summary(seen, member, &before);
        let state = known.reason.unwrap_or_else(|| "answers".into());
        let data = if member.has_lost_its_data() {
            "data lost"
        } else {
            "data there"
        };
        let last = (known.raft_term.unwrap_or(0), known.raft_index.unwrap_or(0));
        format!(
            "{}: {state}, {data}, last entry {} of term {}",
            known.name, last.1, last.0
        )
    };
    let facts: Vec<String> = seen.members.iter().map(of).collect();
    format!(
        "{}. To go on with the data of one member, and lose what only the others have: kubectl annotate etcdcluster {} \
         etcd.taffrail.dev/recover-from=MEMBER etcd.taffrail.dev/accept-data-loss={}",
        facts.join("; "),
        seen.names.cluster,
        seen.names.cluster
    )
}

/// Writes what changed. If somebody wrote since the cluster was read, the next look tells it anew.
pub async fn write(context: &Context, seen: &Observed, status: &EtcdClusterStatus) -> Result<(), Error> {
    for member in &seen.members {
        write_member(context, seen, member).await?;
    }
    let before = seen.cluster.status.clone().unwrap_or_default();
    if says_the_same(&before, status) {
        return Ok(());
    }
    let api: Api<EtcdCluster> = Api::namespaced(context.client.clone(), &seen.names.namespace);
    let mut fields = serde_json::to_value(status).unwrap_or_default();
    // In a merge patch what is not there stays as it was: what has gone is said to be null.
    for optional in ["doing", "leader", "upgrade", "recovery", "clientSecret", "clusterId"] {
        fields
            .as_object_mut()
            .map(|all| all.entry(optional).or_insert(serde_json::Value::Null));
    }
    for list in ["members", "endpoints", "certificates", "conditions"] {
        fields.as_object_mut().map(|all| all.entry(list).or_insert(json!([])));
    }
    let patch = json!({"metadata": {"resourceVersion": seen.cluster.resource_version()}, "status": fields});
    api.patch_status(&seen.names.cluster, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// Sizes and positions change all the time: alone they are not worth a write.
fn says_the_same(before: &EtcdClusterStatus, now: &EtcdClusterStatus) -> bool {
    let plain = |status: &EtcdClusterStatus| {
        let mut status = status.clone();
        for member in &mut status.members {
            (member.db_size_bytes, member.raft_index) = (None, None);
        }
        status
    };
    plain(before) == plain(now)
}

async fn write_member(context: &Context, seen: &Observed, member: &Member) -> Result<(), Error> {
    let before = member.record.status.clone().unwrap_or_default();
    let healthy = member.is_healthy();
    let now = EtcdMemberStatus {
        role: role(member).or_else(|| before.role.clone()),
        healthy,
        reason: member.why_unhealthy(),
        version: member
            .version()
            .map(|version| version.to_string())
            .or_else(|| before.version.clone()),
        db_size_bytes: before.db_size_bytes,
        unhealthy_since: match healthy || seen.cluster.spec.replicas == 0 {
            true => None,
            false => before.unhealthy_since.clone().or_else(|| Some(seen.now.to_string())),
        },
        conditions: Vec::new(),
    };
    if now == before {
        return Ok(());
    }
    let api: Api<EtcdMember> = Api::namespaced(context.client.clone(), &seen.names.namespace);
    let size = member.facts.as_ref().ok().map(|facts| facts.db_size_bytes);
    let patch = json!({"status": {
        "role": now.role, "healthy": now.healthy, "reason": now.reason, "version": now.version,
        "unhealthySince": now.unhealthy_since, "dbSizeBytes": size,
    }});
    match api
        .patch_status(&member.record.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await
    {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => Ok(other.map(drop)?),
    }
}
