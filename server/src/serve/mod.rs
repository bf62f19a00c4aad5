//! The listeners: one port for gRPC and HTTP, maybe more for HTTP or metrics alone; drained on shutdown.

mod connection;
mod counted;
mod door;
mod peers;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use taffrail_api::{Api, Grpc, Metrics};
use taffrail_consensus::PeerService;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{Config, Place};
use crate::tls::{Listener, Tls};
use connection::{Connections, Service};
pub use door::{Door, Knock};
use peers::Peers;

/// How long requests under way may take after the member was told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// Every port, bound before anything else is woken: a port in use is found out first.
pub struct Doors {
    client: Vec<Door>,
    peer: Vec<Door>,
    client_http: Vec<Door>,
    metrics: Vec<Door>,
}

/// What runs behind the doors.
pub struct Serving {
    open: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    loops: JoinSet<()>,
}

impl Doors {
    /// # Errors
    /// A place that cannot be listened on, named by its address.
    pub async fn open(config: &Config, tls: &Tls) -> Result<Self> {
        let listen = &config.listen;
        let bind = |places: &[Place], tls: &Option<Arc<Listener>>| -> Result<Vec<Door>> {
            let door = |place| Door::open(place, config.reuse_port, tls.as_ref());
            places.iter().map(door).collect()
        };
        Ok(Doors {
            client: bind(&listen.client, &tls.client)?,
            peer: bind(&listen.peer, &tls.peer)?,
            client_http: bind(&listen.client_http, &tls.client)?,
            metrics: bind(&listen.metrics, &tls.client)?,
        })
    }

    /// The other members come in as soon as there is a node, which needs them to have a leader.
    pub fn serve_peers(&mut self, service: &PeerService, config: &Config) -> Peers {
        Peers::serve(std::mem::take(&mut self.peer), service, config.election_timeout)
    }

    /// Metrics and health at once; clients wait in the kernel's queue until [`Serving::open`].
    pub fn serve(self, api: Api, config: &Config, metrics: &Arc<Metrics>) -> Serving {
        let Doors {
            client,
            peer: _,
            client_http,
            metrics: metrics_doors,
        } = self;
        let (stop, stopped) = watch::channel(false);
        let mut serving = Serving {
            open: watch::Sender::new(false),
            stop,
            loops: JoinSet::new(),
        };
        let connections = Connections::new(config, Arc::clone(metrics), stopped);
        let routes = taffrail_api::client_routes(api.clone());
        let beside_grpc = if client_http.is_empty() {
            routes.clone()
        } else {
            Router::new()
        };
        let both = Service::new(Some(Grpc::new(api.clone())), beside_grpc);
        let (clients, at_once) = (serving.open.subscribe(), watch::Sender::new(true).subscribe());
        serving.accept(client, &connections, &both, &clients);
        serving.accept(client_http, &connections, &Service::new(None, routes), &clients);
        let pages = Service::new(None, taffrail_api::metrics_routes(api));
        serving.accept(metrics_doors, &connections, &pages, &at_once);
        serving
    }
}

impl Serving {
    /// The member has a leader to serve under: clients may come in.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    fn accept(&mut self, doors: Vec<Door>, connections: &Connections, service: &Service, open: &watch::Receiver<bool>) {
        for door in doors {
            let Place { address, plain, secure } = &door.place;
            if *plain {
                tracing::info!(%address, "serving client traffic insecurely; this is strongly discouraged!");
            }
            if *secure {
                tracing::info!(%address, "serving client traffic securely");
            }
            self.loops
                .spawn(connections.clone().accept(door, service.clone(), open.clone()));
        }
    }

    /// No new connections or requests; those under way are finished, but not waited for without end.
    pub async fn drain(mut self) {
        self.stop.send_replace(true);
        let finished = async { while self.loops.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_MAX, finished).await.is_err() {
            tracing::warn!("some requests did not finish in time and are dropped");
        }
    }
}
