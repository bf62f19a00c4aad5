//! The peer port: where the other members come in. Client requests are not answered here.

use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use taffrail_consensus::PeerService;
use tokio::task::JoinSet;

use super::door::{Door, Knock};

/// What may be on its way unread on one stream.
const WINDOW_BYTES: u32 = 16 << 20;

/// Accepts peers until dropped; every connection ends with it.
pub struct Peers {
    _loops: JoinSet<()>,
}

impl Peers {
    /// `dead_after` bounds how long a connection may be silent.
    pub fn serve(doors: Vec<Door>, service: &PeerService, dead_after: Duration) -> Self {
        let mut loops = JoinSet::new();
        for door in doors {
            tracing::info!(address = %door.place.address, "serving peer traffic");
            loops.spawn(accept(door, service.clone(), dead_after));
        }
        Peers { _loops: loops }
    }
}

async fn accept(door: Door, service: PeerService, dead_after: Duration) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            knock = door.knock() => drop(open.spawn(talk(knock, service.clone(), dead_after))),
            Some(_) = open.join_next() => {}
        }
    }
}

async fn talk(knock: Knock, service: PeerService, dead_after: Duration) {
    let Some((stream, _)) = knock.enter().await else {
        return;
    };
    let mut builder = Builder::new(TokioExecutor::new()).http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(2 * WINDOW_BYTES)
        .keep_alive_interval(dead_after / 2)
        .keep_alive_timeout(dead_after / 2);
    let ended = builder
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
    if let Err(error) = ended {
        tracing::debug!(error, "a peer's connection ended");
    }
}
