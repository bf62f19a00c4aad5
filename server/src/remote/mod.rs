//! A client of some other etcd, by whatever endpoint of it answers.
//!
//! Enters: endpoints, what proves them and us, and calls. Leaves: answers, or a status. Always holds: one connection at
//! a time; when it breaks, or its member says that it is unavailable, the next endpoint's turn has come, and calls
//! under way are not disturbed by that. A password is sent for a token, never with a call.

mod config;
mod endpoint;
mod range;
mod sign;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use arc_swap::ArcSwap;
use hyper_util::rt::TokioIo;
use taffrail_consensus::{Dialer, Wire};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Response, Status};

use crate::tls::PeerDialer;

pub use config::{Pings, RemoteConfig, User};
pub use range::after_prefix;
pub use sign::Signed;
use sign::Tokens;

/// What may be on its way unread on one stream.
const WINDOW_BYTES: u32 = 4 << 20;

pub struct Remote {
    road: Arc<Road>,
    line: ArcSwap<Line>,
    tokens: Tokens,
    request_max: Duration,
}

/// A connection that is made when it is needed.
pub struct Line {
    /// Which endpoint is tried first.
    first: usize,
    pub channel: Channel,
}

struct Road {
    urls: Vec<String>,
    dialer: PeerDialer,
    dial_max: Duration,
    pings: Option<Pings>,
}

impl Remote {
    /// Dials nobody yet.
    ///
    /// # Errors
    /// An endpoint that is none, or a file that cannot be used.
    pub fn new(config: RemoteConfig) -> Result<Arc<Self>> {
        let secure = config.security.is_some();
        let urls: Result<Vec<_>> = config
            .endpoints
            .iter()
            .map(|each| endpoint::url(each, secure))
            .collect();
        let road = Arc::new(Road {
            urls: urls?,
            dialer: PeerDialer::new(config.security.unwrap_or_default(), config.offer)?,
            dial_max: config.dial_max,
            pings: config.pings,
        });
        ensure!(!road.urls.is_empty(), "no endpoints found");
        Ok(Arc::new(Remote {
            line: ArcSwap::from_pointee(Road::line(&road, 0)),
            road,
            tokens: Tokens::of(config.user),
            request_max: config.request_max,
        }))
    }

    pub fn line(&self) -> Arc<Line> {
        self.line.load_full()
    }

    /// The URL whose turn it is.
    pub fn url(&self) -> &str {
        let first = self.line().first;
        &self.road.urls[first]
    }

    pub fn urls(&self) -> &[String] {
        &self.road.urls
    }

    /// A connection of its own to one of the URLs.
    pub async fn dial(&self, url: &str) -> io::Result<Box<dyn Wire>> {
        self.road.dial(url).await
    }

    /// The next endpoint's turn has come, unless somebody else has seen that already.
    pub fn move_on(&self, from: &Arc<Line>) {
        let next = (from.first + 1) % self.road.urls.len();
        let line = Arc::new(Road::line(&self.road, next));
        self.line.compare_and_swap(from, line);
    }

    /// One question, of each endpoint in turn until one is available. It may be heard more than once.
    ///
    /// # Errors
    /// What the last one said.
    pub async fn ask<A, F>(&self, call: impl Fn(Signed) -> F) -> Result<A, Status>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut last = Status::unavailable("no endpoint answers");
        for _ in &self.road.urls {
            let line = self.line();
            match self.ask_on(&line, &call).await {
                Err(status) if status.code() == Code::Unavailable => last = status,
                answer => return answer,
            }
            self.move_on(&line);
        }
        Err(last)
    }

    async fn ask_on<A, F>(&self, line: &Line, call: &impl Fn(Signed) -> F) -> Result<A, Status>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let signed = self.within(self.tokens.sign(line.channel.clone())).await?;
        match self.within(call(signed)).await {
            Err(status) if Tokens::is_worn_out(&status) => {
                self.tokens.forget().await;
                let signed = self.within(self.tokens.sign(line.channel.clone())).await?;
                self.within(call(signed)).await
            }
            answer => answer,
        }
        .map(Response::into_inner)
    }

    /// For a call that the caller makes: a stream.
    ///
    /// # Errors
    /// Without a token where one is needed.
    pub async fn signed(&self) -> Result<Signed, Status> {
        self.within(self.tokens.sign(self.line().channel.clone())).await
    }

    async fn within<A>(&self, call: impl Future<Output = Result<A, Status>>) -> Result<A, Status> {
        let late = |_| Err(Status::unavailable("no answer in time"));
        tokio::time::timeout(self.request_max, call).await.unwrap_or_else(late)
    }
}

impl Road {
    fn line(road: &Arc<Road>, first: usize) -> Line {
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

    async fn dial(&self, url: &str) -> io::Result<Box<dyn Wire>> {
        let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time"));
        let dialled = tokio::time::timeout(self.dial_max, self.dialer.dial(url)).await;
        dialled.unwrap_or_else(late)
    }
}
