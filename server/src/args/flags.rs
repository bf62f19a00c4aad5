//! The table of flags (etcd etcdmain/help.go).

/// What a flag's value looks like. Only files need to know: they spell durations in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Switch,
    Number,
    Duration,
}

/// What this version makes of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Used,
    /// Tunes a part that does not exist here; accepted, and said to be ignored.
    Meaningless,
    /// Asks for something this version does not do; ignoring it would break a promise, so it is refused.
    Missing,
}

#[derive(Debug)]
pub struct Flag {
    pub name: &'static str,
    pub default: &'static str,
    pub kind: Kind,
    pub standing: Standing,
    pub group: &'static str,
    help: &'static str,
}

impl Flag {
    /// `data-dir` is `ETCD_DATA_DIR`.
    pub fn variable(&self) -> String {
        format!("ETCD_{}", self.name.replace('-', "_").to_uppercase())
    }

    pub fn help_text(&self) -> String {
        let standing = match self.standing {
            Standing::Used => "",
            Standing::Meaningless => " (ignored)",
            Standing::Missing => " (not supported yet)",
        };
        format!(
            "{}{standing} [default: '{}'] [env: {}]",
            self.help,
            self.default,
            self.variable()
        )
    }
}

macro_rules! flags {
    ($($group:literal { $($name:literal $kind:ident $standing:ident $default:literal $help:literal;)* })*) => {
        /// Every flag of etcd 3.6.
        pub static FLAGS: &[Flag] = &[$($(Flag {
            name: $name,
            default: $default,
            kind: Kind::$kind,
            standing: Standing::$standing,
            group: $group,
            help: $help,
        },)*)*];
    };
}

flags! {
    "Member" {
        "name" Text Used "default" "Human-readable name of this member";
        "data-dir" Text Used "" "Folder of everything this member stores; '' is NAME.etcd";
        "wal-dir" Text Used "" "Folder of the raft log; '' is inside the data dir";
        "snapshot-count" Number Used "10000" "Applied entries between two raft snapshots";
        "snapshot-catchup-entries" Number Used "5000" "Entries kept in the log behind a raft snapshot";
        "heartbeat-interval" Number Used "100" "Milliseconds between two heartbeats";
        "election-timeout" Number Used "1000" "Milliseconds without leader before an election";
        "initial-election-tick-advance" Switch Used "true" "Elect faster after boot; one voter always does";
        "listen-peer-urls" Text Used "http://localhost:2380" "URLs for other members";
        "listen-client-urls" Text Used "http://localhost:2379" "URLs for clients";
        "listen-client-http-urls" Text Used "" "URLs for HTTP alone; gRPC then has the client URLs for itself";
        "max-snapshots" Number Meaningless "5" "Snapshot files to keep";
        "max-wals" Number Meaningless "5" "Log files to keep; the log is bounded by snapshots here";
        "memory-mlock" Switch Meaningless "false" "Lock the database in memory";
        "quota-backend-bytes" Number Used "0" "Quota in bytes: 0 is 2 GiB, below 0 is none";
        "backend-bbolt-freelist-type" Text Meaningless "map" "Freelist of bbolt";
        "backend-batch-interval" Duration Meaningless "" "Time between two commits of bbolt";
        "backend-batch-limit" Number Meaningless "0" "Operations per commit of bbolt";
        "max-txn-ops" Number Used "128" "Operations of one transaction";
        "max-request-bytes" Number Used "1572864" "Size of one request";
        "max-concurrent-streams" Number Used "4294967295" "Streams of one connection";
        "grpc-keepalive-min-time" Duration Meaningless "5s" "Shortest time between two pings of a client";
        "grpc-keepalive-interval" Duration Used "2h" "Time between two pings to a silent client; 0 is never";
        "grpc-keepalive-timeout" Duration Used "20s" "Time a client has to answer a ping";
        "socket-reuse-port" Switch Used "false" "Let several processes listen on one port";
        "socket-reuse-address" Switch Used "false" "Listen on an address that is still winding down";
        "enable-grpc-gateway" Switch Used "true" "Serve the API in JSON below /v3/";
        "raft-read-timeout" Duration Meaningless "5s" "Time to wait for reading from a peer";
        "raft-write-timeout" Duration Meaningless "5s" "Time to wait for writing to a peer";
        "feature-gates" Text Used "" "NAME=BOOL pairs of features that are not final in etcd";
    }
    "Clustering" {
        "initial-advertise-peer-urls" Text Used "http://localhost:2380" "This member's peer URLs, for the others";
        "initial-cluster" Text Used "" "NAME=URL pairs of the first members; '' is this member alone";
        "initial-cluster-state" Text Used "new" "'new', or 'existing' to join";
        "initial-cluster-token" Text Used "etcd-cluster" "Tells clusters apart that have the same URLs";
        "advertise-client-urls" Text Used "http://localhost:2379" "This member's client URLs, for clients";
        "discovery" Text Missing "" "v2 discovery";
        "discovery-token" Text Used "" "Token of v3 discovery: one for each cluster to come";
        "discovery-endpoints" Text Used "" "Members of the etcd where the first members find each other (v3 discovery)";
        "discovery-dial-timeout" Duration Used "2s" "Time to wait for a connection to the discovery service";
        "discovery-request-timeout" Duration Used "5s" "Time to wait for an answer of the discovery service";
        "discovery-keepalive-time" Duration Used "2s" "Time between two pings to the discovery service";
        "discovery-keepalive-timeout" Duration Used "6s" "Time the discovery service has to answer a ping";
        "discovery-insecure-transport" Switch Used "true" "Speak plainly with the discovery service, if no file asks for TLS";
        "discovery-insecure-skip-tls-verify" Switch Used "false" "Do not verify the discovery service; for tests only";
        "discovery-cert" Text Used "" "Certificate to show to the discovery service";
        "discovery-key" Text Used "" "Key to the certificate";
        "discovery-cacert" Text Used "" "Authorities of the discovery service's certificate";
        "discovery-user" Text Used "" "User at the discovery service: NAME or NAME:PASSWORD";
        "discovery-password" Text Used "" "Password at the discovery service";
        "discovery-fallback" Text Meaningless "exit" "v2 discovery";
        "discovery-proxy" Text Used "" "v2 discovery";
        "discovery-srv" Text Used "" "Domain whose SRV records name the members";
        "discovery-srv-name" Text Used "" "Suffix of the SRV service";
        "strict-reconfig-check" Switch Used "true" "Refuse membership changes that would lose quorum";
        "pre-vote" Switch Used "true" "Ask before electing";
        "auto-compaction-retention" Text Used "0" "What auto compaction keeps: a duration, hours, or revisions; 0 is off";
        "auto-compaction-mode" Text Used "periodic" "'periodic' or 'revision'";
        "v2-deprecation" Text Meaningless "write-only" "Phase of the v2 store's end";
    }
    "Security" {
        "cert-file" Text Used "" "Certificate of the client port";
        "key-file" Text Used "" "Key of the client port";
        "client-cert-auth" Switch Used "false" "Demand certificates of clients";
        "client-cert-file" Text Used "" "Certificate for dialling clients' ports";
        "client-key-file" Text Used "" "Key for dialling clients' ports";
        "client-crl-file" Text Used "" "Revoked client certificates";
        "client-cert-allowed-hostname" Text Used "" "Names a client certificate may carry";
        "trusted-ca-file" Text Used "" "Authorities of client certificates";
        "client-cert-allowed-cn" Text Used "" "Common names a client certificate may carry; etcd has it in its file alone";
        "auto-tls" Switch Used "false" "Make certificates for the client port";
        "peer-cert-file" Text Used "" "Certificate of the peer port";
        "peer-key-file" Text Used "" "Key of the peer port";
        "peer-client-cert-auth" Switch Used "false" "Demand certificates of peers";
        "peer-client-cert-file" Text Used "" "Certificate for dialling peers";
        "peer-client-key-file" Text Used "" "Key for dialling peers";
        "peer-trusted-ca-file" Text Used "" "Authorities of peer certificates";
        "peer-cert-allowed-cn" Text Used "" "Common names a peer certificate may carry";
        "peer-cert-allowed-hostname" Text Used "" "Names a peer certificate may carry";
        "peer-auto-tls" Switch Used "false" "Make certificates for the peer port";
        "self-signed-cert-validity" Number Used "1" "Years that made certificates last";
        "peer-crl-file" Text Used "" "Revoked peer certificates";
        "peer-skip-client-san-verification" Switch Used "false" "Do not check names in peer certificates";
        "cipher-suites" Text Used "" "Ciphers to offer";
        "cors" Text Used "*" "Origins that browsers may come from";
        "host-whitelist" Text Used "*" "Host names that plain HTTP may ask for";
        "tls-min-version" Text Used "TLS1.2" "Oldest TLS version";
        "tls-max-version" Text Used "" "Newest TLS version";
    }
    "Auth" {
        "auth-token" Text Used "simple" "Kind of tokens: 'simple', or 'jwt,sign-method=RS256,pub-key=FILE,priv-key=FILE,ttl=5m'";
        "bcrypt-cost" Number Used "10" "Cost of hashing passwords, a power of two from 4 to 31";
        "auth-token-ttl" Number Used "300" "Seconds that a simple token lasts after its last use";
    }
    "Profiling and Monitoring" {
        "enable-pprof" Switch Used "false" "Serve profiles below /debug/pprof/";
        "metrics" Text Used "basic" "'basic', or 'extensive' with times per method";
        "listen-metrics-urls" Text Used "" "More URLs for metrics and health";
    }
    "Logging" {
        "logger" Text Used "zap" "Logging library of etcd; 'zap' alone is known";
        "log-outputs" Text Used "default" "'default', 'stdout', 'stderr', 'systemd/journal', or files, comma-separated";
        "log-level" Text Used "info" "debug, info, warn, error, panic or fatal";
        "log-format" Text Used "json" "'json' or 'console'";
        "enable-log-rotation" Switch Used "false" "Rotate the log file";
        "log-rotation-config-json" Text Used "{\"maxsize\": 100, \"maxage\": 0, \"maxbackups\": 0, \"localtime\": false, \"compress\": false}" "How to rotate log files";
        "warning-unary-request-duration" Duration Used "300ms" "Requests slower than this are logged";
    }
    "Distributed tracing" {
        "enable-distributed-tracing" Switch Used "false" "Send traces by OTLP over gRPC";
        "distributed-tracing-address" Text Used "localhost:4317" "Collector of traces";
        "distributed-tracing-service-name" Text Used "etcd" "Service name in traces";
        "distributed-tracing-instance-id" Text Used "" "Instance in traces";
        "distributed-tracing-sampling-rate" Number Used "0" "Traces per million requests";
    }
    "Features" {
        "initial-corrupt-check" Switch Used "false" "Compare hashes with peers before serving";
        "corrupt-check-time" Duration Used "0s" "Time between two comparisons with peers; 0 is never";
        "compact-hash-check-enabled" Switch Used "false" "Compare hashes of compactions with peers";
        "compact-hash-check-time" Duration Used "1m" "Time between two comparisons of compactions";
        "enable-lease-checkpoint" Switch Used "false" "Replicate what is left of leases";
        "enable-lease-checkpoint-persist" Switch Used "false" "Store what is left of leases; always done";
        "compaction-batch-limit" Number Meaningless "1000" "Revisions dropped in one go; whole files are dropped here";
        "compaction-sleep-interval" Duration Meaningless "" "Pause between two batches of compaction";
        "watch-progress-notify-interval" Duration Used "10m" "Time between two progress notifications";
        "warning-apply-duration" Duration Used "100ms" "Entries slower to apply than this are logged";
        "txn-mode-write-with-shared-buffer" Switch Meaningless "true" "Buffers of etcd's transactions";
        "bootstrap-defrag-threshold-megabytes" Number Meaningless "0" "Defragment at boot; there is nothing to gain here";
        "stop-grpc-service-on-defrag" Switch Used "false" "Tell health checkers to go elsewhere during a defragmentation";
        "max-learners" Number Used "1" "Learners at the same time";
        "downgrade-check-time" Duration Used "5s" "Time between two looks at a downgrade";
    }
    "Unsafe" {
        "force-new-cluster" Switch Used "false" "Make a cluster of one out of what is left";
        "unsafe-no-fsync" Switch Used "false" "Never wait for the disk; a power failure loses data";
    }
}
