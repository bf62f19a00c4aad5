//! One EtcdDefragmentation: look, write down what comes next, do it, write down what it came to.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::ListParams;
use kube::runtime::controller::Action;
use taffrail_crds::{DefragmentationPhase, EtcdDefragmentation, EtcdDefragmentationStatus};

use super::act::{api, write};
use super::look::{Picture, look};
use super::plan::{Outcome, Plan, Seen, Step, after, first_of, is_over, plan};
use crate::cluster::Error;
use crate::cluster::observe::Observed;
use crate::context::Context;
use crate::etcd::{Endpoint, EtcdError};

/// Steps of one call: two per member, the leader's move, and the end. Then others have their turn.
const STEPS_MAX: usize = 24;
/// Until a member that was cut off is asked again.
const CUT_OFF_AGAIN: Duration = Duration::from_secs(5);

/// Brings one defragmentation nearer to its end.
///
/// # Errors
/// What Kubernetes said; nothing is lost by calling again. What members say is written down.
pub async fn reconcile(task: Arc<EtcdDefragmentation>, context: Arc<Context>) -> Result<Action, Error> {
    for _ in 0..STEPS_MAX {
        match turn(&context, &task).await {
            Ok(Some(again)) => return Ok(again),
            Ok(None) => {}
            // Whoever changed it has their own reasons: look again.
            Err(error) if error.is_conflict() => return Ok(Action::requeue(Duration::from_millis(200))),
            Err(error) => return Err(error),
        }
    }
    Ok(Action::requeue(Duration::ZERO))
}

/// One look and one step; when to look again, or at once.
async fn turn(context: &Context, task: &EtcdDefragmentation) -> Result<Option<Action>, Error> {
    let Some(seen) = see(context, task).await? else {
        return Ok(Some(Action::await_change()));
    };
    let planned = plan(&seen);
    write(context, &seen.task, &planned.status).await?;
    if seen.task.status.as_ref() != Some(&planned.status) {
        tell(context, &seen, &planned.status).await;
        // What was written is what the next write must follow, so it is read first.
        let waits = matches!(planned.step, Step::Over | Step::Wait(_));
        return Ok(waits.then(|| pause(&planned)));
    }
    act(context, &seen, &planned).await
}

fn pause(planned: &Plan) -> Action {
    match planned.step {
        Step::Wait(pause) => Action::requeue(pause),
        _ => Action::await_change(),
    }
}

/// None if it has gone, or there is nothing left to do.
async fn see(context: &Context, task: &EtcdDefragmentation) -> Result<Option<Seen>, Error> {
    let namespace = task.namespace().unwrap_or_default();
    let tasks = api(context, &namespace);
    let fresh = tasks.get_opt(&task.name_any()).await?;
    let open = |one: &EtcdDefragmentation| one.metadata.deletion_timestamp.is_none() && !is_over(one.status.as_ref());
    let Some(task) = fresh.filter(open) else {
        return Ok(None);
    };
    let all = tasks.list(&ListParams::default()).await?.items;
    let name = task.spec.cluster_ref.name.clone();
    let before = first_of(&all, &name).filter(|one| one.uid() != task.uid());
    Ok(Some(Seen {
        now: context.now(),
        before: before.map(ResourceExt::name_any),
        picture: look(context, &namespace, &name).await?,
        task,
    }))
}

async fn act(context: &Context, seen: &Seen, planned: &Plan) -> Result<Option<Action>, Error> {
    match (&planned.step, &seen.picture) {
        (Step::MoveLeader { from, to, why }, Picture::Seen(cluster)) => {
            let moved = context.etcd.move_leader(&cluster.access, from, *to).await;
            context.outlets.events.done(&seen.task, "MoveLeader", why).await;
            // Whoever leads now is seen by the next look.
            Ok(moved.err().map(|_| Action::requeue(CUT_OFF_AGAIN)))
        }
        (Step::Defragment { at, .. }, Picture::Seen(cluster)) => defragment(context, seen, planned, cluster, at).await,
        (Step::GoOn, _) => Ok(None),
        _ => Ok(Some(pause(planned))),
    }
}

async fn defragment(
    context: &Context,
    seen: &Seen,
    planned: &Plan,
    cluster: &Observed,
    at: &Endpoint,
) -> Result<Option<Action>, Error> {
    let began = context.now();
    let after_bytes = asked(context, seen, cluster, at).await;
    let outcome = Outcome {
        began,
        ended: context.now(),
        after_bytes,
    };
    let Some(status) = after(seen, &planned.status, outcome) else {
        return Ok(Some(Action::requeue(CUT_OFF_AGAIN)));
    };
    write(context, &seen.task, &status).await?;
    tell(context, seen, &status).await;
    Ok(None)
}

/// Bytes that it has allocated afterwards.
async fn asked(context: &Context, seen: &Seen, cluster: &Observed, at: &Endpoint) -> Result<i64, EtcdError> {
    let patience = Duration::from_secs(u64::try_from(seen.task.spec.timeout_seconds).unwrap_or(1));
    context.etcd.defragment(&cluster.access, at, patience).await?;
    Ok(context.etcd.facts(&cluster.access, at).await?.db_size_bytes)
}

/// Members that are done with since it was read, and its end.
async fn tell(context: &Context, seen: &Seen, status: &EtcdDefragmentationStatus) {
    let before = seen.task.status.clone().unwrap_or_default();
    let (events, metrics) = (&context.outlets.events, &context.outlets.metrics);
    for member in status.members.iter().skip(before.members.len()) {
        let note = match (&member.skipped, &member.error) {
            (Some(why), _) => format!("{} is left out: {why}", member.name),
            (_, Some(error)) => format!("{}: {error}", member.name),
            _ => format!(
                "{} had {} bytes and has {}",
                member.name, member.before_bytes, member.after_bytes
            ),
        };
        match member.error.is_some() {
            true => events.warn(&seen.task, "MemberFailed", &note).await,
            false => events.done(&seen.task, "MemberDone", &note).await,
        }
    }
    let (namespace, cluster) = (
        seen.task.namespace().unwrap_or_default(),
        &seen.task.spec.cluster_ref.name,
    );
    metrics.reclaimed(&namespace, cluster, status.reclaimed_bytes - before.reclaimed_bytes);
    if before.phase != status.phase && status.phase != DefragmentationPhase::Running {
        let message = status.message.as_deref().unwrap_or_default();
        match status.phase {
            DefragmentationPhase::Succeeded => events.done(&seen.task, "Defragmented", message).await,
            DefragmentationPhase::Failed => events.warn(&seen.task, "DefragmentationFailed", message).await,
            _ => return,
        }
        metrics.defragmented(&namespace, cluster, status.phase == DefragmentationPhase::Succeeded);
    }
}
