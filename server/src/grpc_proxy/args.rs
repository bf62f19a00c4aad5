//! The proxy's flags (etcd etcdmain/grpc_proxy.go).

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};

use crate::config::duration::parse as span;

#[derive(Args)]
pub struct Start {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:23790")]
    pub listen_addr: String,
    /// Members, comma-separated
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:2379")]
    pub endpoints: Vec<String>,
    /// Domain whose SRV records name the members
    #[arg(long, default_value = "")]
    pub discovery_srv: String,
    /// Suffix of the SRV service
    #[arg(long, default_value = "")]
    pub discovery_srv_name: String,
    /// Take SRV records without verifying the members they name
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    pub insecure_discovery: bool,
    /// One more address for metrics and health, as a URL
    #[arg(long, default_value = "")]
    pub metrics_addr: String,
    /// What clients are told as the one member's client URL; '' tells them the cluster's members
    #[arg(long, default_value = "127.0.0.1:23790")]
    pub advertise_client_url: String,
    /// Key prefix where proxies of this cluster write themselves down
    #[arg(long, default_value = "")]
    pub resolver_prefix: String,
    /// Seconds that such an entry outlives its proxy
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub resolver_ttl: i64,
    /// Stands before every key, unseen by clients
    #[arg(long, default_value = "")]
    pub namespace: String,
    /// Folder of the certificates that are made
    #[arg(long, default_value = "default.proxy")]
    pub data_dir: PathBuf,
    /// Certificate to show to members; without a common name, which would count as a user
    #[arg(long, default_value = "")]
    pub cert: String,
    /// Key to it
    #[arg(long, default_value = "")]
    pub key: String,
    /// Authorities of members' certificates
    #[arg(long, default_value = "")]
    pub cacert: String,
    /// Do not verify members; for tests only
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    pub insecure_skip_tls_verify: bool,
    /// Certificate of the proxy's own port
    #[arg(long, default_value = "")]
    pub cert_file: String,
    /// Key to it
    #[arg(long, default_value = "")]
    pub key_file: String,
    /// Authorities of clients' certificates
    #[arg(long, default_value = "")]
    pub trusted_ca_file: String,
    /// Revoked clients' certificates
    #[arg(long, default_value = "")]
    pub client_crl_file: String,
    /// Ciphers to offer to clients
    #[arg(long, value_delimiter = ',')]
    pub listen_cipher_suites: Vec<String>,
    /// Make certificates for the proxy's own port
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    pub auto_tls: bool,
    /// Years that made certificates last
    #[arg(long, default_value_t = 1)]
    pub self_signed_cert_validity: u32,
    /// Oldest TLS version
    #[arg(long, default_value = "TLS1.2")]
    pub tls_min_version: String,
    /// Newest TLS version
    #[arg(long, default_value = "")]
    pub tls_max_version: String,
    /// Time between two pings to a member; 0 is never
    #[arg(long, default_value = "0s", value_parser = span)]
    pub dial_keepalive_time: Duration,
    /// Time a member has to answer a ping
    #[arg(long, default_value = "20s", value_parser = span)]
    pub dial_keepalive_timeout: Duration,
    /// Ping members even while nothing is asked
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    pub permit_without_stream: bool,
    /// Time between two pings to a silent client; 0 is never
    #[arg(long, default_value = "2h", value_parser = span)]
    pub grpc_keepalive_interval: Duration,
    /// Time a client has to answer a ping
    #[arg(long, default_value = "20s", value_parser = span)]
    pub grpc_keepalive_timeout: Duration,
    /// Streams of one connection
    #[arg(long, default_value_t = u32::MAX)]
    pub max_concurrent_streams: u32,
    /// Tell more in the log
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    pub debug: bool,
    #[command(flatten)]
    pub without_meaning: WithoutMeaning,
}

/// Accepted and said to be ignored.
#[derive(Args)]
pub struct WithoutMeaning {
    /// (ignored)
    #[arg(long)]
    endpoints_auto_sync_interval: Option<String>,
    /// (ignored) messages go through as they are
    #[arg(long)]
    max_send_bytes: Option<String>,
    /// (ignored) messages go through as they are
    #[arg(long)]
    max_recv_bytes: Option<String>,
    /// (ignored)
    #[arg(long)]
    grpc_keepalive_min_time: Option<String>,
    /// (ignored)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    enable_pprof: Option<String>,
    /// (ignored)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    experimental_enable_grpc_logging: Option<String>,
}

impl WithoutMeaning {
    /// Names of those that were given.
    pub fn given(&self) -> Vec<&'static str> {
        let all = [
            ("endpoints-auto-sync-interval", &self.endpoints_auto_sync_interval),
            ("max-send-bytes", &self.max_send_bytes),
            ("max-recv-bytes", &self.max_recv_bytes),
            ("grpc-keepalive-min-time", &self.grpc_keepalive_min_time),
            ("enable-pprof", &self.enable_pprof),
            (
                "experimental-enable-grpc-logging",
                &self.experimental_enable_grpc_logging,
            ),
        ];
        let given = all.into_iter().filter(|(_, value)| value.is_some());
        given.map(|(name, _)| name).collect()
    }
}
