//! Taking a step. Done twice it does no harm: what is there already, or gone already, counts as done.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use taffrail_crds::{
    ACCEPT_DATA_LOSS, CLUSTER, EtcdCluster, EtcdMember, KEPT, RECOVER_FROM, ROLE, ROLL_BACK_TO, RecoveryPhase,
    RecoveryStatus, RestorePhase, RestoreStatus, RollBackPhase, RollBackStatus,
};

use super::Error;
use super::build;
use super::observe::Observed;
use super::plan::{Step, kept_name};
use super::wanted::Wanted;
use crate::context::Context;
use crate::etcd::{Endpoint, EtcdError};
use crate::owner::is_owned_by;

/// On disruption budgets: the pod that was taken off last.
const DISOWNED: &str = "etcd.taffrail.dev/disowned";

/// Whether to look again at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// etcd says: not yet.
    NotYet,
}

/// One step on one cluster.
pub struct Act<'a> {
    pub context: &'a Context,
    pub seen: &'a Observed,
    pub wanted: &'a Wanted,
}

impl Act<'_> {
    /// # Errors
    /// Whatever Kubernetes or etcd said; the step may have been taken all the same.
    pub async fn take(&self, step: &Step) -> Result<Outcome, Error> {
        match step {
            Step::Nothing | Step::Wait(_) => Ok(()),
            Step::CreateMember { serial, seed } => self.create_member(*serial, *seed).await,
            Step::RecallMember { claim, .. } => self.recall(claim).await,
            Step::CreateVolume { member } => self.create_volume(member).await,
            Step::RememberVolume { member, uid } => self.note(member, json!({"volumeUid": uid})).await,
            Step::AddLearner { member } => return self.add_learner(member).await,
            Step::RememberMember {
                member,
                id,
                initial_cluster,
            } => self.remember(member, *id, initial_cluster).await,
            Step::RememberCluster { id } => self.status(json!({"clusterId": format!("{id:x}")})).await,
            Step::CreatePod { member } => self.create_pod(member).await,
            Step::DeletePod { pod, uid } => delete(&self.api::<Pod>(), pod, uid).await,
            Step::LabelPod { pod, role } => {
                let labels = json!({"metadata": {"labels": {ROLE: role}}});
                merge(&self.api::<Pod>(), pod, labels).await
            }
            Step::DisownPod { pod } => self.disown(pod).await,
            Step::Promote { id, .. } => return self.promote(*id).await,
            Step::MoveLeader { from, to } => Ok(self.context.etcd.move_leader(&self.seen.access, from, *to).await?),
            Step::BeginLeaving { member, leaving } => self.note(member, json!({"leaving": leaving})).await,
            Step::Remove { id, .. } => return self.remove(*id).await,
            Step::DeleteVolume { claim, uid } => delete(&self.api::<PersistentVolumeClaim>(), claim, uid).await,
            Step::KeepVolume { claim, reason } => self.keep_volume(claim, reason).await,
            Step::GrowVolume { claim, size } => {
                let spec = json!({"spec": {"resources": {"requests": {"storage": size}}}});
                merge(&self.api::<PersistentVolumeClaim>(), claim, spec).await
            }
            Step::DeleteMember { member } => self.delete_member(member).await,
            Step::Disarm(alarm) => Ok(self
                .context
                .etcd
                .disarm(&self.seen.access, &self.seen.through(), *alarm)
                .await?),
            Step::Downgrade { action, version } => {
                let through = self.seen.through();
                Ok(self
                    .context
                    .etcd
                    .downgrade(&self.seen.access, &through, *action, version)
                    .await?)
            }
            Step::Recover(recovery) => self.recover(recovery.as_ref()).await,
            Step::KeepAside { survivor, claim } => return self.keep_aside(survivor, claim).await,
            Step::Force { member, on } => self.note(member, json!({"forceNewCluster": on})).await,
            Step::NoteRestore(restore) => self.note_restore(restore).await,
            Step::RunRestore { member } => self.run_restore(member).await,
            Step::RememberRestored { member, key } => self.remember_restored(member, key).await,
            Step::RollBack { roll_back, restore } => self.roll_back(roll_back, restore.as_deref()).await,
        }
        .map(|()| Outcome::Done)
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.context.client.clone(), &self.seen.names.namespace)
    }

    /// The number is taken before the name is used: it is never used again, even if nothing comes of it.
    async fn create_member(&self, serial: i64, seed: bool) -> Result<(), Error> {
        self.status(json!({"nextSerial": serial + 1})).await?;
        let name = self.seen.names.member(serial);
        let peer_url = self.wanted.peer_url(&self.seen.names, &name);
        let record = build::member(&self.seen.cluster, name, serial, seed, peer_url);
        create(&self.api(), &record).await
    }

    async fn recall(&self, claim: &str) -> Result<(), Error> {
        let claim = self.seen.orphans.iter().find(|one| one.name_any() == claim);
        let record = claim.and_then(|claim| build::recalled(&self.seen.cluster, claim));
        let record = record.ok_or_else(|| Error::Gone("the volume claim".into()))?;
        create(&self.api(), &record).await
    }

    async fn create_volume(&self, member: &str) -> Result<(), Error> {
        let claim = build::volume(&self.seen.cluster, self.record(member)?);
        self.create_claim(&claim).await
    }

    async fn create_claim(&self, claim: &PersistentVolumeClaim) -> Result<(), Error> {
        match self.api().create(&PostParams::default(), claim).await {
            // What was made a moment ago by this cluster's operator is seen at the next look.
            Err(error) if is(&error, 409) => self.known(claim).await,
            other => Ok(other.map(drop)?),
        }
    }

    /// A claim that somebody else made under this name is left alone.
    async fn known(&self, wanted: &PersistentVolumeClaim) -> Result<(), Error> {
        let name = wanted.name_any();
        let found = self.api::<PersistentVolumeClaim>().get(&name).await?;
        let same = |key: &str| found.labels().get(key) == wanted.labels().get(key);
        if same(taffrail_crds::CLUSTER_UID) && same(taffrail_crds::MEMBER) {
            return Ok(());
        }
        let kind = "PersistentVolumeClaim";
        Err(Error::Foreign { kind, name })
    }

    async fn create_pod(&self, member: &str) -> Result<(), Error> {
        let mut record = self.record(member)?.clone();
        if self.seen.cluster_id().is_some() && record.spec.initial_cluster.is_none() {
            // It was there before: its data say who it is, and without them it must not found anything.
            record.spec.initial_cluster = Some(format!("{member}={}", record.spec.peer_url));
        }
        create(&self.api(), &build::pod(&self.wanted.pods, &record)).await
    }

    /// Kubernetes counts a budget's pods anew when one of them or the budget changes, and this is none of them any more.
    async fn disown(&self, pod: &str) -> Result<(), Error> {
        let labels = json!({"metadata": {"labels": {CLUSTER: null}}});
        merge(&self.api::<Pod>(), pod, labels).await?;
        let (budgets, name) = (self.api::<PodDisruptionBudget>(), &self.seen.names.cluster);
        let found = budgets.get_opt(name).await?;
        if !found.is_some_and(|budget| self.is_ours(&budget)) {
            return Ok(());
        }
        let note = json!({"metadata": {"annotations": {DISOWNED: pod}}});
        merge(&budgets, name, note).await
    }

    async fn add_learner(&self, member: &str) -> Result<Outcome, Error> {
        let peer_url = &self.record(member)?.spec.peer_url;
        let added = self
            .context
            .etcd
            .add_learner(&self.seen.access, &self.through(), peer_url)
            .await;
        match added {
            Ok(_) | Err(EtcdError::PeerUrlExists) => Ok(Outcome::Done),
            Err(EtcdError::TooManyLearners | EtcdError::Unhealthy(_)) => Ok(Outcome::NotYet),
            Err(error) => Err(error.into()),
        }
    }

    async fn remember(&self, member: &str, id: u64, initial_cluster: &str) -> Result<(), Error> {
        let mut note = json!({"memberId": format!("{id:x}")});
        if self.record(member)?.spec.initial_cluster.is_none() && !self.record(member)?.spec.seed {
            note["initialCluster"] = json!(initial_cluster);
        }
        self.note(member, note).await
    }

    async fn promote(&self, id: u64) -> Result<Outcome, Error> {
        match self.context.etcd.promote(&self.seen.access, &self.through(), id).await {
            Ok(()) | Err(EtcdError::NotLearner) => Ok(Outcome::Done),
            Err(EtcdError::LearnerNotReady | EtcdError::Unhealthy(_)) => Ok(Outcome::NotYet),
            Err(error) => Err(error.into()),
        }
    }

    /// The list is read once more: what was decided on must still be the case.
    async fn remove(&self, id: u64) -> Result<Outcome, Error> {
        let now = self.context.etcd.roster(&self.seen.access, &self.through()).await?;
        if self.seen.roster.as_ref() != Ok(&now) {
            return Ok(Outcome::NotYet);
        }
        match self.context.etcd.remove(&self.seen.access, &self.through(), id).await {
            Ok(()) | Err(EtcdError::MemberNotFound) => Ok(Outcome::Done),
            Err(EtcdError::Unhealthy(_)) => Ok(Outcome::NotYet),
            Err(error) => Err(error.into()),
        }
    }

    /// It is a person's from now on, and does not go with the cluster.
    async fn keep_volume(&self, claim: &str, reason: &str) -> Result<(), Error> {
        let kept = json!({"metadata": {"annotations": {KEPT: reason}, "ownerReferences": null}});
        merge(&self.api::<PersistentVolumeClaim>(), claim, kept).await
    }

    async fn delete_member(&self, member: &str) -> Result<(), Error> {
        let uid = self.record(member)?.uid().unwrap_or_default();
        delete(&self.api::<EtcdMember>(), member, &uid).await
    }

    async fn recover(&self, recovery: Option<&RecoveryStatus>) -> Result<(), Error> {
        if let Some(done) = recovery.filter(|one| one.phase == RecoveryPhase::Done) {
            self.clear_copying(&kept_name(done)).await?;
        }
        self.status(json!({"recovery": recovery})).await?;
        self.acknowledged(RECOVER_FROM).await
    }

    async fn note_restore(&self, restore: &RestoreStatus) -> Result<(), Error> {
        self.replace_restore(restore).await?;
        self.acknowledged(ROLL_BACK_TO).await
    }

    /// In a merge patch what is not there stays as it was, and two places would become one that is neither: the old one
    /// goes first.
    async fn replace_restore(&self, restore: &RestoreStatus) -> Result<(), Error> {
        let api = self.api::<EtcdCluster>();
        let name = &self.seen.names.cluster;
        let mut version = self.seen.cluster.resource_version();
        for value in [Value::Null, json!(restore)] {
            let patch = json!({"metadata": {"resourceVersion": version}, "status": {"restore": value}});
            let written = api
                .patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
                .await?;
            version = written.resource_version();
        }
        Ok(())
    }

    async fn run_restore(&self, member: &str) -> Result<(), Error> {
        let image = self.context.settings.operator_image.as_ref();
        let image = image.ok_or(Error::NoOperatorImage)?;
        let restore = self.seen.restore_status();
        let restore = restore.ok_or_else(|| Error::Gone("what is to be restored".into()))?;
        let record = self.record(member)?;
        create(
            &self.api(),
            &build::restore_pod(&self.wanted.pods, record, restore, image),
        )
        .await
    }

    /// The record first: it is what keeps the volume from being filled again.
    async fn remember_restored(&self, member: &str, key: &str) -> Result<(), Error> {
        self.note(member, json!({"restoredFrom": key})).await?;
        let now = self.seen.now.to_string();
        let done = json!({"phase": RestorePhase::Restored, "finishedAt": now, "reason": null, "message": null});
        self.status(json!({"restore": done})).await
    }

    /// What it goes back to is written before anything is stopped. With the end of it the cluster has no name any more,
    /// so that it can be founded by what is restored.
    async fn roll_back(&self, roll_back: &RollBackStatus, restore: Option<&RestoreStatus>) -> Result<(), Error> {
        if let Some(restore) = restore.filter(|one| self.seen.restore_status() != Some(one)) {
            return self.replace_restore(restore).await;
        }
        match roll_back.phase {
            RollBackPhase::Done => self.status(json!({"rollBack": roll_back, "clusterId": null})).await?,
            _ => self.status(json!({"rollBack": roll_back})).await?,
        }
        self.acknowledged(ROLL_BACK_TO).await
    }

    /// An acknowledgement counts once: it is taken away when it was made use of.
    async fn acknowledged(&self, of: &str) -> Result<(), Error> {
        let used = json!({"metadata": {"annotations": {of: Value::Null, ACCEPT_DATA_LOSS: Value::Null}}});
        match self.seen.cluster.annotations().contains_key(of) {
            true => merge(&self.api::<EtcdCluster>(), &self.seen.names.cluster, used).await,
            false => Ok(()),
        }
    }

    /// Claim, pod, wait, mark: each only if it is not there yet.
    async fn keep_aside(&self, survivor: &str, name: &str) -> Result<Outcome, Error> {
        let member = self.seen.member(survivor).and_then(|member| member.volume.as_ref());
        let volume = member.ok_or_else(|| Error::Gone("the survivor's volume".into()))?;
        let image = self.context.settings.operator_image.as_ref();
        let image = image.ok_or(Error::NoOperatorImage)?;
        self.create_claim(&build::kept_claim(&self.seen.cluster, volume, name.to_owned()))
            .await?;
        let from = volume.name_any();
        let copying = build::copy_pod(&self.seen.cluster, image, (&from, name), name.to_owned());
        create(&self.api(), &copying).await?;
        let pods = self.api::<Pod>();
        let pod = pods.get(name).await?;
        if !self.is_ours(&pod) {
            let (kind, name) = ("Pod", name.to_owned());
            return Err(Error::Foreign { kind, name });
        }
        if super::pods::phase(&pod) != "Succeeded" {
            return Ok(Outcome::NotYet);
        }
        // The pod first: once the claim is marked nobody looks for it. A copy that is whole is known by its own mark,
        // so another pod has nothing left to do.
        delete(&pods, name, &pod.uid().unwrap_or_default()).await?;
        self.keep_volume(name, "BeforeQuorumRecovery").await?;
        Ok(Outcome::Done)
    }

    fn is_ours(&self, object: &impl Resource) -> bool {
        is_owned_by(object.meta(), self.seen.cluster.metadata.uid.as_deref())
    }

    /// An operator that was slow may have made the copying pod once more, after the copy was marked as whole.
    async fn clear_copying(&self, name: &str) -> Result<(), Error> {
        let pods = self.api::<Pod>();
        match pods.get_opt(name).await?.filter(|pod| self.is_ours(pod)) {
            Some(pod) => delete(&pods, name, &pod.uid().unwrap_or_default()).await,
            None => Ok(()),
        }
    }

    fn record(&self, member: &str) -> Result<&EtcdMember, Error> {
        let member_found = self.seen.member(member);
        member_found
            .map(|found| &found.record)
            .ok_or_else(|| Error::Gone(member.to_owned()))
    }

    fn through(&self) -> Vec<Endpoint> {
        self.seen.through()
    }

    /// Something to remember in a member's record.
    async fn note(&self, member: &str, spec: Value) -> Result<(), Error> {
        merge(&self.api::<EtcdMember>(), member, json!({"spec": spec})).await
    }

    /// Something to remember in the cluster's status, if nobody wrote there since it was read.
    async fn status(&self, status: Value) -> Result<(), Error> {
        let version = self.seen.cluster.resource_version();
        let patch = json!({"metadata": {"resourceVersion": version}, "status": status});
        let api = self.api::<EtcdCluster>();
        api.patch_status(&self.seen.names.cluster, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }
}

async fn create<K>(api: &Api<K>, object: &K) -> Result<(), Error>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    match api.create(&PostParams::default(), object).await {
        Err(error) if is(&error, 409) => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

/// That very object, and no namesake of it.
async fn delete<K>(api: &Api<K>, name: &str, uid: &str) -> Result<(), Error>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let only = Preconditions {
        uid: Some(uid.to_owned()),
        resource_version: None,
    };
    match api.delete(name, &DeleteParams::default().preconditions(only)).await {
        Err(error) if is(&error, 404) || is(&error, 409) => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

async fn merge<K>(api: &Api<K>, name: &str, patch: Value) -> Result<(), Error>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

fn is(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
