//! One look after another, a step between each two.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::controller::Action;
use taffrail_crds::EtcdCluster;

use super::act::{Act, Outcome};
use super::observe::{self, Observed};
use super::plan::{Plan, Step, plan};
use super::status::{self, Beside};
use super::wanted::{Wanted, wanted};
use super::{Error, children, restore, secure};
use crate::context::Context;
use crate::names::Names;
use crate::poller::{Key, Watched};
use crate::problem::Problem;

/// Steps of one call; then others have their turn.
const STEPS_MAX: usize = 24;
/// How soon a cluster with an unhealthy member is looked at again: its time to be replaced may have come.
const UNHEALTHY_AGAIN: Duration = Duration::from_secs(5);

/// Brings one cluster nearer to what is declared.
///
/// # Errors
/// What Kubernetes or etcd said; nothing is lost by calling again.
pub async fn reconcile(cluster: Arc<EtcdCluster>, context: Arc<Context>) -> Result<Action, Error> {
    for number in 0..STEPS_MAX {
        let Some(fresh) = read(&context, &cluster).await? else {
            return Ok(Action::await_change());
        };
        let turn = Turn::look(&context, fresh, number == 0).await?;
        match turn.take(&context).await {
            Ok(Some(again)) => return Ok(again),
            Ok(None) => {}
            // Whoever changed it has their own reasons: look again.
            Err(error) if error.is_conflict() => return Ok(Action::requeue(Duration::from_millis(200))),
            Err(error) => return Err(error),
        }
    }
    Ok(Action::requeue(Duration::ZERO))
}

/// As it is now; `None` if it has gone or is going. What it leaves behind is the garbage collector's.
async fn read(context: &Context, cluster: &EtcdCluster) -> Result<Option<Arc<EtcdCluster>>, Error> {
    let api: Api<EtcdCluster> = Api::namespaced(context.client.clone(), &cluster.namespace().unwrap_or_default());
    let fresh = api.get_opt(&cluster.name_any()).await?;
    Ok(fresh
        .filter(|one| one.metadata.deletion_timestamp.is_none())
        .map(Arc::new))
}

/// One look, and what is to be done after it.
struct Turn {
    seen: Observed,
    wanted: Wanted,
    plan: Plan,
}

impl Turn {
    async fn look(context: &Context, cluster: Arc<EtcdCluster>, first: bool) -> Result<Self, Error> {
        let names = Names::of(&cluster, &context.settings.cluster_domain);
        let objects = observe::objects(context, &cluster).await?;
        let mut seen = Observed::of(cluster, names, context.now(), objects);
        if first && !seen.cluster.spec.paused {
            children::apply(context, &mut seen).await?;
        }
        let certificates = secure::certificates(context, &mut seen).await?;
        seen.access.user = super::auth::user(context, &seen.cluster).await?;
        observe::ask(context, &mut seen).await;
        let auth_enabled = secure::passwords(context, &mut seen).await?;
        watch(context, &seen);
        let certificates = secure::rotate(context, &mut seen, certificates).await?;
        restore::look(context, &mut seen).await?;
        let (wanted, plan) = decide(context, &mut seen);
        if !matches!(plan.step, Step::Nothing | Step::Wait(_)) {
            seen.problems.extend(context.outlets.refusals.of(&key(&seen)));
        }
        let beside = Beside {
            certificates,
            auth_enabled,
        };
        let told = status::status(&seen, &wanted, &plan, &beside);
        status::write(context, &seen, &told).await?;
        // What was just written is what the next write must follow.
        if let Some(written) = read(context, &seen.cluster).await? {
            seen.cluster = written;
        }
        Ok(Self { seen, wanted, plan })
    }

    /// When to look again, or at once.
    async fn take(&self, context: &Context) -> Result<Option<Action>, Error> {
        match &self.plan.step {
            Step::Nothing | Step::Wait(_) => {
                context.outlets.refusals.forget(&key(&self.seen));
                Ok(Some(Action::requeue(self.pause(context))))
            }
            step => {
                let act = Act {
                    context,
                    seen: &self.seen,
                    wanted: &self.wanted,
                };
                let outcome = act.take(step).await;
                context.outlets.refusals.note(key(&self.seen), outcome.as_ref().err());
                context
                    .tell(&self.seen.cluster, &self.plan, outcome.as_ref().err())
                    .await;
                Ok((outcome? == Outcome::NotYet).then(|| Action::requeue(Duration::from_secs(1))))
            }
        }
    }

    fn pause(&self, context: &Context) -> Duration {
        match &self.plan.step {
            Step::Wait(pause) => *pause,
            _ => self.rest(context),
        }
    }

    fn rest(&self, context: &Context) -> Duration {
        let sick = self.seen.members.iter().any(|member| !member.is_healthy());
        let rotating = self
            .seen
            .cluster
            .status
            .iter()
            .any(|status| status.certificates.iter().any(|one| one.rotation.is_some()));
        match (sick && self.wanted.replicas > 0) || rotating {
            true => UNHEALTHY_AGAIN,
            false => context.settings.resync,
        }
    }
}

fn key(seen: &Observed) -> Key {
    (seen.names.namespace.clone(), seen.names.cluster.clone())
}

/// The poller asks them the same way until the next look.
fn watch(context: &Context, seen: &Observed) {
    let watched = Watched {
        access: seen.access.clone(),
        members: seen.members.iter().filter_map(|member| seen.endpoint(member)).collect(),
    };
    context.outlets.watchlist.set(key(seen), watched);
}

/// What is declared may not be possible; then nothing but the status changes.
fn decide(context: &Context, seen: &mut Observed) -> (Wanted, Plan) {
    let mounts = secure::mounts(&seen.cluster, &seen.names, &seen.members);
    let wanted = match wanted(seen, &context.settings, mounts.clone()) {
        Ok(wanted) => wanted,
        Err(problem) => {
            seen.problems.insert(0, problem.clone());
            return (
                Wanted::impossible(seen, &context.settings, mounts, &problem),
                stuck(&problem),
            );
        }
    };
    seen.problems.extend(wanted.blocks_roll.clone());
    let locked_out = seen.cluster.spec.tls.client.is_on() && seen.access.tls.is_none() && !seen.members.is_empty();
    let decided = match seen.blocked_pods.clone().filter(|_| locked_out) {
        Some(problem) => stuck(&problem),
        None => plan(seen, &wanted),
    };
    (wanted, decided)
}

fn stuck(problem: &Problem) -> Plan {
    Plan::stuck(
        super::plan::Phase::Invalid,
        format!("{}: {}", problem.reason, problem.message),
    )
}
