//! The client against a real member: `MEMBER_PROGRAM=etcd cargo test -p taffrail-operator --test real_etcd -- --ignored`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "program/mod.rs"]
mod program;

use std::time::Duration;

use program::{port, start, until_ready};
use taffrail_operator::etcd::{Access, Downgrade, Endpoint, Etcd, EtcdClient, EtcdError};

#[tokio::test]
#[ignore = "needs a real etcd"]
async fn a_real_member_is_asked_everything() {
    let directory = tempfile::tempdir().unwrap();
    let port = port();
    let _running = start(directory.path(), port, &[]);
    let client = EtcdClient::default();
    until_ready(&client, port).await;
    let at = Endpoint {
        url: format!("http://127.0.0.1:{port}"),
        server_name: String::new(),
    };
    let (anybody, through) = (Access::default(), [at.clone()]);

    let facts = client.facts(&anybody, &at).await.unwrap();
    println!("{facts:?}");
    assert_eq!(facts.leader_id, facts.member_id);
    let roster = client.roster(&anybody, &through).await.unwrap();
    assert_eq!((roster.cluster_id, roster.members.len()), (facts.cluster_id, 1));
    assert_eq!(client.cluster_version(&anybody, &at).await.unwrap(), "3.6.0");

    let new = "http://127.0.0.1:1";
    let learner = client.add_learner(&anybody, &through, new).await.unwrap();
    assert_eq!(
        client.add_learner(&anybody, &through, new).await,
        Err(EtcdError::PeerUrlExists)
    );
    let other = client.add_learner(&anybody, &through, "http://127.0.0.1:2").await;
    assert_eq!(other, Err(EtcdError::TooManyLearners));
    assert_eq!(
        client.promote(&anybody, &through, learner).await,
        Err(EtcdError::LearnerNotReady)
    );
    assert_eq!(
        client.promote(&anybody, &through, facts.member_id).await,
        Err(EtcdError::NotLearner)
    );
    client.remove(&anybody, &through, learner).await.unwrap();
    assert_eq!(
        client.remove(&anybody, &through, learner).await,
        Err(EtcdError::MemberNotFound)
    );
    assert!(client.move_leader(&anybody, &at, 1).await.is_err());
    assert_eq!(client.alarms(&anybody, &through).await, Ok(vec![]));
    client
        .downgrade(&anybody, &through, Downgrade::Validate, "3.5.0")
        .await
        .unwrap();
    client
        .downgrade(&anybody, &through, Downgrade::Cancel, "3.5.0")
        .await
        .unwrap();

    authentication(&client, &through).await;
}

async fn authentication(client: &EtcdClient, through: &[Endpoint]) {
    let anybody = Access::default();
    let root = |password: &str| Access {
        tls: None,
        user: Some(("root".into(), password.into())),
    };
    assert_eq!(client.auth_enabled(&root("a"), through).await, Ok(false));
    client.set_root(&anybody, through, "old").await.unwrap();
    client.set_root(&anybody, through, "a").await.unwrap();
    client.enable_auth(&anybody, through).await.unwrap();
    assert_eq!(client.auth_enabled(&anybody, through).await, Ok(true));
    assert_eq!(client.auth_enabled(&root("a"), through).await, Ok(true));
    assert_eq!(client.authenticates(&anybody, through, "root", "a").await, Ok(true));
    assert_eq!(client.authenticates(&anybody, through, "root", "old").await, Ok(false));
    assert_eq!(
        client.authenticates(&anybody, through, "nobody", "old").await,
        Ok(false)
    );
    client.set_root(&root("a"), through, "b").await.unwrap();
    println!(
        "without a token: {:?} {:?}",
        client.roster(&anybody, through).await,
        client.facts(&anybody, &through[0]).await.is_ok()
    );
    assert!(client.roster(&root("b"), through).await.is_ok());
    assert!(client.facts(&root("b"), &through[0]).await.is_ok());
    client.enable_auth(&root("b"), through).await.unwrap();
    client.disable_auth(&root("b"), through).await.unwrap();
    client.disable_auth(&root("b"), through).await.unwrap();
    assert_eq!(client.auth_enabled(&root("b"), through).await, Ok(false));
}

/// What a stock etcd keeps until it is told otherwise, and a Taffrail takes back by itself.
#[tokio::test]
#[ignore = "needs a real etcd"]
async fn a_quota_that_was_reached_is_freed_by_compaction_defragmentation_and_disarming() {
    use taffrail_operator::etcd::AlarmKind;
    let directory = tempfile::tempdir().unwrap();
    let port = port() + 10;
    let _running = start(directory.path(), port, &["--quota-backend-bytes=16777216"]);
    let client = EtcdClient::default();
    until_ready(&client, port).await;
    let at = Endpoint {
        url: format!("http://127.0.0.1:{port}"),
        server_name: String::new(),
    };
    let (anybody, through) = (Access::default(), [at.clone()]);
    fill(&at.url).await;
    let full = client.facts(&anybody, &at).await.unwrap();
    let alarms = client.alarms(&anybody, &through).await.unwrap();
    assert!(alarms.iter().any(|one| one.kind == AlarmKind::NoSpace), "{full:?}");

    let revision = full.revision - 1000;
    client.compact(&anybody, &through, revision).await.unwrap();
    client.compact(&anybody, &through, revision).await.unwrap();
    client.defragment(&anybody, &at, Duration::from_secs(60)).await.unwrap();
    let lean = client.facts(&anybody, &at).await.unwrap();
    println!("{} bytes, {} after it", full.db_size_bytes, lean.db_size_bytes);
    assert!(lean.db_size_bytes < full.db_size_bytes * 9 / 10);
    for alarm in alarms {
        client.disarm(&anybody, &through, alarm).await.unwrap();
    }
    assert_eq!(client.alarms(&anybody, &through).await, Ok(vec![]));
    assert!(put(&mut connected(&at.url).await, 1).await.is_ok());
}

type Kv = taffrail_proto::etcdserverpb::kv_client::KvClient<tonic::transport::Channel>;

async fn connected(url: &str) -> Kv {
    Kv::connect(url.to_owned()).await.unwrap()
}

async fn put(kv: &mut Kv, bytes: usize) -> Result<(), tonic::Status> {
    let request = taffrail_proto::etcdserverpb::PutRequest {
        key: b"k".as_slice().into(),
        value: vec![b'v'; bytes].into(),
        ..Default::default()
    };
    kv.put(request).await.map(drop)
}

/// One key is written until no more is taken.
async fn fill(url: &str) {
    let mut kv = connected(url).await;
    for _ in 0..8000 {
        if let Err(status) = put(&mut kv, 8192).await {
            assert!(status.message().contains("database space exceeded"), "{status}");
            return;
        }
    }
    panic!("64 MB were taken with a quota of 16 MB");
}
