//! The log in `tests/etcd-3.6` was written by etcd 3.6.14 and ended by a kill: its database reaches revision 4, its
//! log revision 8.

use super::*;
use taffrail_proto::etcdserverpb::InternalRaftRequest;

const SEGMENT: &str = "0000000000000000-0000000000000000.wal";

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/etcd-3.6/member/wal")
}

fn bytes() -> Vec<u8> {
    fs::read(fixture().join(SEGMENT)).unwrap()
}

/// A log of one segment with these bytes.
fn log_of(bytes: &[u8]) -> Result<EtcdLog, WalError> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(SEGMENT), bytes).unwrap();
    EtcdLog::open(dir.path(), 0)
}

fn written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

#[test]
fn what_etcd_wrote_is_read() {
    let log = EtcdLog::open(&fixture(), 0).unwrap();
    assert_ne!(log.owner.member_id, 0);
    assert!(log.torn.is_none());
    let entries: Vec<_> = log.entries(u64::MAX).collect::<Result<_, _>>().unwrap();
    assert_eq!(entries.last().unwrap().position, log.last);
    assert!(log.commit <= log.last.index && log.commit + 1 >= log.last.index);
    let puts = entries.iter().filter_map(|entry| match &entry.content {
        EtcdContent::Request(request) => InternalRaftRequest::decode(request.clone()).unwrap().put,
        EtcdContent::Configuration(_) => None,
    });
    let keys: Vec<_> = puts.map(|put| put.key).collect();
    assert_eq!(keys, ["a", "b", "c", "k1", "k2", "k3"]);
    let first = &entries[0].content;
    assert!(matches!(first, EtcdContent::Configuration(change) if change.kind == ADD));
}

#[test]
fn only_what_the_database_lacks_is_given() {
    let log = EtcdLog::open(&fixture(), 10).unwrap();
    let indexes: Vec<_> = log.entries(12).map(|entry| entry.unwrap().position.index).collect();
    assert_eq!(indexes, [11, 12]);
}

#[test]
fn a_log_that_ends_before_the_database_is_refused() {
    let refused = EtcdLog::open(&fixture(), 1_000).unwrap_err();
    assert!(matches!(refused, WalError::Short { expected: 1_000, .. }), "{refused}");
}

#[test]
fn a_flipped_byte_is_never_read_over() {
    let whole = bytes();
    let entries = log_of(&whole).unwrap().places.len();
    for at in (0..written(&whole)).step_by(7) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        match log_of(&flipped) {
            Err(_) => {}
            // The last record may count as cut short, which is told. Some bits of a length mean nothing.
            Ok(log) => assert!(
                log.places.len() == entries || log.torn.is_some() && log.places.len() + 1 == entries,
                "byte {at}"
            ),
        }
    }
}

#[test]
fn a_last_write_that_was_cut_short_is_told() {
    let mut cut = bytes();
    let end = written(&cut);
    let sector = (end - 1) / 512 * 512;
    cut[sector..].fill(0);
    match log_of(&cut) {
        Ok(log) => assert!(log.torn.is_some() || log.last.index > 0),
        Err(refused) => assert!(matches!(refused, WalError::Short { .. }), "{refused}"),
    }
}

#[test]
fn a_missing_segment_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(EtcdLog::open(dir.path(), 0), Err(WalError::None(_))));
    fs::write(dir.path().join(SEGMENT), bytes()).unwrap();
    fs::write(dir.path().join("0000000000000002-0000000000000009.wal"), b"").unwrap();
    assert!(matches!(EtcdLog::open(dir.path(), 0), Err(WalError::Missing(_))));
}
