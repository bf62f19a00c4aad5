//! What every reconciliation works with.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::{Client, ResourceExt};
use taffrail_crds::EtcdCluster;

use crate::access::Gates;
use crate::cluster::Error;
use crate::cluster::plan::Plan;
use crate::etcd::Etcd;
use crate::events::Events;
use crate::metrics::Metrics;
use crate::poller::Watchlist;
use crate::refusals::Refusals;

/// What every reconciliation works with. Time enters here and nowhere else.
#[derive(Clone)]
pub struct Context {
    pub client: Client,
    pub etcd: Arc<dyn Etcd>,
    pub clock: Clock,
    pub settings: Arc<Settings>,
    pub outlets: Outlets,
}

/// Whom the operator tells what it does and sees. The default tells nobody.
#[derive(Clone, Default)]
pub struct Outlets {
    pub events: Events,
    pub metrics: Metrics,
    /// What the poller asks between two looks.
    pub watchlist: Watchlist,
    /// What status tells of besides what can be seen.
    pub refusals: Refusals,
    /// Between those who make users and roles and those who remove them.
    pub gates: Gates,
}

/// Tells the time: the system's, or a test's.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the operator was started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Image of members without their tag, which is the version: `ghcr.io/taffrail/taffrail`.
    pub image_repository: String,
    /// The operator's own image: it copies volumes. Absent: a survivor's data are kept aside by nobody, and recovery
    /// of a quorum is refused.
    pub operator_image: Option<String>,
    /// Domain of the Kubernetes cluster's services: `cluster.local`.
    pub cluster_domain: String,
    /// Members listen on `[::]` instead of `0.0.0.0`.
    pub ipv6: bool,
    /// How long an old authority is trusted beside the new one: what applications have to reload.
    pub authority_overlap: Duration,
    /// Between two looks at a cluster in which nothing happens.
    pub resync: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            image_repository: "ghcr.io/taffrail/taffrail".into(),
            operator_image: None,
            cluster_domain: "cluster.local".into(),
            ipv6: false,
            authority_overlap: Duration::from_secs(24 * 3600),
            resync: Duration::from_secs(300),
        }
    }
}

impl Context {
    /// Tells people what was done, and why; and what failed.
    pub async fn tell(&self, cluster: &EtcdCluster, plan: &Plan, failed: Option<&Error>) {
        tracing::info!(
            cluster = cluster.name_any(),
            step = plan.step.name(),
            why = plan.why,
            "step"
        );
        let events = &self.outlets.events;
        match failed {
            Some(error) => {
                let note = format!("{}: {}", plan.step.name(), plainly(error));
                events.warn(cluster, "StepFailed", &note).await;
            }
            None => {
                self.outlets.metrics.step(plan.step.name());
                if !plan.step.is_quiet() {
                    events.done(cluster, plan.step.name(), &plan.why).await;
                }
            }
        }
    }

    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// An API server's words without their wrapping.
fn plainly(error: &Error) -> String {
    match error {
        Error::Kubernetes(kube::Error::Api(status)) => status.message.clone(),
        other => other.to_string(),
    }
}
