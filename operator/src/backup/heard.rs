//! What Jobs and their pods say.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use taffrail_crds::{ROUND, WORK};

use super::jobs::{Work, selector};
use super::request::Outcome;

/// Letters of a message that are kept: conditions have room for more, people have not.
const LETTERS_MAX: usize = 1024;

/// All Jobs and pods that work for one object.
#[derive(Clone, Default)]
pub struct Heard {
    pub jobs: Vec<Job>,
    pub pods: Vec<Pod>,
}

/// How one kind of work stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// There is no Job.
    None,
    /// Attempts so far, and what the pod waits for.
    Running { attempts: i32, why: Option<String> },
    /// A pod said that it is done.
    Done(Box<Outcome>),
    Failed {
        attempts: i32,
        reason: String,
        message: String,
    },
    /// The Job of this round is over and its pods have gone unheard.
    Unheard { round: u32 },
}

impl Heard {
    /// # Errors
    /// If the API server does not answer or refuses.
    pub async fn of(client: &Client, namespace: &str, uid: &str) -> Result<Self, kube::Error> {
        let ours = ListParams::default().labels(&selector(uid));
        let jobs = Api::<Job>::namespaced(client.clone(), namespace);
        let pods = Api::<Pod>::namespaced(client.clone(), namespace);
        // Jobs first: a Job that has ended by then has its pods' last words already.
        let jobs = jobs.list(&ours).await?.items;
        let pods = pods.list(&ours).await?.items;
        Ok(Self { jobs, pods })
    }

    /// The newest Job of this kind and its pods alone.
    pub fn latest_round(&self, work: Work) -> Self {
        let round_of = self.latest(work).map(round);
        let of_it = |labels: &BTreeMap<String, String>| number(labels) == round_of.unwrap_or(0);
        Self {
            jobs: self.jobs.iter().filter(|job| of_it(job.labels())).cloned().collect(),
            pods: self.pods.iter().filter(|pod| of_it(pod.labels())).cloned().collect(),
        }
    }

    /// A pod's word counts more than its Job's: what is done is done, even if a deadline passed meanwhile.
    pub fn standing(&self, work: Work) -> Standing {
        let mut pods: Vec<&Pod> = self.pods.iter().filter(|pod| is_of(*pod, work)).collect();
        pods.sort_by_key(|pod| pod.creation_timestamp());
        let words: Vec<Word> = pods.iter().rev().filter_map(|pod| word(pod)).collect();
        if let Some(Word::Done(outcome)) = words.iter().find(|word| matches!(word, Word::Done(_))) {
            return Standing::Done(outcome.clone());
        }
        let Some(job) = self.latest(work) else {
            return Standing::None;
        };
        let attempts = attempts(job);
        match ended(job) {
            None => Standing::Running {
                attempts,
                why: pods.last().and_then(|pod| why_waiting(pod)),
            },
            Some(End::Complete) => Standing::Unheard { round: round(job) },
            Some(End::Failed { reason, message }) => {
                let said = words.into_iter().find_map(Word::failure);
                let (reason, message) = said.unwrap_or((reason, message));
                Standing::Failed {
                    attempts,
                    reason: one_word(&reason),
                    message: shortened(&message),
                }
            }
        }
    }

    fn latest(&self, work: Work) -> Option<&Job> {
        self.jobs
            .iter()
            .filter(|job| is_of(*job, work))
            .max_by_key(|job| round(job))
    }

    /// Jobs that have not ended and are not going.
    pub fn unfinished(&self) -> impl Iterator<Item = &Job> {
        let alive = |job: &&Job| job.metadata.deletion_timestamp.is_none() && ended(job).is_none();
        self.jobs.iter().filter(alive)
    }
}

fn is_of<K: ResourceExt>(object: &K, work: Work) -> bool {
    object.labels().get(WORK).is_some_and(|word| word == work.word())
}

fn round(job: &Job) -> u32 {
    number(job.labels())
}

fn number(labels: &BTreeMap<String, String>) -> u32 {
    labels.get(ROUND).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn attempts(job: &Job) -> i32 {
    let Some(status) = &job.status else { return 0 };
    let counts = [status.active, status.failed, status.succeeded];
    counts.into_iter().flatten().sum()
}

enum End {
    Complete,
    Failed { reason: String, message: String },
}

fn ended(job: &Job) -> Option<End> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let is = |kind: &str| conditions.iter().find(|one| one.type_ == kind && one.status == "True");
    if let Some(failed) = is("Failed") {
        return Some(End::Failed {
            reason: failed.reason.clone().unwrap_or_else(|| "Failed".into()),
            message: failed.message.clone().unwrap_or_default(),
        });
    }
    is("Complete").map(|_| End::Complete)
}

/// What a pod said last.
enum Word {
    Done(Box<Outcome>),
    Failed { reason: String, message: String },
}

impl Word {
    fn failure(self) -> Option<(String, String)> {
        match self {
            Self::Done(_) => None,
            Self::Failed { reason, message } => Some((reason, message)),
        }
    }
}

/// Of the containers of a pod the last that ended has the word. What a preparation says counts only if it failed.
fn word(pod: &Pod) -> Option<Word> {
    let status = pod.status.as_ref()?;
    let main = status.container_statuses.iter().flatten().filter_map(terminated);
    let before = status.init_container_statuses.iter().flatten().filter_map(terminated);
    let main: Vec<_> = main.collect();
    let said = main.iter().find_map(|(_, end)| outcome(end));
    if let Some(Outcome::Failed { reason, message, .. }) = said {
        return Some(Word::Failed { reason, message });
    }
    if let Some(outcome) = said {
        return Some(Word::Done(Box::new(outcome)));
    }
    let failed = before
        .filter(|(_, end)| end.exit_code != 0)
        .map(|(name, end)| told(name, end))
        .next();
    failed.or_else(|| {
        main.iter()
            .find(|(_, end)| end.exit_code != 0)
            .map(|(name, end)| told(name, end))
    })
}

fn terminated(status: &ContainerStatus) -> Option<(&str, &ContainerStateTerminated)> {
    let end = status.state.as_ref()?.terminated.as_ref()?;
    Some((status.name.as_str(), end))
}

fn outcome(end: &ContainerStateTerminated) -> Option<Outcome> {
    let text = end.message.as_deref()?.trim();
    serde_json::from_str(text.lines().next_back()?).ok()
}

/// A container that ended without an outcome: what its program or its kubelet left behind.
fn told(name: &str, end: &ContainerStateTerminated) -> Word {
    if let Some(Outcome::Failed { reason, message, .. }) = outcome(end) {
        return Word::Failed { reason, message };
    }
    let text = end.message.clone().unwrap_or_default();
    let kubelets = end.reason.clone().filter(|reason| reason != "Error");
    let reason = match kubelets {
        _ if text.to_lowercase().contains("no space left") => "NoRoom".into(),
        Some(reason) => reason,
        None => format!("{}Failed", capital(name)),
    };
    let message = format!("the container {name} ended with {}: {text}", end.exit_code);
    Word::Failed { reason, message }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn why_waiting(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let all = status.init_container_statuses.iter().flatten();
    let all = all.chain(status.container_statuses.iter().flatten());
    let mut waiting = all.filter_map(|one| one.state.as_ref()?.waiting.as_ref());
    let stuck = |reason: &str| !matches!(reason, "ContainerCreating" | "PodInitializing");
    let found = waiting.find_map(|one| {
        let reason = one.reason.as_deref().filter(|reason| stuck(reason))?;
        Some(format!("{reason}: {}", one.message.as_deref().unwrap_or_default()))
    });
    let unscheduled = status.conditions.iter().flatten();
    let mut unscheduled = unscheduled.filter(|one| one.type_ == "PodScheduled" && one.status == "False");
    found
        .or_else(|| unscheduled.find_map(|one| one.message.clone()))
        .map(|why| shortened(&why))
}

/// Conditions take letters and digits only.
pub fn one_word(reason: &str) -> String {
    let word: String = reason.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    match word.starts_with(|first: char| first.is_ascii_alphabetic()) {
        true => word,
        false => format!("Failed{word}"),
    }
}

pub fn shortened(text: &str) -> String {
    text.chars().take(LETTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(round: u32, status: Value) -> Job {
        let labels = json!({WORK: "take", ROUND: round.to_string()});
        serde_json::from_value(json!({"metadata": {"name": "j", "labels": labels}, "status": status})).unwrap()
    }

    fn pod(status: Value) -> Pod {
        let meta = json!({"name": "p", "labels": {WORK: "take"}, "creationTimestamp": "2026-01-01T00:00:00Z"});
        serde_json::from_value(json!({"metadata": meta, "status": status})).unwrap()
    }

    fn said(name: &str, code: i32, message: &str) -> Value {
        json!({"name": name, "ready": false, "restartCount": 0, "image": "", "imageID": "",
               "state": {"terminated": {"exitCode": code, "reason": "Error", "message": message}}})
    }

    fn standing(jobs: Vec<Job>, pods: Vec<Pod>) -> Standing {
        Heard { jobs, pods }.standing(Work::Take)
    }

    fn failed(standing: Standing) -> (String, String) {
        match standing {
            Standing::Failed { reason, message, .. } => (reason, message),
            other => panic!("{other:?}"),
        }
    }

    const FAILED: &str = r#"{"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}]}"#;

    fn over() -> Value {
        serde_json::from_str(FAILED).unwrap()
    }

    #[test]
    fn what_is_done_is_done_even_if_a_deadline_passed_meanwhile() {
        let outcome = serde_json::to_string(&Outcome::Finished).unwrap();
        let done = pod(json!({"containerStatuses": [said("take", 0, &outcome)]}));
        assert_eq!(
            standing(vec![job(1, over())], vec![done]),
            Standing::Done(Box::new(Outcome::Finished))
        );
    }

    #[test]
    fn a_failure_is_told_in_the_pods_words_or_else_in_the_jobs() {
        let said_so = Outcome::Failed {
            reason: "NoSuchBucket".into(),
            message: "make it".into(),
            hopeless: true,
        };
        let spoke = pod(json!({"containerStatuses": [said("take", 78, &serde_json::to_string(&said_so).unwrap())]}));
        assert_eq!(
            failed(standing(vec![job(1, over())], vec![spoke])),
            ("NoSuchBucket".into(), "make it".into())
        );
        let told = failed(standing(vec![job(1, over())], vec![]));
        assert_eq!(told, ("DeadlineExceeded".into(), "too long".into()));
    }

    #[test]
    fn a_preparation_that_fails_is_told_by_its_name() {
        for (text, reason) in [
            ("wrong hash", "RestoreFailed"),
            ("write: no space left on device", "NoRoom"),
        ] {
            let ended = pod(json!({"initContainerStatuses": [said("restore", 1, text)]}));
            let told = failed(standing(vec![job(1, over())], vec![ended]));
            assert!(told.0 == reason && told.1.contains(text), "{told:?}");
        }
    }

    #[test]
    fn a_job_that_is_over_without_a_word_is_unheard() {
        let complete = json!({"conditions": [{"type": "Complete", "status": "True"}]});
        let found = standing(vec![job(1, over()), job(2, complete)], vec![]);
        assert_eq!(found, Standing::Unheard { round: 2 });
    }

    #[test]
    fn a_pod_that_cannot_start_says_why() {
        let waits = json!([{"name": "take", "ready": false, "restartCount": 0, "image": "", "imageID": "",
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]);
        let found = standing(
            vec![job(1, json!({"active": 1}))],
            vec![pod(json!({"containerStatuses": waits}))],
        );
        let why = Some("ImagePullBackOff: no such image".to_owned());
        assert_eq!(found, Standing::Running { attempts: 1, why });
        assert_eq!(standing(vec![], vec![]), Standing::None);
    }

    #[test]
    fn reasons_become_words_that_conditions_take() {
        assert_eq!(one_word("No such-bucket!"), "Nosuchbucket");
        assert_eq!(one_word("403"), "Failed403");
    }
}
