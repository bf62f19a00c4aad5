//! Writes a backup that etcd's tools and etcd itself accept: etcd's ten buckets in a bbolt file.

use std::collections::BTreeMap;
use std::io::{Seek, Write};

use prost::Message;

use super::bolt::{WriteError, Writer};
use super::layout::{self, LeaseRecord};
use super::source::{BackupFacts, BackupMember, BackupSource, BackupSummary};
use crate::{Lease, RangeError, Revision, StoreFailure, View};

/// etcd counts the first revision of an empty store as 1.
const FIRST_REVISION: i64 = 1;

/// Why a backup could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Store(#[from] StoreFailure),
    #[error(transparent)]
    Range(#[from] RangeError),
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The records end early, so that a member restored from them would go back in time.
    #[error("the records reach revision {reached}, but the store is at {expected}")]
    Incomplete { reached: i64, expected: i64 },
}

/// A small bucket: bbolt wants its keys in order.
type Small = BTreeMap<Vec<u8>, Vec<u8>>;

/// Writes one file from position 0 of `out`. The checksum that ends a snapshot file is not part of it: see
/// [`Chunks`](super::Chunks). Blocks for as long as it takes to read everything.
pub fn write(view: &View, facts: &BackupFacts, out: &mut (impl Write + Seek)) -> Result<BackupSummary, BackupError> {
    write_buckets(view, facts, out)
}

pub(super) fn write_buckets(
    source: &impl BackupSource,
    facts: &BackupFacts,
    out: &mut (impl Write + Seek),
) -> Result<BackupSummary, BackupError> {
    let mut file = Writer::new(out)?;
    write_small(
        &mut file,
        layout::ALARM,
        source
            .alarms()
            .iter()
            .map(|alarm| (alarm.encode_to_vec(), vec![]))
            .collect(),
    )?;
    write_auth(&mut file, source)?;
    write_small(&mut file, layout::CLUSTER, cluster(facts))?;
    let records = write_records(&mut file, source)?;
    write_small(&mut file, layout::LEASE, source.leases()?.iter().map(lease).collect())?;
    write_small(&mut file, layout::MEMBERS, facts.members.iter().map(member).collect())?;
    write_small(
        &mut file,
        layout::MEMBERS_REMOVED,
        facts.removed_members.iter().map(removed).collect(),
    )?;
    write_small(&mut file, layout::META, meta(source.compacted(), facts))?;
    Ok(BackupSummary {
        revision: source.revision(),
        records,
        bytes: file.finish()?,
    })
}

fn write_small<W: Write + Seek>(file: &mut Writer<W>, name: &[u8], entries: Small) -> Result<(), WriteError> {
    let mut bucket = file.bucket(name)?;
    for (key, value) in &entries {
        bucket.put(key, value)?;
    }
    bucket.finish()
}

fn write_records<W: Write + Seek>(file: &mut Writer<W>, source: &impl BackupSource) -> Result<u64, BackupError> {
    let mut bucket = file.bucket(layout::KEY)?;
    let (mut count, mut reached, mut value) = (0, source.compacted().max(FIRST_REVISION), Vec::new());
    for record in source.records()? {
        let record = record?;
        value.clear();
        // A Vec grows, so encoding into it cannot fail.
        let _ = record.kv.encode(&mut value);
        bucket.put(&layout::revision_key(record.revision, record.tombstone), &value)?;
        reached = reached.max(record.revision.main);
        count += 1;
    }
    bucket.finish()?;
    if reached == source.revision() {
        Ok(count)
    } else {
        Err(BackupError::Incomplete {
            reached,
            expected: source.revision(),
        })
    }
}

fn write_auth<W: Write + Seek>(file: &mut Writer<W>, source: &impl BackupSource) -> Result<(), BackupError> {
    let auth = source.auth();
    let state = [
        (layout::AUTH_ENABLED.to_vec(), vec![u8::from(auth.enabled)]),
        (
            layout::AUTH_REVISION.to_vec(),
            auth.revision.max(1).to_be_bytes().to_vec(),
        ),
    ];
    write_small(file, layout::AUTH, state.into())?;
    let roles = auth.roles.iter().map(|role| (role.name.to_vec(), role.encode_to_vec()));
    write_small(file, layout::AUTH_ROLES, roles.collect())?;
    let users = auth.users.iter().map(|user| (user.name.to_vec(), user.encode_to_vec()));
    write_small(file, layout::AUTH_USERS, users.collect())?;
    Ok(())
}

fn cluster(facts: &BackupFacts) -> Small {
    let no_downgrade = br#"{"target-version":"","enabled":false}"#.to_vec();
    let version = facts
        .cluster_version
        .iter()
        .map(|version| (layout::CLUSTER_VERSION.to_vec(), version.clone().into()));
    version.chain([(layout::DOWNGRADE.to_vec(), no_downgrade)]).collect()
}

fn lease(lease: &Lease) -> (Vec<u8>, Vec<u8>) {
    let Lease {
        id,
        ttl_s,
        remaining_ttl_s,
    } = *lease;
    (
        id.to_be_bytes().to_vec(),
        LeaseRecord {
            id,
            ttl_s,
            remaining_ttl_s,
        }
        .encode_to_vec(),
    )
}

fn member(member: &BackupMember) -> (Vec<u8>, Vec<u8>) {
    let BackupMember {
        id,
        name,
        peer_urls,
        client_urls,
        is_learner,
    } = member;
    let list = |urls: &[String]| {
        urls.iter()
            .map(|url| layout::json_string(url))
            .collect::<Vec<_>>()
            .join(",")
    };
    let mut json = format!(r#"{{"id":{id},"peerURLs":[{}]"#, list(peer_urls));
    if *is_learner {
        json += r#","isLearner":true"#;
    }
    if !name.is_empty() {
        json += &format!(r#","name":{}"#, layout::json_string(name));
    }
    if !client_urls.is_empty() {
        json += &format!(r#","clientURLs":[{}]"#, list(client_urls));
    }
    json.push('}');
    (layout::member_key(*id), json.into_bytes())
}

fn removed(id: &u64) -> (Vec<u8>, Vec<u8>) {
    (layout::member_key(*id), b"removed".to_vec())
}

fn meta(compacted: i64, facts: &BackupFacts) -> Small {
    let mut meta = Small::from([
        (layout::CONF_STATE.to_vec(), conf_state(&facts.members).into_bytes()),
        (layout::CONSISTENT_INDEX.to_vec(), facts.index.to_be_bytes().to_vec()),
        (
            layout::STORAGE_VERSION.to_vec(),
            facts.storage_version.clone().into_bytes(),
        ),
        (layout::TERM.to_vec(), facts.term.to_be_bytes().to_vec()),
    ]);
    if compacted >= 0 {
        let floor = layout::revision_key(
            Revision {
                main: compacted,
                sub: 0,
            },
            false,
        );
        meta.insert(layout::SCHEDULED_COMPACTION.to_vec(), floor.clone());
        meta.insert(layout::FINISHED_COMPACTION.to_vec(), floor);
    }
    meta
}

fn conf_state(members: &[BackupMember]) -> String {
    let ids = |learners: bool| {
        let ids = members
            .iter()
            .filter(|member| member.is_learner == learners)
            .map(|member| member.id.to_string());
        ids.collect::<Vec<_>>().join(",")
    };
    let learners = Some(ids(true)).filter(|ids| !ids.is_empty());
    let learners = learners.map_or(String::new(), |ids| format!(r#""learners":[{ids}],"#));
    format!(r#"{{"voters":[{}],{learners}"auto_leave":false}}"#, ids(false))
}
