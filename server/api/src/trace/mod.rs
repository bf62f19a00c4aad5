//! Spans of unary calls for a collector of traces, by OTLP over gRPC (opentelemetry.io/docs/specs/otlp).
//!
//! Enters: calls that began and ended. Leaves: batches of spans. Always holds: a call never waits for the collector;
//! what it cannot take is dropped and counted in the log; without a collector nothing here costs anything.

mod context;
mod export;
mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::http::HeaderMap;
use taffrail_proto::otlp;
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Endpoint;

use context::{Context, Ids, Sampler};
pub(crate) use span::Span;

use crate::metrics::grpc::Method;

/// Spans that wait for the collector; further ones are dropped.
const QUEUE_SPANS_MAX: usize = 2048;

/// Where spans go, and what they say of this process (etcd embed/config_tracing.go).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracingConfig {
    /// Host and port of the collector.
    pub address: String,
    pub service_name: String,
    /// Not told if it is empty.
    pub instance_id: String,
    /// Of a million calls that are not part of a trace already.
    pub sampled_per_million: u32,
}

/// The collector's address is none.
#[derive(Debug, thiserror::Error)]
#[error("--distributed-tracing-address={address} is not the address of a collector")]
pub struct NotACollector {
    address: String,
}

/// Work for the exporter.
enum Job {
    Span(Box<otlp::Span>),
    /// Send what there is, then tell.
    Flush(oneshot::Sender<()>),
}

/// Decides which calls are traced. There is one per process.
pub struct Tracer {
    ids: Ids,
    sampler: Sampler,
    jobs: mpsc::Sender<Job>,
    dropped_spans: Arc<AtomicU64>,
}

impl Tracer {
    /// Starts to export; the collector need not be there yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// An address that cannot be one.
    pub fn start(config: TracingConfig) -> Result<Arc<Self>, NotACollector> {
        let (jobs, queue) = mpsc::channel(QUEUE_SPANS_MAX);
        let endpoint = Endpoint::from_shared(format!("http://{}", config.address)).map_err(|_| NotACollector {
            address: config.address.clone(),
        })?;
        let dropped_spans = Arc::new(AtomicU64::new(0));
        let sampler = Sampler::new(config.sampled_per_million);
        tracing::info!(
            address = config.address,
            service_name = config.service_name,
            service_instance_id = config.instance_id,
            sampling_rate = config.sampled_per_million,
            "distributed tracing enabled"
        );
        tokio::spawn(export::run(endpoint, config, queue, Arc::clone(&dropped_spans)));
        Ok(Arc::new(Tracer {
            ids: Ids::new(),
            sampler,
            jobs,
            dropped_spans,
        }))
    }

    /// None for a call that is not sampled.
    pub(crate) fn begin(self: &Arc<Self>, method: Method, headers: &HeaderMap, remote: &str) -> Option<Box<Span>> {
        let parent = Context::read(headers);
        let trace_id = parent
            .as_ref()
            .map_or_else(|| self.ids.trace(), |parent| parent.trace_id);
        if !self.sampler.takes(parent.as_ref(), trace_id) {
            return None;
        }
        let parent_span_id = parent.map(|parent| parent.span_id);
        let span = Span::begin(
            Arc::clone(self),
            (trace_id, self.ids.span(), parent_span_id),
            method,
            remote,
        );
        Some(Box::new(span))
    }

    fn ended(&self, span: otlp::Span) {
        if self.jobs.try_send(Job::Span(Box::new(span))).is_err() {
            self.dropped_spans.fetch_add(1, Relaxed);
        }
    }

    /// Returns once what ended before the call was sent, or could not be.
    pub async fn flush(&self) {
        let (tell, flushed) = oneshot::channel();
        if self.jobs.send(Job::Flush(tell)).await.is_ok() {
            // An exporter that is gone has nothing to send.
            let _ = flushed.await;
        }
    }
}
