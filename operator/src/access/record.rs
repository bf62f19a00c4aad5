//! `EtcdCluster.status.access`: what is kept in etcd, and for whom.

use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use taffrail_crds::{AccessRecord, EtcdCluster, KeptAccess};

use super::declared::Kind;
use crate::cluster::Error;
use crate::context::Context;

pub fn of(cluster: &EtcdCluster) -> AccessRecord {
    let status = cluster.status.as_ref();
    status.and_then(|status| status.access.clone()).unwrap_or_default()
}

pub fn entries(record: &AccessRecord, kind: Kind) -> &[KeptAccess] {
    match kind {
        Kind::User => &record.users,
        Kind::Role => &record.roles,
    }
}

/// Who has this name.
pub fn holder<'a>(record: &'a AccessRecord, kind: Kind, name: &str) -> Option<&'a KeptAccess> {
    entries(record, kind).iter().find(|one| one.name == name)
}

/// With this entry instead of any other of its name.
pub fn with(mut record: AccessRecord, kind: Kind, entry: KeptAccess) -> AccessRecord {
    let all = entries_mut(&mut record, kind);
    all.retain(|one| one.name != entry.name);
    all.push(entry);
    all.sort_by(|one, other| one.name.cmp(&other.name));
    record
}

pub fn without(mut record: AccessRecord, kind: Kind, gone: &KeptAccess) -> AccessRecord {
    entries_mut(&mut record, kind).retain(|one| (&one.name, &one.uid) != (&gone.name, &gone.uid));
    record
}

fn entries_mut(record: &mut AccessRecord, kind: Kind) -> &mut Vec<KeptAccess> {
    match kind {
        Kind::User => &mut record.users,
        Kind::Role => &mut record.roles,
    }
}

/// Writes it, unless somebody wrote to the cluster since it was read.
///
/// # Errors
/// What the API server said; 409 if somebody did.
pub async fn write(context: &Context, cluster: &EtcdCluster, record: &AccessRecord) -> Result<(), Error> {
    let api: Api<EtcdCluster> = Api::namespaced(context.client.clone(), &cluster.namespace().unwrap_or_default());
    // A list that is left out of a merge patch would stay as it was.
    let patch = json!({
        "metadata": {"resourceVersion": cluster.resource_version(), "uid": cluster.uid()},
        "status": {"access": {"users": record.users, "roles": record.roles}},
    });
    api.patch_status(&cluster.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}
