//! A collector of traces that keeps what it is told, speaking OTLP over gRPC.

use std::sync::{Arc, Mutex, PoisonError};

use taffrail_proto::otlp::trace_service_server::{TraceService, TraceServiceServer};
use taffrail_proto::otlp::{ExportTraceServiceRequest, ExportTraceServiceResponse, KeyValue, Span, any_value};
use tonic::{Request, Response, Status};

use crate::wait;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

pub struct Collector {
    kept: Kept,
    address: String,
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse {}))
    }
}

impl Collector {
    /// Listens until the test ends.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address").to_string();
        let kept = Kept::default();
        let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(kept.clone()));
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        tokio::spawn(server.serve_with_incoming(incoming));
        Collector { kept, address }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    fn exports(&self) -> Vec<ExportTraceServiceRequest> {
        self.kept.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Span> {
        let exports = self.exports().into_iter().flat_map(|export| export.resource_spans);
        exports
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }

    /// The first span of this name, once it is there.
    pub async fn span(&self, name: &str) -> Span {
        wait::until(name, async || self.spans().into_iter().find(|span| span.name == name)).await
    }

    /// What the sender says of itself.
    pub fn resource(&self) -> Vec<KeyValue> {
        let exports = self.exports().into_iter().flat_map(|export| export.resource_spans);
        exports
            .filter_map(|spans| spans.resource)
            .flat_map(|resource| resource.attributes)
            .collect()
    }
}

/// An attribute in words.
pub fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        any_value::Value::BoolValue(flag) => Some(flag.to_string()),
        any_value::Value::IntValue(number) => Some(number.to_string()),
    }
}
