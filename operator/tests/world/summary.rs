//! How a world ended up, without what may differ between two ways there: names, IDs, times.

use std::collections::{BTreeMap, BTreeSet};

use super::kubelet::text;
use super::{History, World};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub voters: usize,
    pub learners: usize,
    /// How many members run each version.
    pub versions: BTreeMap<String, usize>,
    pub pods: usize,
    pub ready_pods: usize,
    pub members: usize,
    pub claims: usize,
    pub claims_kept: usize,
    pub services: BTreeSet<String>,
    pub secrets: BTreeSet<String>,
    /// Name and `minAvailable`.
    pub budgets: BTreeSet<String>,
    pub auth: bool,
    pub phases: BTreeSet<String>,
    pub histories: usize,
    /// How many EtcdBackups are in each phase.
    pub backups: BTreeMap<String, usize>,
    pub jobs: usize,
    /// Objects in the bucket.
    pub stored: usize,
    /// Users with their passwords and roles, and roles with what they may do.
    pub access: BTreeSet<String>,
    /// Names of users and roles that are written down as kept.
    pub kept: BTreeSet<String>,
}

impl Summary {
    pub fn of(world: &World) -> Self {
        let state = world.state();
        let names = |kind: &str| {
            state
                .api
                .of_kind(kind)
                .map(|(key, _)| key.name.clone())
                .collect::<BTreeSet<_>>()
        };
        let count = |kind: &str| state.api.of_kind(kind).count();
        let last = state.histories.last().cloned().unwrap_or_default();
        let mut versions = BTreeMap::new();
        state
            .processes
            .values()
            .for_each(|process| *versions.entry(process.version.clone()).or_default() += 1);
        let mut backups = BTreeMap::new();
        let phases = state
            .api
            .of_kind("EtcdBackup")
            .map(|(_, one)| text(one, "/status/phase").to_owned());
        phases.for_each(|phase| *backups.entry(phase).or_default() += 1);
        let is_ready = |pod: &serde_json::Value| pod.pointer("/status/containerStatuses/0/ready") == Some(&true.into());
        let budget =
            |one: &serde_json::Value| format!("{} {}", text(one, "/metadata/name"), one["spec"]["minAvailable"]);
        let is_kept = |claim: &serde_json::Value| claim["metadata"]["annotations"][taffrail_crds::KEPT].is_string();
        Self {
            voters: last.voters().count(),
            learners: last.members.len() - last.voters().count(),
            versions,
            pods: count("Pod"),
            ready_pods: state.api.of_kind("Pod").filter(|(_, pod)| is_ready(pod)).count(),
            members: count("EtcdMember"),
            claims: count("PersistentVolumeClaim"),
            claims_kept: state
                .api
                .of_kind("PersistentVolumeClaim")
                .filter(|(_, claim)| is_kept(claim))
                .count(),
            services: names("Service"),
            secrets: names("Secret"),
            budgets: state
                .api
                .of_kind("PodDisruptionBudget")
                .map(|(_, one)| budget(one))
                .collect(),
            auth: last.auth,
            phases: state
                .api
                .of_kind("EtcdCluster")
                .map(|(_, one)| text(one, "/status/phase").to_owned())
                .collect(),
            histories: state.histories.len(),
            backups,
            jobs: count("Job"),
            stored: state.bucket.len(),
            access: access(&last),
            kept: state
                .api
                .of_kind("EtcdCluster")
                .flat_map(|(_, one)| kept(one))
                .collect(),
        }
    }
}

fn access(history: &History) -> BTreeSet<String> {
    let users = history.users.iter().map(|one| format!("{one:?}"));
    let roles = history.roles.iter().map(|one| format!("{one:?}"));
    users.chain(roles).collect()
}

fn kept(cluster: &serde_json::Value) -> Vec<String> {
    let names = |kind: &str| {
        let all = cluster["status"]["access"][kind]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let kind = kind.to_owned();
        all.into_iter()
            .map(move |one| format!("{kind} {} of {}", text(&one, "/name"), text(&one, "/object")))
    };
    names("users").chain(names("roles")).collect()
}
