//! One accepted connection: HTTP/1 or HTTP/2, gRPC or plain.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::http::{Request, Response, header};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use taffrail_api::{ClientCertificate, Encrypted, Grpc, Metrics};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::Service as _;

use super::counted::Counted;
use super::door::{Door, Knock, SILENCE_MAX, Stream};
use crate::config::Config;
use crate::tls::Either as Secured;

/// Which requests a port answers.
#[derive(Clone)]
pub(super) struct Service {
    grpc: Option<Grpc>,
    routes: Router,
    /// Whose requests these are, once a connection has shown it.
    certificate: Option<ClientCertificate>,
    encrypted: bool,
    /// Where the connection comes from.
    remote: Arc<str>,
}

type Body = Either<tonic::body::Body, axum::body::Body>;

/// The answer of either side; only the rarer one is boxed.
pub(super) enum Answer {
    Grpc(taffrail_api::Answer),
    Page(Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>),
}

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Answer::Grpc(answer) => Pin::new(answer).poll(cx).map_ok(|response| response.map(Either::Left)),
            Answer::Page(answer) => answer.as_mut().poll(cx),
        }
    }
}

impl Service {
    pub fn new(grpc: Option<Grpc>, routes: Router) -> Self {
        Service {
            grpc,
            routes,
            certificate: None,
            encrypted: false,
            remote: Arc::from(""),
        }
    }

    fn of(&self, stream: &Stream, certificate: Option<ClientCertificate>, remote: Arc<str>) -> Self {
        Service {
            certificate,
            encrypted: matches!(stream, Secured::Right(_)),
            remote,
            ..self.clone()
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, mut request: Request<Incoming>) -> Answer {
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        if self.encrypted {
            request.extensions_mut().insert(Encrypted);
        }
        match &self.grpc {
            Some(grpc) if is_grpc(&request) => Answer::Grpc(grpc.call(request, &self.remote)),
            _ => {
                let answer = self.routes.clone().call(request);
                Answer::Page(Box::pin(async move { Ok(answer.await?.map(Either::Right)) }))
            }
        }
    }
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let content = request.headers().get(header::CONTENT_TYPE);
    content.is_some_and(|content| content.as_bytes().starts_with(b"application/grpc"))
}

/// How connections are spoken with.
#[derive(Clone)]
pub(super) struct Connections {
    builder: Builder<TokioExecutor>,
    metrics: Arc<Metrics>,
    stopped: watch::Receiver<bool>,
}

impl Connections {
    pub fn new(config: &Config, metrics: Arc<Metrics>, stopped: watch::Receiver<bool>) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(SILENCE_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(config.connection_streams_max)
            .keep_alive_interval(config.ping_interval)
            .keep_alive_timeout(config.ping_timeout);
        Connections {
            builder,
            metrics,
            stopped,
        }
    }

    /// Accepts from when the door opens until told to stop, then waits for its connections.
    pub async fn accept(mut self, door: Door, service: Service, mut opened: watch::Receiver<bool>) {
        let mut open = JoinSet::new();
        tokio::select! {
            () = told(&mut opened) => {}
            () = told(&mut self.stopped) => return,
        }
        loop {
            tokio::select! {
                () = told(&mut self.stopped) => break,
                knock = door.knock() => drop(open.spawn(self.clone().welcome(knock, service.clone()))),
                Some(_) = open.join_next() => {}
            }
        }
        drop(door);
        while open.join_next().await.is_some() {}
    }

    async fn welcome(mut self, knock: Knock, service: Service) {
        let remote = knock.remote();
        let entered = tokio::select! {
            entered = knock.enter() => entered,
            () = told(&mut self.stopped) => None,
        };
        if let Some((stream, certificate)) = entered {
            let service = service.of(&stream, certificate, remote);
            self.talk(stream, service).await;
        }
    }

    async fn talk(mut self, stream: Stream, service: Service) {
        let io = TokioIo::new(Counted::new(stream, Arc::clone(&self.metrics)));
        let mut connection = pin!(self.builder.serve_connection_with_upgrades(io, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = told(&mut self.stopped) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error, "a connection ended badly");
        }
    }
}

/// Resolves when the ports are to be opened, or closed.
async fn told(told: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to tell us, which is as good as being told.
    let _ = told.wait_for(|told| *told).await;
}
