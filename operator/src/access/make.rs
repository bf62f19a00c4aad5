//! Changes in etcd, made while nobody removes.

use kube::ResourceExt;

use super::content::Plan;
use super::declared::Declared;
use super::place::{self, Place};
use super::{record, status};
use crate::cluster::Error;
use crate::context::Context;

/// Makes the changes; false if meanwhile it is not this object's any more.
pub async fn make<K: Declared>(context: &Context, place: &Place, object: &K, plan: &Plan) -> Result<bool, Error> {
    let _gate = context.outlets.gates.enter(&place.key).await;
    if !is_still(context, place, object).await? {
        return Ok(false);
    }
    let mut done = Vec::new();
    let mut failed = None;
    for change in &plan.changes {
        match context.etcd.change_access(&place.access, &place.through, change).await {
            Ok(()) => done.push(change.words()),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    tell(context, place, object, plan, &done).await;
    failed.map_or(Ok(true), |error| Err(error.into()))
}

/// Whoever takes names off the record does it behind the same gate.
async fn is_still<K: Declared>(context: &Context, place: &Place, object: &K) -> Result<bool, Error> {
    let Some(cluster) = place::cluster(context, &place.key).await? else {
        return Ok(false);
    };
    let mine = object.entry();
    let record = record::of(&cluster);
    let same = cluster.uid() == place.cluster.uid();
    Ok(same && record::holder(&record, K::KIND, &mine.name).is_some_and(|holder| holder.uid == mine.uid))
}

async fn tell<K: Declared>(context: &Context, place: &Place, object: &K, plan: &Plan, done: &[String]) {
    if done.is_empty() {
        return;
    }
    let drifted = !plan.declared_anew && status::was_kept(object, place);
    let note = done.join("; ");
    let (events, (namespace, cluster)) = (&context.outlets.events, &place.key);
    tracing::info!(
        namespace,
        cluster,
        kind = K::KIND.word(),
        object = object.name_any(),
        drifted,
        note,
        "access"
    );
    match drifted {
        true => {
            let note = format!("it was changed by somebody else: {note}");
            events.warn(object, "DriftRepaired", &note).await;
        }
        false => events.done(object, "AccessChanged", &note).await,
    }
    context
        .outlets
        .metrics
        .access_changed(namespace, cluster, K::KIND.word(), drifted);
}
