//! A whole member on a temporary disk, without the wire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use taffrail_consensus::{Machine, Node, NodeConfig, Peer};
use taffrail_member::watch::{WatchItem, WatchSpec, WatchStream};
use taffrail_member::{
    AuthConfig, AutoCompaction, Caller, CorruptionChecks, Ears, KeyRange, Limits, Member, MemberConfig,
    MembershipRules, TokenConfig,
};
use taffrail_proto::etcdserverpb::PutRequest;
use taffrail_store::{Options, Store};
use tokio::time::Instant;

const MEMBER_ID: u64 = 7;

pub struct Living {
    pub member: Member,
    _dir: tempfile::TempDir,
}

/// Starts a member that leads itself; `adjust` sees its configuration first.
pub async fn member(adjust: impl FnOnce(&mut MemberConfig)) -> Living {
    let dir = tempfile::tempdir().expect("temp dir");
    let (store, applier) = Store::open(&dir.path().join("store"), &Options::default()).expect("fresh store");
    let ears = Ears::new(&store);
    let machine = Machine {
        store: store.clone(),
        applier,
        listener: Arc::clone(&ears) as _,
        identify: taffrail_member::id_of,
    };
    let node = Node::start(node_config(&dir), machine).await.expect("node starts");
    let mut config = member_config(&dir);
    adjust(&mut config);
    let member = Member::start(config, store, node, ears);
    member.publish().await;
    Living { member, _dir: dir }
}

fn node_config(dir: &tempfile::TempDir) -> NodeConfig {
    let peer = Peer {
        peer_urls: vec!["http://localhost:2380".into()],
        learner: false,
    };
    NodeConfig {
        cluster_id: 9,
        member_id: MEMBER_ID,
        incarnation: 1,
        founders: Some(BTreeMap::from([(MEMBER_ID, peer)])),
        alone: None,
        log_dir: dir.path().join("wal"),
        heartbeat_interval: Duration::from_millis(100),
        election_timeout: Duration::from_millis(1000),
        pre_vote: true,
        elect_early: true,
        snapshot_count_entries: 10_000,
        snapshot_catchup_entries: 5_000,
        unsafe_no_fsync: true,
    }
}

fn member_config(dir: &tempfile::TempDir) -> MemberConfig {
    MemberConfig {
        cluster_id: 9,
        member_id: MEMBER_ID,
        incarnation: 1,
        name: "m".into(),
        client_urls: vec!["http://localhost:2379".into()],
        version: "3.6.14".into(),
        started_at_ms: 1,
        request_timeout: Duration::from_secs(7),
        lease_ttl_min_s: 1,
        lease_checkpoint_interval: None,
        election_timeout: Duration::from_millis(1000),
        auth: AuthConfig {
            tokens: TokenConfig::Simple {
                ttl: Duration::from_secs(300),
            },
            bcrypt_cost: 4,
        },
        limits: Limits::default(),
        membership: MembershipRules::default(),
        quota_bytes: None,
        warning_apply_duration: std::time::Duration::from_millis(100),
        auto_compaction: AutoCompaction::Off,
        watch_progress_interval: Duration::from_secs(600),
        corruption_checks: CorruptionChecks::default(),
        downgrade_check_interval: None,
        scratch_dir: dir.path().to_owned(),
    }
}

/// As long as authentication is off.
#[allow(dead_code, reason = "not every test file uses every helper")]
pub static NOBODY: Caller = Caller {
    user: String::new(),
    auth_revision: 0,
};

#[allow(dead_code, reason = "not every test file uses every helper")]
impl Living {
    /// Puts and returns the revision.
    pub async fn put(&self, key: &str, value: &str) -> i64 {
        let put = PutRequest {
            key: key.to_owned().into(),
            value: value.to_owned().into(),
            ..Default::default()
        };
        self.member
            .put(&NOBODY, put)
            .await
            .expect("put")
            .header
            .expect("header")
            .revision
    }
}

/// Everything from `key` to `end`, from `start_revision` on.
#[allow(dead_code, reason = "not every test file uses every helper")]
pub fn spec(key: &'static str, end: &'static str, start_revision: i64) -> WatchSpec {
    WatchSpec {
        range: KeyRange::new(key.into(), end.into()),
        start_revision,
        watch_id: 0,
        progress_notify: false,
        no_put: false,
        no_delete: false,
        prev_kv: false,
        fragment: false,
    }
}

/// The next item, which must come soon.
#[allow(dead_code, reason = "not every test file uses every helper")]
pub async fn next(stream: &WatchStream) -> WatchItem {
    let mut tick = Instant::now() + Duration::from_secs(3600);
    let item = tokio::time::timeout(Duration::from_secs(10), stream.next(&mut tick)).await;
    item.expect("an item in time").expect("the stream is open")
}

/// Revisions of the next `count` events, whatever else is said between.
#[allow(dead_code, reason = "not every test file uses every helper")]
pub async fn revisions(stream: &WatchStream, count: usize) -> Vec<i64> {
    let mut heard = Vec::new();
    while heard.len() < count {
        if let WatchItem::Events { events, .. } = next(stream).await {
            heard.extend(events.iter().map(|event| event.kv.as_ref().expect("kv").mod_revision));
        }
    }
    heard
}
