//! The operator as a process: listen, wait for the kinds, be the one who acts, act, and go in peace.

mod access;
mod controller;
mod kinds;
mod others;
mod upkeep;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::args::Run;
use crate::context::{Context, Outlets};
use crate::etcd::EtcdClient;
use crate::events::Events;
use crate::health::{self, Readiness};
use crate::leader::{Candidate, Terms};
use crate::rbac::LEASE;
use crate::{backoff, telemetry};
use controller::Work;
pub use kinds::yaml as kinds;

/// The Lease was lost: nothing may be done any more, not even in peace.
const LEASE_LOST: i32 = 3;

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// If the operator cannot start, or stops by a mistake of its own.
pub fn run(args: Run) -> Result<()> {
    telemetry::start(&args.log_level, args.log_format)?;
    // Whoever linked another provider too: this one is meant.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Runtime::new()?.block_on(operate(args))
}

async fn operate(args: Run) -> Result<()> {
    let client = Client::try_default()
        .await
        .context("cannot find the Kubernetes cluster")?;
    let me = identity();
    let readiness = Readiness::default();
    let context = Arc::new(context(&args, client.clone(), &me));
    listen(&args, &context, &readiness).await?;
    let (mut stop, namespaces) = (on_signal()?, args.namespaces());
    tokio::select! {
        () = kinds::wait(&client, &namespaces) => readiness.kinds_are_there(),
        _ = stop.wait_for(|stopped| *stopped) => return Ok(()),
    }
    let work = Work::new(context, args.clone());
    match args.leader_elect {
        true => lead(candidate(&args, client, me), work, readiness, stop).await,
        false => work.run(readiness, stop).await,
    }
}

fn context(args: &Run, client: Client, me: &str) -> Context {
    let resolv_conf = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let settings = args.settings(&resolv_conf);
    tracing::info!(?settings, version = env!("CARGO_PKG_VERSION"), "begins");
    Context {
        etcd: Arc::new(EtcdClient::default()),
        clock: Arc::new(Timestamp::now),
        settings: Arc::new(settings),
        outlets: Outlets {
            events: Events::new(client.clone(), me.into()),
            ..Outlets::default()
        },
        client,
    }
}

async fn listen(args: &Run, context: &Context, readiness: &Readiness) -> Result<()> {
    let metrics = health::metrics(context.outlets.metrics.clone());
    let addresses = [
        (args.health_address, health::health(readiness.clone())),
        (args.metrics_address, metrics),
    ];
    for (address, router) in addresses {
        let listening = health::serve(address, router).await;
        listening.with_context(|| format!("cannot listen on {address}"))?;
    }
    Ok(())
}

/// Acts while the Lease is held. Who loses it stops in the middle of whatever it does: another may have begun.
async fn lead(mut candidate: Candidate, work: Work, readiness: Readiness, stop: watch::Receiver<bool>) -> Result<()> {
    let mut stopped = stop.clone();
    tokio::select! {
        () = candidate.acquire() => tracing::info!("leads"),
        _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
    }
    let ended = tokio::select! {
        ended = work.run(readiness, stop) => ended,
        () = candidate.hold() => {
            tracing::error!("the Lease is lost");
            std::process::exit(LEASE_LOST);
        }
    };
    candidate.release().await;
    ended
}

fn candidate(args: &Run, client: Client, me: String) -> Candidate {
    let namespace = args
        .lease_namespace
        .clone()
        .unwrap_or_else(|| client.default_namespace().into());
    Candidate::new(client, &namespace, LEASE, me, Terms::default())
}

/// No two operators have the same, not even one that was started again.
fn identity() -> String {
    let name = std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME"));
    let digits: String = (0..4).map(|_| format!("{:02x}", backoff::chance())).collect();
    format!("{}_{digits}", name.unwrap_or_else(|_| "taffrail-operator".into()))
}

/// True once the process is told to end.
fn on_signal() -> Result<watch::Receiver<bool>> {
    let (send, receive) = watch::channel(false);
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        tracing::info!("ends: the running steps are finished first");
        send.send_replace(true);
        // Whoever waits has its own copy.
        send.closed().await;
    });
    Ok(receive)
}
