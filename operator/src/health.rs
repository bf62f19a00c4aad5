//! Whether the operator lives and is ready, and its metrics: two listeners, so that each can be open to others.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// Ready: the kinds are there, and whoever leads has seen every object. Leading is no part of it: of two operators
/// both are ready.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Inner>);

#[derive(Default)]
struct Inner {
    kinds: AtomicBool,
    unsynced: AtomicUsize,
}

impl Readiness {
    pub fn kinds_are_there(&self) {
        self.0.kinds.store(true, Ordering::Release);
    }

    /// So many stores are being filled from now on.
    pub fn fills(&self, stores: usize) {
        self.0.unsynced.store(stores, Ordering::Release);
    }

    /// One of them is full.
    pub fn filled(&self) {
        self.0.unsynced.fetch_sub(1, Ordering::AcqRel);
    }

    fn said(&self) -> (StatusCode, &'static str) {
        if !self.0.kinds.load(Ordering::Acquire) {
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                "the kinds of etcd.taffrail.dev are not there, or may not be listed\n",
            );
        }
        match self.0.unsynced.load(Ordering::Acquire) {
            0 => (StatusCode::OK, "ok\n"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "not every object has been seen yet\n"),
        }
    }
}

pub fn health(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route(
            "/readyz",
            get(async |State(readiness): State<Readiness>| readiness.said()),
        )
        .with_state(readiness)
}

pub fn metrics(metrics: Metrics) -> Router {
    Router::new()
        .route("/metrics", get(async |State(metrics): State<Metrics>| told(&metrics)))
        .with_state(metrics)
}

fn told(metrics: &Metrics) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let kind = [("content-type", "text/plain; version=0.0.4")];
    match metrics.text() {
        Ok(text) => (StatusCode::OK, kind, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, kind, error.to_string()),
    }
}

/// Serves until the process ends.
///
/// # Errors
/// If the address cannot be had.
pub async fn serve(address: SocketAddr, router: Router) -> std::io::Result<()> {
    let listener = listen(address).await?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// `[::]` takes IPv4 too; a machine without IPv6 has `0.0.0.0` alone.
async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) if address.is_ipv6() && address.ip().is_unspecified() => {
            let plain = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            TcpListener::bind(plain).await.map_err(|_| error)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_kinds_and_stores_and_not_leading() {
        let readiness = Readiness::default();
        let ready = || readiness.said().0 == StatusCode::OK;
        assert!(!ready());
        readiness.kinds_are_there();
        assert!(ready(), "one that waits for the Lease is ready");
        readiness.fills(2);
        readiness.filled();
        assert!(!ready());
        readiness.filled();
        assert!(ready());
    }
}
