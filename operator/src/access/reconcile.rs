//! One EtcdUser or EtcdRole: whose the name is, what etcd has, what has to change, what came of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, ListParams};
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

use super::claim::{Claim, Others, claim, held};
use super::content::Content;
use super::declared::Declared;
use super::make::make;
use super::place::{self, Era, Place};
use super::record;
use super::status::{self, Told};
use crate::cluster::Error;
use crate::context::Context;
use crate::poller::Key;
use crate::problem::Problem;

/// Looks of one call: the name, the changes, and one that finds nothing left to do; then others have their turn.
const LOOKS_MAX: usize = 6;
/// etcd's own, which the EtcdCluster keeps.
const ROOT: &str = "root";

enum Next {
    Again,
    Tell(Told),
}

/// Brings one user or role of etcd to what is declared.
///
/// # Errors
/// What Kubernetes said; nothing is lost by calling again. What etcd says is told by the condition.
pub async fn reconcile<K: Content>(object: Arc<K>, context: Arc<Context>) -> Result<Action, Error> {
    for _ in 0..LOOKS_MAX {
        match look(&context, object.as_ref()).await {
            Ok(Some(again)) => return Ok(again),
            Ok(None) => {}
            // Whoever changed it has their own reasons: look again.
            Err(error) if error.is_conflict() => return Ok(Action::requeue(Duration::from_millis(200))),
            Err(error) => return Err(error),
        }
    }
    Ok(Action::requeue(Duration::ZERO))
}

/// One look and what follows from it; when to look again, or at once.
async fn look<K: Content>(context: &Context, object: &K) -> Result<Option<Action>, Error> {
    let api = Api::<K>::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    let fresh = api.get_opt(&object.name_any()).await?;
    let Some(object) = fresh.filter(Declared::is_alive) else {
        return Ok(Some(Action::await_change()));
    };
    let (told, failed) = match next(context, &object).await {
        Ok(Next::Again) => return Ok(None),
        Ok(Next::Tell(told)) => (told, None),
        Err(Error::Etcd(error)) => (Told::Unready(place::of_etcd(&error)), None),
        Err(error) => match error.refusal() {
            Some(problem) => (Told::Unready(problem), Some(error)),
            None => return Err(error),
        },
    };
    status::write(context, &object, &told).await?;
    match failed {
        Some(error) => Err(error),
        None => Ok(Some(Action::requeue(told.pause(context.settings.resync)))),
    }
}

async fn next<K: Content>(context: &Context, object: &K) -> Result<Next, Error> {
    if object.name_in_etcd() == ROOT {
        let message = "root is kept by spec.auth of the EtcdCluster";
        return Ok(Next::Tell(Told::Unready(Problem::new("RootIsKept", message))));
    }
    let place = match place::look(context, &key_of(object)).await? {
        Ok(place) => place,
        Err(problem) => return Ok(Next::Tell(Told::Unready(problem))),
    };
    match whose(context, &place, object).await? {
        Claim::Held => keep(context, &place, object).await,
        Claim::Refused(problem) => Ok(Next::Tell(Told::Unready(problem))),
        Claim::Write(record) => {
            record::write(context, &place.cluster, &record).await?;
            Ok(Next::Again)
        }
    }
}

async fn whose<K: Content>(context: &Context, place: &Place, object: &K) -> Result<Claim, Error> {
    let (record, mine) = (record::of(&place.cluster), object.entry());
    if let Some(claim) = held(&record, K::KIND, &mine) {
        return Ok(claim);
    }
    let others = others(context, object).await?;
    let there = K::is_there(context, place, &mine.name).await?;
    Ok(claim(&record, K::KIND, &mine, &others, (there, object.adopts())))
}

async fn others<K: Declared>(context: &Context, object: &K) -> Result<Others, Error> {
    let namespace = object.namespace().unwrap_or_default();
    let api = Api::<DeserializeGuard<K>>::namespaced(context.client.clone(), &namespace);
    let all = api.list(&ListParams::default()).await?.items;
    let uids: BTreeSet<String> = all.iter().filter_map(|one| one.meta().uid.clone()).collect();
    let readable: Vec<K> = all.into_iter().filter_map(|one| one.0.ok()).collect();
    Ok(Others::of(object, uids, &readable))
}

/// It is written down as this object's: etcd may be asked.
async fn keep<K: Content>(context: &Context, place: &Place, object: &K) -> Result<Next, Error> {
    let told = object.told().cloned().unwrap_or_default();
    let before = Era {
        cluster_id: told.cluster_id.unwrap_or_default(),
        recovery: told.recovery,
    };
    let found = K::read(context, place, object).await?;
    let plan = K::plan(object, &found, before != place.era);
    if !plan.changes.is_empty() && !make(context, place, object, &plan).await? {
        return Ok(Next::Again);
    }
    let told = Told::of(place, &plan);
    if plan.changes.is_empty() {
        return Ok(Next::Tell(told));
    }
    // What was just made is told before it is looked at once more: a second look must not make it anew.
    status::write(context, object, &told).await?;
    Ok(Next::Again)
}

/// Namespace and name of the cluster that an object is about.
fn key_of<K: Declared>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.cluster_name().to_owned())
}
