use std::io::Write;

use bytes::Bytes;
use taffrail_proto::authpb::{Permission, Role, User, UserAddOptions};
use taffrail_proto::etcdserverpb::AlarmMember;
use taffrail_proto::mvccpb::KeyValue;

use super::write::write_buckets;
use super::*;
use crate::{Lease, RangeError, Revision, StoreFailure, StoredRevision};

#[derive(Default, Clone)]
struct Fake {
    compacted: i64,
    records: Vec<StoredRevision>,
    leases: Vec<Lease>,
    alarms: Vec<AlarmMember>,
    auth: AuthRecords,
}

impl BackupSource for Fake {
    fn revision(&self) -> i64 {
        self.records
            .last()
            .map_or(1, |last| last.revision.main)
            .max(self.compacted)
    }
    fn compacted(&self) -> i64 {
        self.compacted
    }
    fn records(&self) -> Result<impl Iterator<Item = Result<StoredRevision, StoreFailure>>, RangeError> {
        Ok(self.records.iter().cloned().map(Ok))
    }
    fn leases(&self) -> Result<Vec<Lease>, StoreFailure> {
        Ok(self.leases.clone())
    }
    fn alarms(&self) -> Vec<AlarmMember> {
        self.alarms.clone()
    }
    fn auth(&self) -> AuthRecords {
        self.auth.clone()
    }
}

fn put(main: i64, key: &str, create: i64, version: i64, value: &str, lease: i64) -> StoredRevision {
    let kv = KeyValue {
        key: Bytes::copy_from_slice(key.as_bytes()),
        create_revision: create,
        mod_revision: main,
        version,
        value: Bytes::copy_from_slice(value.as_bytes()),
        lease,
    };
    StoredRevision {
        revision: Revision { main, sub: 0 },
        tombstone: false,
        kv,
    }
}

fn delete(main: i64, key: &str) -> StoredRevision {
    let kv = KeyValue {
        key: Bytes::copy_from_slice(key.as_bytes()),
        ..KeyValue::default()
    };
    StoredRevision {
        revision: Revision { main, sub: 0 },
        tombstone: true,
        kv,
    }
}

fn sample() -> Fake {
    let mut records = vec![
        put(2, "a", 2, 1, "one", 0),
        put(3, "b", 3, 1, "two", 7),
        put(4, "a", 2, 2, "three", 0),
    ];
    records.push(delete(5, "b"));
    records.extend((6..2_000).map(|main| put(main, &format!("k{:04}", main % 500), main, 1, "value", 0)));
    let leases = vec![
        Lease {
            id: 7,
            ttl_s: 60,
            remaining_ttl_s: 0,
        },
        Lease {
            id: i64::MAX,
            ttl_s: 9,
            remaining_ttl_s: 4,
        },
    ];
    Fake {
        compacted: 2,
        records,
        leases,
        ..Fake::default()
    }
}

fn facts() -> BackupFacts {
    let member = BackupMember {
        id: 0x8e9e_05c5_2164_694d,
        name: "default".into(),
        peer_urls: vec!["http://localhost:2380".into()],
        client_urls: vec!["http://localhost:2379".into()],
        is_learner: false,
    };
    BackupFacts {
        term: 2,
        index: 2_100,
        cluster_version: Some("3.6.0".into()),
        storage_version: "3.6.0".into(),
        members: vec![member],
        removed_members: vec![1],
    }
}

/// The file as a client saves it.
fn save(source: &Fake) -> tempfile::NamedTempFile {
    let mut plain = tempfile::tempfile().unwrap();
    let summary = write_buckets(source, &facts(), &mut plain).unwrap();
    let mut saved = tempfile::NamedTempFile::new().unwrap();
    let mut last_remaining = u64::MAX;
    for chunk in Chunks::new(plain, summary.bytes).unwrap() {
        let chunk = chunk.unwrap();
        assert!(chunk.remaining_bytes <= last_remaining);
        last_remaining = chunk.remaining_bytes;
        saved.write_all(&chunk.bytes).unwrap();
    }
    assert_eq!(
        saved.as_file().metadata().unwrap().len(),
        summary.bytes + CHECKSUM_BYTES
    );
    saved
}

#[test]
fn what_is_written_is_read_back() {
    let mut source = sample();
    source.alarms = vec![AlarmMember { member_id: 5, alarm: 1 }];
    source.auth = AuthRecords {
        enabled: true,
        revision: 9,
        users: vec![User {
            name: "root".into(),
            ..User::default()
        }],
        roles: vec![Role {
            name: "root".into(),
            ..Role::default()
        }],
    };
    let backup = Backup::open_checked(save(&source).path()).unwrap();
    assert_eq!(
        backup.records().unwrap().collect::<Result<Vec<_>, _>>().unwrap(),
        source.records
    );
    assert_eq!(backup.leases().unwrap(), source.leases);
    assert_eq!(backup.alarms().unwrap(), source.alarms);
    assert_eq!(backup.auth().unwrap(), source.auth);
    assert_eq!(backup.compacted().unwrap(), 2);
    assert_eq!(backup.storage_version().unwrap().as_deref(), Some("3.6.0"));
}

#[test]
fn status_counts_live_keys() {
    let status = status(save(&sample()).path()).unwrap();
    assert_eq!(
        (status.revision, status.total_keys, status.version.as_str()),
        (1_999, 501, "3.6.0")
    );
    assert_eq!(status.total_size % 4096, 0);
}

#[test]
fn a_checksum_that_is_missing_or_wrong_is_refused() {
    let saved = save(&sample());
    let mut bytes = std::fs::read(saved.path()).unwrap();
    bytes[10_000] ^= 1;
    std::fs::write(saved.path(), &bytes).unwrap();
    assert!(matches!(
        Backup::open_checked(saved.path()),
        Err(OpenBackupError::WrongChecksum)
    ));
    bytes.truncate(bytes.len() - 32);
    std::fs::write(saved.path(), &bytes).unwrap();
    assert!(matches!(
        Backup::open_checked(saved.path()),
        Err(OpenBackupError::NoChecksum)
    ));
    assert!(Backup::open(saved.path()).is_ok());
}

#[test]
fn records_that_end_early_are_no_backup() {
    struct Short(Fake);
    impl BackupSource for Short {
        fn revision(&self) -> i64 {
            self.0.revision()
        }
        fn compacted(&self) -> i64 {
            -1
        }
        fn records(&self) -> Result<impl Iterator<Item = Result<StoredRevision, StoreFailure>>, RangeError> {
            Ok(self.0.records()?.take(10))
        }
        fn leases(&self) -> Result<Vec<Lease>, StoreFailure> {
            Ok(Vec::new())
        }
        fn alarms(&self) -> Vec<AlarmMember> {
            Vec::new()
        }
        fn auth(&self) -> AuthRecords {
            AuthRecords::default()
        }
    }
    let written = write_buckets(&Short(sample()), &facts(), &mut std::io::Cursor::new(Vec::new()));
    assert!(matches!(
        written,
        Err(BackupError::Incomplete {
            reached: 11,
            expected: 1_999
        })
    ));
}

/// For looking at a file with etcd's own tools: set TAFFRAIL_BACKUP_SAMPLE to where it shall be written.
#[test]
fn a_sample_file_is_kept_on_request() {
    let Some(path) = std::env::var_os("TAFFRAIL_BACKUP_SAMPLE") else {
        return;
    };
    let mut source = sample();
    source.records.push(put(2_000, "leased", 2_000, 1, "v", 7));
    std::fs::copy(save(&source).path(), path).unwrap();
}

fn restored(
    path: &std::path::Path,
    options: RestoreOptions,
) -> Result<(RestoreSummary, crate::Store, tempfile::TempDir), RestoreError> {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let summary = restore(path, &dir, &options, None)?;
    let (store, _applier) = crate::Store::open(&dir, &crate::Options::default()).unwrap();
    Ok((summary, store, folder))
}

#[test]
fn a_restored_store_gives_the_same_backup() {
    let source = sample();
    let (summary, store, _folder) = restored(save(&source).path(), RestoreOptions::default()).unwrap();
    assert_eq!((summary.revision, summary.compacted, summary.leases), (1_999, 2, 2));
    let view = store.view();
    assert_eq!((view.revision(), view.compacted()), (1_999, 2));
    assert_eq!(
        view.revisions(1_999).unwrap().collect::<Result<Vec<_>, _>>().unwrap(),
        source.records
    );
    let mut again = tempfile::NamedTempFile::new().unwrap();
    write(&view, &facts(), again.as_file_mut()).unwrap();
    assert_eq!(status(again.path()).unwrap(), status(save(&source).path()).unwrap());
}

#[test]
fn a_bumped_restore_keeps_only_what_is_current() {
    let options = RestoreOptions {
        bump_revision: 1_000,
        mark_compacted: true,
        skip_hash_check: false,
    };
    let (summary, store, _folder) = restored(save(&sample()).path(), options).unwrap();
    assert_eq!(
        (summary.revision, summary.compacted, summary.records),
        (2_999, 2_999, 501)
    );
    assert_eq!((store.view().revision(), store.view().compacted()), (2_999, 2_999));
}

#[test]
fn a_bump_is_only_taken_together_with_marking_compacted() {
    let saved = save(&sample());
    for (bump_revision, mark_compacted) in [(5, false), (0, true)] {
        let options = RestoreOptions {
            bump_revision,
            mark_compacted,
            skip_hash_check: false,
        };
        assert!(matches!(restored(saved.path(), options), Err(RestoreError::HalfBump)));
    }
    let options = RestoreOptions {
        bump_revision: u64::MAX,
        mark_compacted: true,
        skip_hash_check: false,
    };
    assert!(matches!(
        restored(saved.path(), options),
        Err(RestoreError::BumpTooFar { .. })
    ));
}

#[test]
fn a_restored_store_has_the_same_users_and_roles() {
    let mut source = sample();
    source.auth = AuthRecords {
        enabled: true,
        revision: 9,
        users: vec![user("root", &["root"]), user("someone", &["reader"])],
        roles: vec![Role {
            name: "reader".into(),
            key_permission: vec![Permission {
                perm_type: 0,
                key: "a".into(),
                range_end: "c".into(),
            }],
        }],
    };
    let (_, store, _folder) = restored(save(&source).path(), RestoreOptions::default()).unwrap();
    let view = store.view();
    assert_eq!(BackupSource::auth(&view), source.auth);
    let someone = crate::Caller {
        user: "someone".into(),
        auth_revision: 9,
    };
    assert_eq!(view.auth().permit_read(&someone, b"b", b""), Ok(()));
    assert!(view.auth().permit_read(&someone, b"c", b"").is_err());
    assert!(view.auth().permit_write(&someone, b"b", b"").is_err());
}

#[test]
fn a_restored_store_without_users_says_the_first_auth_revision() {
    let (_, store, _folder) = restored(save(&sample()).path(), RestoreOptions::default()).unwrap();
    assert!(store.view().auth().is_untouched());
}

fn user(name: &'static str, roles: &[&str]) -> User {
    User {
        name: name.into(),
        password: "$2a$10$hash".into(),
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
        options: Some(UserAddOptions { no_password: false }),
    }
}

#[test]
fn a_compaction_that_was_only_begun_is_finished() {
    let mut source = sample();
    source.compacted = -1;
    let survivors_of = |floor| {
        let saved = save(&source);
        let backup = Backup::open(saved.path()).unwrap();
        let survivors = super::survivors::Survivors::find(&backup, floor).unwrap();
        let left: Vec<_> = source
            .records
            .iter()
            .filter(|record| survivors.contains(record))
            .take(3)
            .collect();
        left.iter()
            .map(|record| (record.revision.main, record.tombstone))
            .collect::<Vec<_>>()
    };
    assert_eq!(survivors_of(-1), [(2, false), (3, false), (4, false)]);
    assert_eq!(survivors_of(4), [(3, false), (4, false), (5, true)]);
    assert_eq!(survivors_of(5), [(4, false), (5, true), (6, false)]);
    assert_eq!(survivors_of(6), [(4, false), (6, false), (7, false)]);
}

#[test]
fn an_existing_folder_is_not_restored_into() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("something"), "").unwrap();
    let refused = restore(save(&sample()).path(), folder.path(), &RestoreOptions::default(), None);
    assert!(matches!(refused, Err(RestoreError::NotEmpty(_))));
}
