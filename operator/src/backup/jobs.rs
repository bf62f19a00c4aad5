//! Jobs of `batch/v1`: so many attempts, each with its deadline, and no further one where it would be of no use.
//!
//! A Job goes with the object it works for. Its name follows from that object, so that two operators make one.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use taffrail_crds::{APP, BackupPod, MANAGED_BY, MANAGER, ROUND, WORK, WORK_OF};

use super::request::HOPELESS;

/// What a Job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    Take,
    Verify,
    Prune,
}

/// How often, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts after the first.
    pub retries: i32,
    /// Seconds of one attempt.
    pub deadline_seconds: i64,
}

/// Most letters of a name that go into the name of a Job, which has 63 with what stands behind.
const BASE_LETTERS_MAX: usize = 38;
/// Kubernetes waits 10 s before the second attempt, twice as long before each next one, and six minutes at most.
const FIRST_PAUSE_SECONDS: i64 = 10;
const PAUSE_SECONDS_MAX: i64 = 360;

impl Work {
    pub fn word(self) -> &'static str {
        match self {
            Self::Take => "take",
            Self::Verify => "verify",
            Self::Prune => "prune",
        }
    }
}

/// The first eight letters of a UID: enough to tell namesakes apart.
pub fn uid8(uid: &str) -> &str {
    uid.get(..8).unwrap_or(uid)
}

/// `BASE-UID8-WORK-ROUND`
pub fn name(base: &str, uid: &str, work: Work, round: u32) -> String {
    let plain = base.replace('.', "-");
    let base: String = plain.chars().take(BASE_LETTERS_MAX).collect();
    let base = base.trim_end_matches('-');
    format!("{base}-{}-{}-{round}", uid8(uid), work.word())
}

/// Labels by which the Jobs and pods of an object are found.
pub fn selector(uid: &str) -> String {
    format!("{WORK_OF}={uid}")
}

/// A Job of `owner`.
pub fn job<K>(owner: &K, work: Work, round: u32, name: String, limits: Limits, pod: &BackupPod, spec: PodSpec) -> Job
where
    K: Resource<DynamicType = ()>,
{
    let labels = labels(owner.uid().as_deref().unwrap_or_default(), work, round);
    let mut of_pod = pod.labels.clone();
    of_pod.extend(labels.clone());
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(of_pod),
            annotations: (!pod.annotations.is_empty()).then(|| pod.annotations.clone()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            active_deadline_seconds: Some(limits.deadline_seconds),
            ..spec
        }),
    };
    Job {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: owner.namespace(),
            labels: Some(labels),
            owner_references: Some(owner.controller_owner_ref(&()).into_iter().collect()),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            backoff_limit: Some(limits.retries),
            active_deadline_seconds: Some(whole_seconds(limits)),
            pod_failure_policy: Some(policy()),
            template,
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn labels(uid: &str, work: Work, round: u32) -> BTreeMap<String, String> {
    let round = round.to_string();
    let pairs = [
        (MANAGED_BY, MANAGER),
        (APP, "etcd-backup"),
        (WORK_OF, uid),
        (WORK, work.word()),
        (ROUND, round.as_str()),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// All attempts with the pauses between them.
fn whole_seconds(limits: Limits) -> i64 {
    let doubled = |retry: i32| FIRST_PAUSE_SECONDS << retry.min(10);
    let pauses: i64 = (0..limits.retries)
        .map(|retry| doubled(retry).min(PAUSE_SECONDS_MAX))
        .sum();
    limits.deadline_seconds.saturating_mul(i64::from(limits.retries) + 1) + pauses
}

/// What another attempt would meet again ends the Job; a pod that its node gave up does not count as an attempt.
fn policy() -> PodFailurePolicy {
    let hopeless = PodFailurePolicyRule {
        action: "FailJob".into(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: None,
            operator: "In".into(),
            values: vec![HOPELESS],
        }),
        on_pod_conditions: None,
    };
    let disrupted = PodFailurePolicyRule {
        action: "Ignore".into(),
        on_exit_codes: None,
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".into(),
            status: Some("True".into()),
        }]),
    };
    PodFailurePolicy {
        rules: vec![hopeless, disrupted],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cluster;

    const UID: &str = "12345678-0000-4000-8000-000000000001";

    #[test]
    fn a_name_has_room_for_all_that_kubernetes_puts_behind_it() {
        for base in ["a", "nightly-29631234", &"a.b-".repeat(15), &"x".repeat(63)] {
            for work in [Work::Take, Work::Verify, Work::Prune] {
                let name = name(base, UID, work, 3);
                assert!(
                    name.len() + "-abcde".len() <= 63 && !name.contains('.') && !name.contains("--"),
                    "{name}"
                );
            }
        }
        assert_ne!(name("a", UID, Work::Take, 1), name("a", UID, Work::Take, 2));
    }

    #[test]
    fn attempts_are_bounded_one_by_one_and_together() {
        let limits = Limits {
            retries: 3,
            deadline_seconds: 100,
        };
        let made = job(
            &cluster(),
            Work::Take,
            1,
            "x".into(),
            limits,
            &BackupPod::default(),
            PodSpec::default(),
        );
        let spec = made.spec.unwrap();
        assert_eq!(spec.backoff_limit, Some(3));
        assert_eq!(spec.active_deadline_seconds, Some(400 + 10 + 20 + 40));
        assert_eq!(spec.template.spec.unwrap().active_deadline_seconds, Some(100));
    }

    #[test]
    fn what_is_hopeless_is_not_tried_again() {
        let rules = policy().rules;
        let codes = rules[0].on_exit_codes.as_ref().unwrap();
        assert_eq!(
            (rules[0].action.as_str(), codes.values.as_slice()),
            ("FailJob", [78].as_slice())
        );
        assert_eq!(rules[1].action, "Ignore");
    }

    #[test]
    fn labels_of_the_operator_are_not_a_users_to_change_and_none_makes_a_pod_a_member() {
        let mut pod = BackupPod::default();
        pod.labels.insert(WORK_OF.into(), "another".into());
        let limits = Limits {
            retries: 0,
            deadline_seconds: 10,
        };
        let made = job(&cluster(), Work::Take, 1, "x".into(), limits, &pod, PodSpec::default());
        let labels = made.spec.unwrap().template.metadata.unwrap().labels.unwrap();
        assert_eq!(labels[WORK_OF], "uid-a");
        assert!(!labels.contains_key(taffrail_crds::CLUSTER), "it is no member");
    }
}
