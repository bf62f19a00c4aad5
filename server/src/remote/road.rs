//! Connections: to the endpoint whose turn it is, or else to the next one that can be dialled.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use taffrail_consensus::{Dialer, Wire};
use tonic::transport::{Channel, Endpoint, Uri};

use super::Pings;
use crate::tls::PeerDialer;

/// What may be on its way unread on one stream.
const WINDOW_BYTES: u32 = 4 << 20;

/// A connection that is made when it is needed.
pub struct Line {
    /// Which endpoint is tried first.
    pub first: usize,
    pub channel: Channel,
}

pub(super) struct Road {
    pub urls: Vec<String>,
    pub dialer: PeerDialer,
    pub dial_max: Duration,
    pub pings: Option<Pings>,
}

impl Road {
    pub fn line(road: &Arc<Road>, first: usize) -> Line {
        let dialled = Arc::clone(road);
        let connect = tower::service_fn(move |_: Uri| {
            let road = Arc::clone(&dialled);
            async move { road.dial_any(first).await.map(TokioIo::new) }
        });
        // Whom it is addressed to is the connector's business; a request still needs a name.
        let mut endpoint = Endpoint::from_static("http://etcd")
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(2 * WINDOW_BYTES);
        if let Some(pings) = &road.pings {
            endpoint = endpoint
                .http2_keep_alive_interval(pings.interval)
                .keep_alive_timeout(pings.timeout)
                .keep_alive_while_idle(pings.while_idle);
        }
        let channel = endpoint.connect_with_connector_lazy(connect);
        Line { first, channel }
    }

    async fn dial_any(&self, first: usize) -> io::Result<Box<dyn Wire>> {
        let mut last = io::Error::other("no endpoint is known");
        let (before, from) = self.urls.split_at(first);
        for url in from.iter().chain(before) {
            match self.dial(url).await {
                Ok(wire) => return Ok(wire),
                Err(error) => last = io::Error::new(error.kind(), format!("{url}: {error}")),
            }
        }
        Err(last)
    }

    pub async fn dial(&self, url: &str) -> io::Result<Box<dyn Wire>> {
        let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time"));
        let dialled = tokio::time::timeout(self.dial_max, self.dialer.dial(url)).await;
        dialled.unwrap_or_else(late)
    }
}
