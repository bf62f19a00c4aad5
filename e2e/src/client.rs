//! Clients of a member: the wire as it is, for exact answers and errors, and the `etcd-client` crate.

use std::io;
use std::path::Path;
use std::sync::Arc;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use hyper_util::rt::TokioIo;
use taffrail_proto::etcdserverpb::cluster_client::ClusterClient;
use taffrail_proto::etcdserverpb::kv_client::KvClient;
use taffrail_proto::etcdserverpb::lease_client::LeaseClient;
use taffrail_proto::etcdserverpb::maintenance_client::MaintenanceClient;
use taffrail_proto::etcdserverpb::watch_client::WatchClient;
use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use taffrail_proto::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use taffrail_proto::v3electionpb::election_client::ElectionClient;
use taffrail_proto::v3lockpb::lock_client::LockClient;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Streaming;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::{Channel, Endpoint, Uri};

use crate::{certificates, wait};

/// The member may answer as much as it likes.
const RECEIVE_BYTES_MAX: usize = 1 << 30;

/// Speaks to one member, and connects again whenever that is needed.
#[derive(Clone)]
pub struct Client {
    address: String,
    channel: Channel,
}

impl Client {
    /// Of `address`, a host and a port; nobody has to listen there yet.
    pub fn new(address: String) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("the address is valid");
        let channel = endpoint.connect_lazy();
        Self { address, channel }
    }

    /// The same with TLS.
    pub fn secure(address: String, config: Arc<rustls::ClientConfig>) -> Self {
        let dialled = address.clone();
        Self::over(address, move || {
            let (address, config) = (dialled.clone(), config.clone());
            async move { certificates::shake(&address, config).await }
        })
    }

    /// The same through a socket in the file system.
    pub fn unix(path: &Path) -> Self {
        let (address, path) = (path.display().to_string(), path.to_path_buf());
        Self::over(address, move || tokio::net::UnixStream::connect(path.clone()))
    }

    fn over<F, IO>(address: String, dial: impl Fn() -> F + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<IO>> + Send + 'static,
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let connect = tower::service_fn(move |_: Uri| {
            let dialled = dial();
            async move { dialled.await.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static("http://member").connect_with_connector_lazy(connect);
        Self { address, channel }
    }

    pub fn address(&self) -> String {
        self.address.clone()
    }
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }
    pub fn kv(&self) -> KvClient<Channel> {
        KvClient::new(self.channel()).max_decoding_message_size(RECEIVE_BYTES_MAX)
    }
    pub fn lease(&self) -> LeaseClient<Channel> {
        LeaseClient::new(self.channel()).max_decoding_message_size(RECEIVE_BYTES_MAX)
    }
    pub fn maintenance(&self) -> MaintenanceClient<Channel> {
        MaintenanceClient::new(self.channel()).max_decoding_message_size(RECEIVE_BYTES_MAX)
    }
    pub fn cluster(&self) -> ClusterClient<Channel> {
        ClusterClient::new(self.channel())
    }
    pub fn lock(&self) -> LockClient<Channel> {
        LockClient::new(self.channel())
    }
    pub fn election(&self) -> ElectionClient<Channel> {
        ElectionClient::new(self.channel())
    }
    /// The client library that others use.
    pub async fn library(&self) -> etcd_client::Client {
        etcd_client::Client::connect([&self.address], None)
            .await
            .expect("the member answers")
    }
    /// A new watch stream without watchers.
    pub async fn watch(&self) -> WatchStream {
        let (requests, outgoing) = unbounded();
        self.open(requests, tonic::Request::new(outgoing))
    }
    /// One that ends if the member has no leader.
    pub async fn watch_with_leader(&self) -> WatchStream {
        let (requests, outgoing) = unbounded();
        self.open(requests, demanding_leader(outgoing))
    }
    /// One with metadata of its own.
    pub async fn watch_as(&self, sign: impl FnOnce(&mut MetadataMap)) -> WatchStream {
        let (requests, outgoing) = unbounded();
        let mut outgoing = tonic::Request::new(outgoing);
        sign(outgoing.metadata_mut());
        self.open(requests, outgoing)
    }
    fn open(
        &self,
        requests: UnboundedSender<WatchRequest>,
        outgoing: tonic::Request<UnboundedReceiver<WatchRequest>>,
    ) -> WatchStream {
        let mut client = WatchClient::new(self.channel()).max_decoding_message_size(RECEIVE_BYTES_MAX);
        // etcd sends no headers before there is something to say, so the stream opens in the background.
        let opening = tokio::spawn(async move { client.watch(outgoing).await.map(tonic::Response::into_inner) });
        WatchStream {
            requests,
            opening: Some(opening),
            responses: None,
        }
    }
}

/// Asks for an answer only from a member that has a leader.
pub fn demanding_leader<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request
        .metadata_mut()
        .insert("hasleader", MetadataValue::from_static("true"));
    request
}

/// Requests one way, responses the other.
pub struct WatchStream {
    requests: UnboundedSender<WatchRequest>,
    opening: Option<tokio::task::JoinHandle<Result<Streaming<WatchResponse>, tonic::Status>>>,
    responses: Option<Streaming<WatchResponse>>,
}

impl WatchStream {
    pub fn send(&self, request: RequestUnion) {
        let sent = self.requests.unbounded_send(WatchRequest {
            request_union: Some(request),
        });
        sent.expect("the stream is open");
    }

    /// Adds a watcher and takes its confirmation.
    pub async fn create(&mut self, request: WatchCreateRequest) -> WatchResponse {
        self.send(RequestUnion::CreateRequest(request));
        let created = self.next().await;
        assert!(created.created, "the first answer confirms the watcher: {created:?}");
        created
    }

    pub async fn next(&mut self) -> WatchResponse {
        wait::for_it("a watch response", self.try_next())
            .await
            .expect("the stream goes on")
    }

    /// The next response, or why the stream ended.
    pub async fn try_next(&mut self) -> Result<WatchResponse, tonic::Status> {
        if let Some(opening) = self.opening.take() {
            self.responses = Some(opening.await.expect("opening does not panic")?);
        }
        let responses = self
            .responses
            .as_mut()
            .ok_or_else(|| tonic::Status::aborted("the stream never opened"))?;
        responses
            .message()
            .await?
            .ok_or_else(|| tonic::Status::aborted("the stream ended"))
    }

    /// Collects events of responses until there are `count`.
    pub async fn events(&mut self, count: usize) -> Vec<taffrail_proto::mvccpb::Event> {
        let mut events = Vec::new();
        while events.len() < count {
            events.extend(self.next().await.events);
        }
        events
    }
}
