//! The wire, as etcd speaks it.
//!
//! Enters: gRPC calls and HTTP requests of the client port. Leaves: etcd's answers, to the letter. Always holds:
//! below this room nobody knows status codes, error texts or headers; a request that reaches the member is well
//! formed. One file per etcd service.

mod auth;
mod caller;
mod certificate;
mod check;
mod cluster;
mod election;
mod errand;
mod frame;
mod gateway;
mod grpc;
mod header;
mod health;
mod http;
mod kv;
mod lease;
mod lock;
mod maintenance;
pub mod metrics;
mod profile;
mod queue;
mod range_stream;
mod slow;
mod status;
mod time;
mod trace;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use taffrail_member::Member;

pub use certificate::{ClientCertificate, Encrypted};
pub use grpc::{Answer, Grpc};
pub use http::{Allowed, HttpConfig, client_routes, metrics_routes};
pub use metrics::Metrics;
pub use profile::{Sampled, watch as watch_allocations};
pub use time::timestamp;
pub use trace::{NotACollector, Tracer, TracingConfig};

/// What a request may ask for at most.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Operations or compares of one transaction, nested ones included along each path.
    pub txn_ops_max: usize,
    /// Encoded size of one request; a little more is let in so that etcd's own error can be given.
    pub request_bytes_max: usize,
    /// The storage version that snapshots and `Status` tell.
    pub storage_version: String,
    /// Histograms of handling times, which cost memory per method.
    pub extensive_metrics: bool,
    /// Unary calls that take longer are worth a line.
    pub warning_unary_request_duration: Duration,
    /// Health checkers are told to go elsewhere while a defragmentation runs.
    pub stop_on_defrag: bool,
    /// Shown by the metrics.
    pub features: Vec<Feature>,
    /// What plain HTTP may ask for.
    pub http: HttpConfig,
}

/// A feature gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    pub name: &'static str,
    /// How final it is: `ALPHA` or `BETA`.
    pub stage: &'static str,
    pub enabled: bool,
}

/// What transport adds to a request's size before it refuses by itself (etcd grpc.go).
pub(crate) const GRPC_OVERHEAD_BYTES: usize = 512 << 10;

/// Every etcd service on top of one member.
#[derive(Clone)]
pub struct Api(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub member: Member,
    pub config: ApiConfig,
    pub metrics: Arc<Metrics>,
    pub slow: slow::Slow,
    pub defragmenting: health::Defragmenting,
    /// None where nobody collects traces.
    pub tracer: Option<Arc<Tracer>>,
}

impl Api {
    pub fn new(member: Member, config: ApiConfig, metrics: Arc<Metrics>, tracer: Option<Arc<Tracer>>) -> Self {
        Api(Arc::new(Inner {
            slow: slow::Slow::new(config.warning_unary_request_duration),
            defragmenting: health::Defragmenting::default(),
            member,
            config,
            metrics,
            tracer,
        }))
    }

    pub(crate) fn member(&self) -> &Member {
        &self.0.member
    }

    /// Whether callers must say who they are.
    pub(crate) fn auth_is_enabled(&self) -> bool {
        self.member().auth_is_enabled()
    }
}
