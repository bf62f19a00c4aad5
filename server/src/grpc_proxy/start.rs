//! From flags to a proxy that serves.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use taffrail_proto::etcdserverpb::watch_server::WatchServer;

use super::args::Start;
use super::cluster::Advertised;
use super::counts::Counts;
use super::keys::Namespace;
use super::pages::{self, Pages};
use super::service::Service;
use super::watch::{Hub, WatchProxy};
use super::{config, register};
use crate::boot::told_to_stop;
use crate::remote::Remote;
use crate::serve::{Door, Knock};
use crate::telemetry;

pub(super) fn run(start: &Start) -> Result<()> {
    config::check(start)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(start));
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(start: &Start) -> Result<()> {
    for name in start.without_meaning.given() {
        tracing::warn!("--{name} has no meaning here and is ignored");
    }
    let tls = config::listener(start)?.map(Arc::new);
    let door = Door::open(&config::place(&start.listen_addr, tls.is_some())?, false, tls.as_ref())?;
    let address = &start.listen_addr;
    tracing::info!(address, "listening for gRPC proxy client requests");
    let remote = Remote::new(config::upstream(start).await?)?;
    tracing::info!(endpoints = format!("{:?}", remote.urls()), "proxying");
    let service = service(start, &remote);
    let builder = builder(start);
    if !start.metrics_addr.is_empty() {
        let place = config::metrics_place(&start.metrics_addr)?;
        let metrics = Door::open(&place, false, tls.as_ref())?;
        tracing::info!(address = start.metrics_addr, "gRPC proxy listening for metrics");
        tokio::spawn(accept(metrics, service.without_grpc(), builder.clone()));
    }
    if !start.resolver_prefix.is_empty() {
        let (advertised, ttl_s) = (service.advertised.clone(), start.resolver_ttl);
        tokio::spawn(register::keep(remote, advertised, ttl_s));
    }
    tracing::info!(address, "started gRPC proxy");
    telemetry::tell_systemd();
    tokio::select! {
        () = accept(door, service, builder) => {}
        signal = told_to_stop() => tracing::info!(signal = signal?, "received signal, shutting down"),
    }
    Ok(())
}

fn service(start: &Start, remote: &Arc<Remote>) -> Service {
    let counts = Arc::new(Counts::default());
    let hub = Hub::new(remote.clone(), counts.clone());
    let space = Arc::new(Namespace::new(&start.namespace));
    let pages = pages::routes(Pages {
        remote: remote.clone(),
        counts: counts.clone(),
        hub: hub.clone(),
    });
    Service {
        remote: remote.clone(),
        watch: WatchServer::new(WatchProxy::new(hub, space.clone())),
        space,
        advertised: Arc::new(Advertised {
            url: start.advertise_client_url.clone(),
            prefix: start.resolver_prefix.clone(),
        }),
        counts,
        pages,
        grpc: true,
    }
}

fn builder(start: &Start) -> Builder<TokioExecutor> {
    let pings = Some(start.grpc_keepalive_interval).filter(|pause| !pause.is_zero());
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(start.max_concurrent_streams)
        .keep_alive_interval(pings)
        .keep_alive_timeout(start.grpc_keepalive_timeout);
    builder
}

/// Never ends by itself; who is in is served until the process ends.
async fn accept(door: Door, service: Service, builder: Builder<TokioExecutor>) {
    loop {
        let knock = door.knock().await;
        tokio::spawn(talk(knock, service.clone(), builder.clone()));
    }
}

async fn talk(knock: Knock, service: Service, builder: Builder<TokioExecutor>) {
    let Some((stream, _)) = knock.enter().await else { return };
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(error, "a connection ended badly");
    }
}
