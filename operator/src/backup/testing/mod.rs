//! Doubles: a member whose snapshot can go wrong in every way, and an S3 server that can.

mod member;
mod s3;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use object_store::memory::InMemory;
use taffrail_crds::{BackupTarget, Compression, S3Target, SecretRef, VolumeTarget};

pub use member::{FakeMember, Fault};
pub use s3::{FakeS3, Trouble};

use super::places::Places;
use super::request::{Fetch, MemberAddress, Origin, Take};
use super::store::Store;

pub const KEY: &str = "ns/demo/nightly/20261122T041300Z-0a1b2c3d";
pub const STALL: Duration = Duration::from_secs(5);

pub fn origin() -> Origin {
    Origin {
        namespace: "ns".into(),
        cluster: "demo".into(),
        cluster_uid: "cluster-uid".into(),
        backup: "nightly-1".into(),
        backup_uid: "0a1b2c3d-1111".into(),
        schedule: Some("ns/nightly".into()),
    }
}

pub fn take_of(members: &[&FakeMember], target: BackupTarget) -> Take {
    let members = members.iter().enumerate().map(|(number, member)| MemberAddress {
        name: format!("demo-{number}"),
        url: member.url.clone(),
        server_name: String::new(),
    });
    Take {
        target,
        compression: Compression::Zstd,
        recipients: Vec::new(),
        identity: false,
        members: members.collect(),
        key: KEY.into(),
        origin: origin(),
        part_bytes: 1,
        stall_seconds: STALL.as_secs(),
    }
}

pub fn fetch_of(key: &str, target: BackupTarget, folder: &std::path::Path) -> Fetch {
    Fetch {
        target,
        key: key.into(),
        artifact: None,
        identity: false,
        folder: folder.display().to_string(),
        data_dir: Some("etcd".into()),
        stall_seconds: STALL.as_secs(),
    }
}

pub fn memory() -> Store {
    Store::around(Arc::new(InMemory::new()), Arc::default(), STALL)
}

pub fn volume() -> BackupTarget {
    let volume = VolumeTarget {
        claim_name: "backups".into(),
        prefix: Some("etcd/prod".into()),
    };
    BackupTarget {
        volume: Some(volume),
        ..Default::default()
    }
}

pub fn s3(server: &FakeS3, bucket: &str) -> BackupTarget {
    let s3 = S3Target {
        bucket: bucket.into(),
        prefix: Some("etcd".into()),
        region: None,
        endpoint: Some(server.url.clone()),
        force_path_style: true,
        credentials_secret_ref: Some(SecretRef { name: "keys".into() }),
    };
    BackupTarget {
        s3: Some(s3),
        ..Default::default()
    }
}

/// A pod's folders, with credentials and a volume.
pub fn places(root: &std::path::Path) -> Places {
    let places = Places::below(root);
    for folder in [&places.credentials, &places.volume, &places.identity] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::write(places.credentials.join("accessKeyId"), "id").unwrap();
    std::fs::write(places.credentials.join("secretAccessKey"), "secret").unwrap();
    places
}

/// Polled so often, and then dropped as by a crash.
pub struct Crashing<F>(pub Pin<Box<F>>, pub usize);

impl<F: Future> Future for Crashing<F> {
    /// None: it was dropped.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.1 == 0 {
            return Poll::Ready(None);
        }
        self.1 -= 1;
        self.0.as_mut().poll(context).map(Some)
    }
}
