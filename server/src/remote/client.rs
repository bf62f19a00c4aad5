//! Questions for whichever endpoint answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use arc_swap::ArcSwap;
use taffrail_consensus::Wire;
use tonic::{Code, Response, Status};

use super::road::{Line, Road};
use super::sign::{Signed, Tokens};
use super::{RemoteConfig, endpoint};
use crate::tls::PeerDialer;

pub struct Remote {
    road: Arc<Road>,
    line: ArcSwap<Line>,
    tokens: Tokens,
    request_max: Duration,
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
