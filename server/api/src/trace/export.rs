//! Spans on their way to the collector, many to a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use taffrail_proto::otlp::trace_service_client::TraceServiceClient;
use taffrail_proto::otlp::{
    ExportTraceServiceRequest, InstrumentationScope, Resource, ResourceSpans, ScopeSpans, Span,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};

use super::span::text;
use super::{Job, TracingConfig};

/// Spans of one call, and how long the first of them waits for others.
const BATCH_SPANS_MAX: usize = 512;
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// How long the collector has for an answer.
const EXPORT_PATIENCE: Duration = Duration::from_secs(10);

/// Runs until nobody traces any more.
pub(super) async fn run(
    endpoint: Endpoint,
    config: TracingConfig,
    mut jobs: mpsc::Receiver<Job>,
    dropped_spans: Arc<AtomicU64>,
) {
    let channel = endpoint.timeout(EXPORT_PATIENCE).connect_lazy();
    let mut exporter = Exporter {
        client: TraceServiceClient::new(channel),
        resource: resource(&config),
        failing: false,
        dropped_spans,
    };
    while let Some(first) = jobs.recv().await {
        let (spans, flushed) = batch(first, &mut jobs).await;
        exporter.export(spans).await;
        // Nobody may wait for it any more.
        if let Some(tell) = flushed {
            let _ = tell.send(());
        }
    }
}

/// What comes within a moment, and who waits for it to be sent.
async fn batch(first: Job, jobs: &mut mpsc::Receiver<Job>) -> (Vec<Span>, Option<oneshot::Sender<()>>) {
    let (until, mut spans, mut next) = (Instant::now() + BATCH_DELAY, Vec::new(), Some(first));
    while let Some(job) = next.take() {
        match job {
            Job::Flush(tell) => return (spans, Some(tell)),
            Job::Span(span) => spans.push(*span),
        }
        if spans.len() < BATCH_SPANS_MAX {
            next = tokio::time::timeout_at(until, jobs.recv()).await.ok().flatten();
        }
    }
    (spans, None)
}

struct Exporter {
    client: TraceServiceClient<Channel>,
    resource: Resource,
    /// Told once, until it works again.
    failing: bool,
    dropped_spans: Arc<AtomicU64>,
}

impl Exporter {
    async fn export(&mut self, spans: Vec<Span>) {
        if spans.is_empty() {
            return;
        }
        let lost = spans.len() as u64;
        match self.client.export(self.request(spans)).await {
            Ok(_) => self.tell_dropped(),
            Err(status) => {
                self.dropped_spans.fetch_add(lost, Relaxed);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%status, "traces cannot be exported; spans are dropped until they can");
                }
            }
        }
    }

    fn tell_dropped(&mut self) {
        self.failing = false;
        let spans = self.dropped_spans.swap(0, Relaxed);
        if spans > 0 {
            tracing::warn!(spans, "dropped spans that the collector could not take in time");
        }
    }

    fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope {
            name: "taffrail".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope),
                    spans,
                }],
            }],
        }
    }
}

fn resource(config: &TracingConfig) -> Resource {
    let mut attributes = vec![text("service.name", &config.service_name)];
    if !config.instance_id.is_empty() {
        attributes.push(text("service.instance.id", &config.instance_id));
    }
    Resource { attributes }
}
