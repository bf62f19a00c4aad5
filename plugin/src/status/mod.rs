//! `status`: an EtcdCluster at a glance.
//!
//! Everything is as the operator last saw it and wrote it down; `--live` asks the members too.

mod glance;
mod live;
mod text;

use kube::api::ListParams;
use kube::{Api, ResourceExt};
use taffrail_crds::{EtcdBackupSchedule, EtcdCluster};

use crate::args::{Output, Status};
use crate::failure::Failure;
use crate::find;
use crate::session::Session;
use glance::Glance;

pub async fn run(session: &Session, flags: Status) -> Result<(), Failure> {
    match &flags.cluster {
        Some(name) => one(session, name, &flags).await,
        None => all(session, &flags).await,
    }
}

async fn one(session: &Session, name: &str, flags: &Status) -> Result<(), Failure> {
    let cluster = find::cluster(session, name).await?;
    let schedules = schedules(session, name).await;
    let mut glance = Glance::of(&cluster, schedules);
    if flags.live {
        live::ask(session, &cluster, &mut glance, flags.secret.as_deref()).await?;
    }
    match flags.output {
        Output::Text => text::one(&glance, (session.now)())
            .iter()
            .for_each(|line| session.out.line(line)),
        Output::Json => print_json(session, &glance)?,
    }
    Ok(())
}

async fn all(session: &Session, flags: &Status) -> Result<(), Failure> {
    let api: Api<EtcdCluster> = match flags.all_namespaces {
        true => Api::all(session.client.clone()),
        false => session.api(),
    };
    let list = api.list(&ListParams::default()).await;
    let list = list.map_err(|error| Failure::of(error, "list EtcdClusters"))?;
    let mut glances: Vec<_> = list
        .items
        .iter()
        .map(|cluster| Glance::of(cluster, Vec::new()))
        .collect();
    glances.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    if flags.output == Output::Json {
        return print_json(session, &glances);
    }
    if glances.is_empty() {
        let place = if flags.all_namespaces {
            "any namespace".into()
        } else {
            format!("the namespace {}", session.namespace)
        };
        session.notes.line(&format!("there is no EtcdCluster in {place}"));
        return Ok(());
    }
    let lines = text::all(&glances, flags.all_namespaces, (session.now)());
    lines.iter().for_each(|line| session.out.line(line));
    Ok(())
}

/// Whoever may not list them sees the rest.
async fn schedules(session: &Session, cluster: &str) -> Vec<EtcdBackupSchedule> {
    let list = session.api::<EtcdBackupSchedule>().list(&ListParams::default()).await;
    let mut found = list.map(|list| list.items).unwrap_or_default();
    found.retain(|one| one.spec.template.cluster_ref.name == cluster);
    found.sort_by_key(ResourceExt::name_any);
    found
}

fn print_json(session: &Session, what: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(what);
    session
        .out
        .line(&text.map_err(|error| Failure::Failed(error.to_string()))?);
    Ok(())
}
