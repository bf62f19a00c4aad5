//! A backup of a real member, restored and compared:
//! `MEMBER_PROGRAM=etcd RESTORE_PROGRAM=etcdutl cargo test -p taffrail-operator --test real_backup -- --ignored`.
//! `taffrail` may stand for either; `RESTORED_PROGRAM` is what runs on the restored data, if it is another.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use taffrail_crds::{Artifact, BackupTarget, Compression, VolumeTarget};
use taffrail_operator::backup::places::Places;
use taffrail_operator::backup::request::{Check, Fetch, Finish, MemberAddress, Origin, Take};
use taffrail_operator::backup::{Outcome, Request, run};
use taffrail_proto::etcdserverpb::kv_client::KvClient;
use taffrail_proto::etcdserverpb::{CompactionRequest, PutRequest};
use tokio::sync::watch;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} names a program"))
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn start(program: &str, directory: &Path, port: u16) -> Running {
    let args = [
        ("--name", "m0".to_owned()),
        ("--data-dir", directory.display().to_string()),
        ("--listen-client-urls", url(port)),
        ("--advertise-client-urls", url(port)),
        ("--listen-peer-urls", url(port + 1)),
        ("--initial-advertise-peer-urls", url(port + 1)),
        ("--initial-cluster", format!("m0={}", url(port + 1))),
        ("--quota-backend-bytes", (4_i64 << 30).to_string()),
    ];
    let mut command = Command::new(program);
    for (flag, value) in &args {
        command.arg(flag).arg(value);
    }
    Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// Puts `keys` values of so many bytes that do not compress, over and over so that there are old versions.
async fn fill(port: u16, keys: u32, value_bytes: usize) {
    let mut client = loop {
        match KvClient::connect(url(port)).await {
            Ok(client) => break client,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    };
    let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
    for number in 0..keys + keys / 2 {
        let value: Vec<u8> = (0..value_bytes.div_ceil(8))
            .flat_map(|_| {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                noise.to_le_bytes()
            })
            .collect();
        let key = format!("/registry/{:08}", number % keys).into_bytes();
        let put = PutRequest {
            key: key.into(),
            value: value.into(),
            ..Default::default()
        };
        while client.put(put.clone()).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    client
        .compact(CompactionRequest {
            revision: i64::from(keys) / 3,
            physical: true,
        })
        .await
        .unwrap();
}

async fn work(request: Request, places: &Places) -> Outcome {
    let (_send, stop) = watch::channel(false);
    run::work(&request, places, Arc::default(), stop).await.unwrap()
}

fn target() -> BackupTarget {
    let volume = VolumeTarget {
        claim_name: "backups".into(),
        prefix: None,
    };
    BackupTarget {
        volume: Some(volume),
        ..Default::default()
    }
}

async fn taken(places: &Places, port: u16) -> Artifact {
    let take = Take {
        target: target(),
        compression: Compression::Zstd,
        recipients: Vec::new(),
        identity: false,
        members: vec![MemberAddress {
            name: "m0".into(),
            url: url(port),
            server_name: String::new(),
        }],
        key: "ns/demo/manual/20261122T000000Z-0a1b2c3d".into(),
        origin: Origin::default(),
        part_bytes: 8 << 20,
        stall_seconds: 60,
    };
    match work(Request::Take(Box::new(take)), places).await {
        Outcome::Taken { artifact } => artifact,
        other => panic!("{other:?}"),
    }
}

fn restore(folder: &Path, port: u16) {
    let snapshot = folder.join(Fetch::SNAPSHOT);
    let status = Command::new(program("RESTORE_PROGRAM"))
        .args(["snapshot", "restore"])
        .arg(&snapshot)
        .arg("--data-dir")
        .arg(folder.join(Fetch::RESTORING))
        .args(["--name", "m0", "--initial-advertise-peer-urls", &url(port + 1)])
        .args(["--initial-cluster", &format!("m0={}", url(port + 1))])
        .status();
    assert!(status.unwrap().success());
}

#[tokio::test]
#[ignore = "needs a real etcd"]
async fn what_a_real_member_held_is_held_by_the_restored_one() {
    let root = tempfile::tempdir().unwrap();
    let places = Places::below(root.path());
    std::fs::create_dir_all(&places.volume).unwrap();
    let port = std::env::var("MEMBER_PORT").map_or(23890, |port| port.parse().unwrap());
    let number = |name: &str, default: u32| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let member = start(&program("MEMBER_PROGRAM"), &root.path().join("first"), port);
    fill(port, number("KEYS", 3000), number("VALUE_BYTES", 2000) as usize).await;
    let began = std::time::Instant::now();
    let artifact = taken(&places, port).await;
    println!(
        "taken in {:?}: {artifact:?}; peak memory {} MiB",
        began.elapsed(),
        peak_mebibytes()
    );
    drop(member);

    let folder = root.path().join("restored");
    let place = folder.display().to_string();
    let fetch = Fetch {
        target: target(),
        key: artifact.key.clone(),
        artifact: Some(artifact.clone()),
        identity: false,
        folder: place.clone(),
        data_dir: Some("etcd".into()),
        stall_seconds: 60,
    };
    work(Request::Fetch(Box::new(fetch.clone())), &places).await;
    println!("fetched; peak memory {} MiB", peak_mebibytes());
    restore(&folder, port);
    work(
        Request::Finish(Finish {
            folder: place,
            data_dir: "etcd".into(),
        }),
        &places,
    )
    .await;
    let again = work(Request::Fetch(Box::new(fetch)), &places).await;
    assert_eq!(
        again,
        Outcome::Fetched {
            artifact: None,
            snapshot_bytes: 0
        }
    );

    let restored = std::env::var("RESTORED_PROGRAM").unwrap_or_else(|_| program("MEMBER_PROGRAM"));
    let _restored = start(&restored, &folder.join("etcd"), port);
    let check = Check {
        url: url(port),
        artifact: artifact.clone(),
        patience_seconds: 60,
    };
    match work(Request::Check(Box::new(check.clone())), &places).await {
        Outcome::Checked { verification } => println!("{verification:?}"),
        other => panic!("{other:?}"),
    }
    let wrong = Check {
        artifact: Artifact {
            keys: artifact.keys + 1,
            ..artifact
        },
        ..check
    };
    let (_send, stop) = watch::channel(false);
    assert!(
        run::work(&Request::Check(Box::new(wrong)), &places, Arc::default(), stop)
            .await
            .is_err()
    );
}

/// Of this process, so far.
fn peak_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}
