//! What is the case: read from Kubernetes and from etcd, nothing written.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{Api, ListParams};
use kube::{Resource, ResourceExt};
use taffrail_crds::{CLUSTER, CLUSTER_UID, EtcdCluster, EtcdMember, KEPT, MEMBER, RestoreStatus, TlsSource};

use super::Error;
use crate::context::Context;
use crate::etcd::{Access, Alarm, Endpoint, EtcdError, MemberFacts, Roster};
use crate::names::{CLIENT_PORT, METRICS_PORT, Names, PEER_PORT, volume_claim};
use crate::owner::is_owned_by;
use crate::problem::Problem;

/// Everything that a plan is made from.
#[derive(Clone)]
pub struct Observed {
    pub cluster: Arc<EtcdCluster>,
    pub names: Names,
    pub now: Timestamp,
    /// By serial number.
    pub members: Vec<Member>,
    /// Pods that somebody gave the cluster's label, and that are none of its members.
    pub strays: Vec<Pod>,
    /// Volume claims of this very cluster whose EtcdMember has gone and that are not kept for people.
    pub orphans: Vec<PersistentVolumeClaim>,
    /// The highest serial number that any volume claim of that name bears, of this cluster or of a namesake.
    pub highest_serial_of_volumes: Option<i64>,
    /// Claims that hold what survivors had before a recovery.
    pub kept: Vec<PersistentVolumeClaim>,
    pub roster: Result<Roster, EtcdError>,
    pub alarms: Vec<Alarm>,
    /// As `3.6.0`.
    pub cluster_version: Option<String>,
    pub access: Access,
    /// What a new cluster begins with, or a living one goes back to, if that is to be decided on.
    pub restore_source: Option<Result<RestoreStatus, Problem>>,
    /// The pod that fills the first member's volume.
    pub restore_pod: Option<Pod>,
    /// Names of members that must start anew to trust an authority that is coming.
    pub deaf: Vec<String>,
    /// What keeps pods from being made: Secrets that are not there.
    pub blocked_pods: Option<Problem>,
    pub problems: Vec<Problem>,
}

/// One member: its record, and what there is of it.
#[derive(Clone)]
pub struct Member {
    pub record: EtcdMember,
    pub pod: Option<Pod>,
    pub volume: Option<PersistentVolumeClaim>,
    /// What it says of itself; without a running pod an error.
    pub facts: Result<MemberFacts, EtcdError>,
}

/// What Kubernetes has.
pub struct Objects {
    pub members: Vec<Member>,
    pub strays: Vec<Pod>,
    pub orphans: Vec<PersistentVolumeClaim>,
    pub highest_serial_of_volumes: Option<i64>,
    pub kept: Vec<PersistentVolumeClaim>,
}

/// Reads the objects of a cluster from the API server itself, not from a cache: a plan must not be made from the past.
pub async fn objects(context: &Context, cluster: &EtcdCluster) -> Result<Objects, Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let uid = cluster.uid().unwrap_or_default();
    let of_cluster = ListParams::default().labels(&format!("{CLUSTER}={}", cluster.name_any()));
    let pods = Api::<Pod>::namespaced(context.client.clone(), &namespace);
    let claims = Api::<PersistentVolumeClaim>::namespaced(context.client.clone(), &namespace);
    let records = Api::<EtcdMember>::namespaced(context.client.clone(), &namespace);
    let (pods, claims, records) = futures::try_join!(
        pods.list(&of_cluster),
        claims.list(&of_cluster),
        records.list(&of_cluster)
    )?;
    let mut pods: BTreeMap<String, Pod> = pods.items.into_iter().map(|pod| (pod.name_any(), pod)).collect();
    let highest_serial_of_volumes = claims.items.iter().filter_map(serial_of).max();
    let (kept, claims): (Vec<_>, Vec<_>) = claims.items.into_iter().partition(is_kept);
    let mine = claims
        .into_iter()
        .filter(|claim| claim.labels().get(CLUSTER_UID) == Some(&uid));
    let mut claims: BTreeMap<String, PersistentVolumeClaim> = mine.filter_map(named_for_its_member).collect();
    let mut members: Vec<Member> = records
        .items
        .into_iter()
        .filter(|record| is_owned_by(&record.metadata, Some(&uid)))
        .map(|record| gathered(record, &mut pods, &mut claims))
        .collect();
    members.sort_by_key(|member| member.record.spec.serial);
    Ok(Objects {
        members,
        strays: pods.into_values().filter(is_nobodys).collect(),
        orphans: claims.into_values().collect(),
        highest_serial_of_volumes,
        kept,
    })
}

fn gathered(
    record: EtcdMember,
    pods: &mut BTreeMap<String, Pod>,
    claims: &mut BTreeMap<String, PersistentVolumeClaim>,
) -> Member {
    let name = record.name_any();
    Member {
        pod: pods.remove(&name),
        volume: claims.remove(&name),
        facts: Err(EtcdError::Unreachable("its pod does not run".into())),
        record,
    }
}

/// With the name of its member. A copy that bears the labels of its original has another name, and is not looked at.
fn named_for_its_member(claim: PersistentVolumeClaim) -> Option<(String, PersistentVolumeClaim)> {
    let member = claim.labels().get(MEMBER)?.clone();
    (claim.name_any() == volume_claim(&member)).then_some((member, claim))
}

/// What a controller made goes with its owner, or would be made again.
fn is_nobodys(pod: &Pod) -> bool {
    pod.owner_references()
        .iter()
        .all(|owner| owner.controller != Some(true))
}

fn serial_of(claim: &PersistentVolumeClaim) -> Option<i64> {
    claim.labels().get(MEMBER)?.rsplit_once('-')?.1.parse().ok()
}

fn is_kept(claim: &PersistentVolumeClaim) -> bool {
    claim.annotations().contains_key(KEPT)
}

/// Asks every member that runs, and through them the roster and the alarms.
pub async fn ask(context: &Context, seen: &mut Observed) {
    let asked = seen.members.iter().map(|member| facts(context, seen, member));
    let answers = join_all(asked).await;
    for (member, facts) in seen.members.iter_mut().zip(answers) {
        member.facts = facts;
    }
    let through = seen.through();
    seen.roster = if through.is_empty() {
        Err(EtcdError::Unreachable("no member answers".into()))
    } else {
        context.etcd.roster(&seen.access, &through).await
    };
    if seen.roster.is_err() {
        return;
    }
    seen.alarms = context.etcd.alarms(&seen.access, &through).await.unwrap_or_default();
    if let Some(first) = through.first() {
        seen.cluster_version = context.etcd.cluster_version(&seen.access, first).await.ok();
    }
}

async fn facts(context: &Context, seen: &Observed, member: &Member) -> Result<MemberFacts, EtcdError> {
    match seen.endpoint(member) {
        Some(endpoint) => context.etcd.facts(&seen.access, &endpoint).await,
        None => Err(EtcdError::Unreachable("its pod does not run".into())),
    }
}

impl Observed {
    /// Nothing known yet but the objects.
    pub fn of(cluster: Arc<EtcdCluster>, names: Names, now: Timestamp, objects: Objects) -> Self {
        Self {
            cluster,
            names,
            now,
            members: objects.members,
            strays: objects.strays,
            orphans: objects.orphans,
            highest_serial_of_volumes: objects.highest_serial_of_volumes,
            kept: objects.kept,
            roster: Err(EtcdError::Unreachable("not asked".into())),
            alarms: Vec::new(),
            cluster_version: None,
            access: Access::default(),
            restore_source: None,
            restore_pod: None,
            deaf: Vec::new(),
            blocked_pods: None,
            problems: Vec::new(),
        }
    }

    /// Where a member's clients reach it, if its pod has an address.
    pub fn endpoint(&self, member: &Member) -> Option<Endpoint> {
        let scheme = member.client_scheme(&self.cluster.spec.tls.client);
        self.at(member, scheme, CLIENT_PORT)
    }

    /// Where other members reach it.
    pub fn peer_endpoint(&self, member: &Member) -> Option<Endpoint> {
        let scheme = if member.record.spec.peer_url.starts_with("https") {
            "https"
        } else {
            "http"
        };
        self.at(member, scheme, PEER_PORT)
    }

    pub fn metrics_url(&self, member: &Member) -> Option<String> {
        self.at(member, "http", METRICS_PORT).map(|endpoint| endpoint.url)
    }

    fn at(&self, member: &Member, scheme: &str, port: i32) -> Option<Endpoint> {
        let ip = member.running()?.status.as_ref()?.pod_ip.as_ref()?;
        let host = if ip.contains(':') {
            format!("[{ip}]")
        } else {
            ip.clone()
        };
        Some(Endpoint {
            url: format!("{scheme}://{host}:{port}"),
            server_name: self.names.member_host(&member.record.name_any()),
        })
    }

    /// Members to ask for what any of them can do: those that answer, leader first.
    pub fn through(&self) -> Vec<Endpoint> {
        let mut voters: Vec<&Member> = self.members.iter().filter(|member| member.votes()).collect();
        voters.sort_by_key(|member| !member.leads());
        voters.iter().filter_map(|member| self.endpoint(member)).collect()
    }

    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name() == name)
    }

    pub fn leader(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.leads())
    }
}

impl Member {
    pub fn name(&self) -> &str {
        self.record.meta().name.as_deref().unwrap_or_default()
    }

    /// Its pod, if containers run and nobody deletes it.
    pub fn running(&self) -> Option<&Pod> {
        let pod = self.pod.as_ref()?;
        let phase = pod.status.as_ref()?.phase.as_deref()?;
        (phase == "Running" && pod.meta().deletion_timestamp.is_none()).then_some(pod)
    }

    /// It answers and says that it is a voter.
    fn votes(&self) -> bool {
        self.facts.as_ref().is_ok_and(|facts| !facts.is_learner)
    }

    pub fn leads(&self) -> bool {
        let leads = |facts: &MemberFacts| facts.leader_id != 0 && facts.leader_id == facts.member_id;
        self.facts.as_ref().is_ok_and(leads)
    }

    pub fn is_ready(&self) -> bool {
        let conditions = self.running().and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
        conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
    }

    /// It answers, knows a leader, and its pod is ready.
    pub fn is_healthy(&self) -> bool {
        self.why_unhealthy().is_none()
    }

    /// etcd's ID, as written down.
    pub fn id(&self) -> Option<u64> {
        u64::from_str_radix(self.record.spec.member_id.as_deref()?, 16).ok()
    }

    pub fn is_leaving(&self) -> bool {
        self.record.spec.leaving.is_some()
    }

    /// What its pod was made to speak to clients, which a change of the cluster's spec does not change at once.
    fn client_scheme(&self, wanted: &TlsSource) -> &'static str {
        let made_for = self.pod.as_ref().and_then(|pod| pod.annotations().get(CLIENT_SCHEME));
        match made_for.map(String::as_str) {
            Some("https") => "https",
            Some("http") => "http",
            _ if wanted.is_on() => "https",
            _ => "http",
        }
    }

    /// Why it is not healthy, for people.
    pub fn why_unhealthy(&self) -> Option<String> {
        let Some(pod) = &self.pod else {
            return Some("it has no pod".into());
        };
        if pod.meta().deletion_timestamp.is_some() {
            return Some("its pod is being deleted".into());
        }
        if self.running().is_none() {
            return Some(super::pods::why_not_running(pod));
        }
        match &self.facts {
            Err(error) => Some(super::pods::why_not_answering(pod, error)),
            Ok(facts) if facts.leader_id == 0 => Some("it knows no leader".into()),
            Ok(facts) if facts.corrupt().any(|id| id == facts.member_id) => {
                Some("etcd found its data to differ from the others'".into())
            }
            // Whosever data they are: with that alarm no member calls itself ready, and Kubernetes tells nothing of it.
            Ok(facts) if facts.corrupt().next().is_some() => None,
            Ok(_) if !self.is_ready() => Some("its pod is not ready".into()),
            Ok(_) => None,
        }
    }
}

/// On pods: `http` or `https`, what clients speak there.
pub const CLIENT_SCHEME: &str = "etcd.taffrail.dev/client-scheme";
