//! `defragment`: an EtcdDefragmentation of a cluster.

use kube::ResourceExt;
use taffrail_crds::{DefragmentationPhase, DefragmentationThresholds, EtcdDefragmentation, EtcdDefragmentationSpec};

use crate::args::Defragment;
use crate::failure::Failure;
use crate::follow::{Progress, follow};
use crate::session::Session;
use crate::show::bytes;
use crate::{ask, find};

pub async fn run(session: &Session, flags: Defragment) -> Result<(), Failure> {
    find::cluster(session, &flags.cluster).await?;
    let stamped = || format!("{}-{}", flags.cluster, session.stamp());
    let name = flags.name.clone().unwrap_or_else(stamped);
    let mut object = EtcdDefragmentation::new(&name, spec(&flags));
    object.metadata.namespace = Some(session.namespace.clone());
    ask::make(session, &object, flags.dry_run).await?;
    match flags.wait.wait {
        true => follow(session, &name, &flags.wait, progress).await,
        false => Ok(()),
    }
}

fn spec(flags: &Defragment) -> EtcdDefragmentationSpec {
    let least = serde_json::json!({"clusterRef": {"name": flags.cluster}});
    let least: EtcdDefragmentationSpec = serde_json::from_value(least).expect("every other field has a default");
    let only_if = DefragmentationThresholds {
        min_free_bytes: flags.min_free_bytes.clone(),
        min_free_percent: flags.min_free_percent,
        min_quota_percent: None,
    };
    EtcdDefragmentationSpec {
        only_if: (only_if != DefragmentationThresholds::default()).then_some(only_if),
        ..least
    }
}

fn progress(object: &EtcdDefragmentation) -> Progress {
    let name = object.name_any();
    let status = object.status.clone().unwrap_or_default();
    let why = status.message.or(status.reason).filter(|text| !text.is_empty());
    let why = why.map(|text| format!(": {text}")).unwrap_or_default();
    match status.phase {
        DefragmentationPhase::Pending => Progress::Going(format!("{name} Pending{why}")),
        DefragmentationPhase::Running => {
            let member = status.current.map(|one| format!(" {}", one.name)).unwrap_or_default();
            Progress::Going(format!("{name} Running{member}, {} done{why}", status.members.len()))
        }
        DefragmentationPhase::Succeeded => {
            let done = status.members.iter().filter(|one| one.skipped.is_none()).count();
            let (all, freed) = (status.members.len(), bytes(status.reclaimed_bytes));
            Progress::Done(format!("{name} Succeeded: {done} of {all} members, {freed} given back"))
        }
        DefragmentationPhase::Failed => Progress::Failed(format!("{name} failed{why}")),
    }
}
