//! Calls counted per method, as go-grpc-prometheus names them. Every series exists from the start.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::Instant;

use prometheus::{Histogram, HistogramOpts, HistogramVec, Registry};
use tonic::Code;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Unary,
    ServerStream,
    BidiStream,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Kind::Unary => "unary",
            Kind::ServerStream => "server_stream",
            Kind::BidiStream => "bidi_stream",
        }
    }

    /// etcd counts a client's requests as unary or stream only.
    fn client_label(self) -> &'static str {
        if self == Kind::Unary { "unary" } else { "stream" }
    }
}

const SERVICES: [(&str, &[(&str, Kind)]); 9] = [
    (
        "etcdserverpb.KV",
        &[
            ("Range", Kind::Unary),
            ("RangeStream", Kind::ServerStream),
            ("Put", Kind::Unary),
            ("DeleteRange", Kind::Unary),
            ("Txn", Kind::Unary),
            ("Compact", Kind::Unary),
        ],
    ),
    ("etcdserverpb.Watch", &[("Watch", Kind::BidiStream)]),
    (
        "etcdserverpb.Lease",
        &[
            ("LeaseGrant", Kind::Unary),
            ("LeaseRevoke", Kind::Unary),
            ("LeaseKeepAlive", Kind::BidiStream),
            ("LeaseTimeToLive", Kind::Unary),
            ("LeaseLeases", Kind::Unary),
        ],
    ),
    (
        "etcdserverpb.Cluster",
        &[
            ("MemberAdd", Kind::Unary),
            ("MemberRemove", Kind::Unary),
            ("MemberUpdate", Kind::Unary),
            ("MemberList", Kind::Unary),
            ("MemberPromote", Kind::Unary),
        ],
    ),
    (
        "etcdserverpb.Maintenance",
        &[
            ("Alarm", Kind::Unary),
            ("Status", Kind::Unary),
            ("Defragment", Kind::Unary),
            ("Hash", Kind::Unary),
            ("HashKV", Kind::Unary),
            ("Snapshot", Kind::ServerStream),
            ("MoveLeader", Kind::Unary),
            ("Downgrade", Kind::Unary),
        ],
    ),
    (
        "etcdserverpb.Auth",
        &[
            ("AuthEnable", Kind::Unary),
            ("AuthDisable", Kind::Unary),
            ("AuthStatus", Kind::Unary),
            ("Authenticate", Kind::Unary),
            ("UserAdd", Kind::Unary),
            ("UserGet", Kind::Unary),
            ("UserList", Kind::Unary),
            ("UserDelete", Kind::Unary),
            ("UserChangePassword", Kind::Unary),
            ("UserGrantRole", Kind::Unary),
            ("UserRevokeRole", Kind::Unary),
            ("RoleAdd", Kind::Unary),
            ("RoleGet", Kind::Unary),
            ("RoleList", Kind::Unary),
            ("RoleDelete", Kind::Unary),
            ("RoleGrantPermission", Kind::Unary),
            ("RoleRevokePermission", Kind::Unary),
        ],
    ),
    ("v3lockpb.Lock", &[("Lock", Kind::Unary), ("Unlock", Kind::Unary)]),
    (
        "v3electionpb.Election",
        &[
            ("Campaign", Kind::Unary),
            ("Proclaim", Kind::Unary),
            ("Leader", Kind::Unary),
            ("Observe", Kind::ServerStream),
            ("Resign", Kind::Unary),
        ],
    ),
    (
        "grpc.health.v1.Health",
        &[("Check", Kind::Unary), ("Watch", Kind::ServerStream)],
    ),
];

/// What is known about a method beside its numbers.
struct Named {
    service: &'static str,
    name: &'static str,
    kind: Kind,
}

static METHODS: LazyLock<Vec<Named>> = LazyLock::new(|| {
    let named = |(service, methods): &(&'static str, &'static [(&'static str, Kind)])| {
        let service = *service;
        methods.iter().map(move |(name, kind)| Named {
            service,
            name,
            kind: *kind,
        })
    };
    SERVICES.iter().flat_map(named).collect()
});

static PATHS: LazyLock<HashMap<String, usize>> = LazyLock::new(|| {
    let path = |(i, m): (usize, &Named)| (format!("/{}/{}", m.service, m.name), i);
    METHODS.iter().enumerate().map(path).collect()
});

/// A place in the table of methods.
#[derive(Clone, Copy)]
pub(crate) struct Method(usize);

impl Method {
    pub fn find(path: &str) -> Option<Self> {
        PATHS.get(path).copied().map(Method)
    }

    pub fn kind(self) -> Kind {
        METHODS[self.0].kind
    }

    pub fn path(self) -> String {
        let Named { service, name, .. } = &METHODS[self.0];
        format!("/{service}/{name}")
    }

    #[cfg(test)]
    pub fn all() -> impl Iterator<Item = Self> {
        (0..METHODS.len()).map(Method)
    }
}

/// gRPC codes by number, as Go spells them.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// Clients may claim any version; beyond this many they are counted together.
const CLIENT_VERSIONS_MAX: usize = 64;

#[derive(Default)]
struct Numbers {
    started: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    handled: [AtomicU64; CODES.len()],
}

pub(crate) struct GrpcMetrics {
    numbers: &'static [Numbers],
    handling: Option<Vec<Histogram>>,
    clients: RwLock<Vec<(String, [AtomicU64; 2])>>,
}

/// A call under way.
pub(crate) struct Call {
    numbers: &'static Numbers,
    handling: Option<(Histogram, Instant)>,
}

impl GrpcMetrics {
    pub fn new(registry: &Registry, extensive: bool) -> prometheus::Result<Self> {
        let numbers: Vec<Numbers> = METHODS.iter().map(|_| Numbers::default()).collect();
        let handling = if extensive { Some(handling(registry)?) } else { None };
        // Calls outlive whatever holds this, and there is one table per process.
        Ok(GrpcMetrics {
            numbers: Vec::leak(numbers),
            handling,
            clients: RwLock::default(),
        })
    }

    pub fn start(&self, method: Method, now: Instant) -> Call {
        let numbers = &self.numbers[method.0];
        numbers.started.fetch_add(1, Relaxed);
        if method.kind() != Kind::BidiStream {
            numbers.received.fetch_add(1, Relaxed);
        }
        let handling = self
            .handling
            .as_ref()
            .map(|histograms| (histograms[method.0].clone(), now));
        Call { numbers, handling }
    }

    /// A message arrived on a stream.
    pub fn received(&self, path: &str) {
        if let Some(method) = Method::find(path) {
            self.numbers[method.0].received.fetch_add(1, Relaxed);
        }
    }

    pub fn count_client(&self, kind: Kind, version: &str) {
        let place = usize::from(kind != Kind::Unary);
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counts)) = clients.iter().find(|(known, _)| known == version) {
            counts[place].fetch_add(1, Relaxed);
            return;
        }
        drop(clients);
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        let version = if clients.len() < CLIENT_VERSIONS_MAX {
            version
        } else {
            "other"
        };
        if !clients.iter().any(|(known, _)| known == version) {
            clients.push((version.to_owned(), Default::default()));
        }
        let found = clients.iter().find(|(known, _)| known == version);
        found.map(|(_, counts)| counts[place].fetch_add(1, Relaxed));
    }

    /// All series in the text format.
    pub fn render(&self, text: &mut String) {
        self.render_plain(
            text,
            "grpc_server_started_total",
            "Total number of RPCs started on the server.",
            |n| &n.started,
        );
        let help = "Total number of RPC stream messages received on the server.";
        self.render_plain(text, "grpc_server_msg_received_total", help, |n| &n.received);
        let help = "Total number of gRPC stream messages sent by the server.";
        self.render_plain(text, "grpc_server_msg_sent_total", help, |n| &n.sent);
        self.render_handled(text);
        self.render_clients(text);
    }

    fn render_plain(&self, text: &mut String, name: &str, help: &str, number: impl Fn(&Numbers) -> &AtomicU64) {
        head(text, name, help);
        for (method, numbers) in METHODS.iter().zip(self.numbers) {
            let Named {
                service,
                name: method_name,
                kind,
            } = method;
            let (kind, value) = (kind.label(), number(numbers).load(Relaxed));
            text.push_str(&format!(
                "{name}{{grpc_method=\"{method_name}\",grpc_service=\"{service}\",grpc_type=\"{kind}\"}} {value}\n"
            ));
        }
    }

    fn render_handled(&self, text: &mut String) {
        let name = "grpc_server_handled_total";
        head(
            text,
            name,
            "Total number of RPCs completed on the server, regardless of success or failure.",
        );
        for (method, numbers) in METHODS.iter().zip(self.numbers) {
            let Named {
                service,
                name: method_name,
                kind,
            } = method;
            for (code, count) in CODES.iter().zip(&numbers.handled) {
                let (kind, value) = (kind.label(), count.load(Relaxed));
                text.push_str(&format!(
                    "{name}{{grpc_code=\"{code}\",grpc_method=\"{method_name}\",grpc_service=\"{service}\",\
                     grpc_type=\"{kind}\"}} {value}\n"
                ));
            }
        }
    }

    fn render_clients(&self, text: &mut String) {
        let name = "etcd_server_client_requests_total";
        head(text, name, "The total number of client requests per client version.");
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        for (version, counts) in clients.iter() {
            for (kind, count) in [Kind::Unary, Kind::BidiStream].iter().zip(counts) {
                let (kind, value) = (kind.client_label(), count.load(Relaxed));
                text.push_str(&format!(
                    "{name}{{client_api_version={version:?},type=\"{kind}\"}} {value}\n"
                ));
            }
        }
    }
}

fn head(text: &mut String, name: &str, help: &str) {
    text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} counter\n"));
}

fn handling(registry: &Registry) -> prometheus::Result<Vec<Histogram>> {
    let opts = HistogramOpts::new(
        "grpc_server_handling_seconds",
        "Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.",
    );
    let vec = HistogramVec::new(opts, &["grpc_type", "grpc_service", "grpc_method"])?;
    registry.register(Box::new(vec.clone()))?;
    Ok(METHODS
        .iter()
        .map(|m| vec.with_label_values(&[m.kind.label(), m.service, m.name]))
        .collect())
}

impl Call {
    pub fn sent(&self, messages: u64) {
        self.numbers.sent.fetch_add(messages, Relaxed);
    }

    pub fn finish(self, code: Code) {
        self.numbers.handled[code as usize].fetch_add(1, Relaxed);
        if let Some((histogram, started)) = self.handling {
            histogram.observe(started.elapsed().as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(metrics: &GrpcMetrics) -> String {
        let mut text = String::new();
        metrics.render(&mut text);
        text
    }

    #[test]
    fn every_series_exists_before_the_first_call() {
        let metrics = GrpcMetrics::new(&Registry::new(), false).expect("fresh registry");
        let line = "grpc_server_handled_total{grpc_code=\"DataLoss\",grpc_method=\"Put\",\
                    grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 0\n";
        assert!(rendered(&metrics).contains(line));
    }

    #[test]
    fn a_refused_call_is_counted_by_its_code() {
        let metrics = GrpcMetrics::new(&Registry::new(), true).expect("fresh registry");
        let method = Method::find("/etcdserverpb.KV/Put").expect("known");
        metrics.start(method, Instant::now()).finish(Code::ResourceExhausted);
        let line = "grpc_server_handled_total{grpc_code=\"ResourceExhausted\",grpc_method=\"Put\",\
                    grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 1\n";
        assert!(rendered(&metrics).contains(line));
    }

    #[test]
    fn versions_that_clients_make_up_are_bounded() {
        let metrics = GrpcMetrics::new(&Registry::new(), false).expect("fresh registry");
        (0..1000).for_each(|i| metrics.count_client(Kind::Unary, &format!("{i}")));
        assert!(metrics.clients.read().expect("not poisoned").len() <= CLIENT_VERSIONS_MAX + 1);
        assert!(rendered(&metrics).contains("client_api_version=\"other\",type=\"unary\"} 936\n"));
    }
}
