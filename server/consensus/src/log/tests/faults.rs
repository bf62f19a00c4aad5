//! Disks that say no.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::Log;
use super::super::memory_disk::{Fate, MemoryDisk, Step};
use super::{Model, Op, append, entry, open, options, run};
use crate::failure::Failure;

/// Lets everything work but this step, and counts the steps of that kind.
fn failing(disk: &MemoryDisk, step: Step, kind: ErrorKind) -> Arc<AtomicUsize> {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    disk.judged(move |now| {
        if now != step {
            return Fate::Works;
        }
        count.fetch_add(1, Ordering::Relaxed);
        Fate::Fails(kind)
    });
    seen
}

#[tokio::test]
async fn a_failed_fsync_is_never_retried() {
    let disk = MemoryDisk::default();
    let failure = Failure::new();
    let (log, writer) = Log::open(Arc::new(disk.clone()), options(), failure.clone()).unwrap();
    tokio::spawn(writer.run_as_task());
    run(&log, &Op::Append(vec![entry(1, 1, 10)])).await.unwrap();

    let syncs = failing(&disk, Step::Sync, ErrorKind::Other);
    let first = append(&log, vec![entry(1, 2, 10)]).await;
    assert!(log.flush().await.is_err());
    let second = append(&log, vec![entry(1, 3, 10)]).await;
    assert!(log.flush().await.is_err());
    assert_eq!(
        (*first.lock().unwrap(), *second.lock().unwrap()),
        (Some(false), Some(false))
    );
    assert_eq!(syncs.load(Ordering::Relaxed), 1);
    assert!(failure.get().unwrap().contains("what reached the disk is unknown"));
}

#[tokio::test]
async fn a_full_disk_acknowledges_nothing() {
    let disk = MemoryDisk::default();
    let log = open(&disk).unwrap();
    run(&log, &Op::Append(vec![entry(1, 1, 10)])).await.unwrap();
    let before = Model::of(&log);
    failing(&disk, Step::Create, ErrorKind::StorageFull);
    // Does not fit into the segment in use.
    let told = append(&log, vec![entry(1, 2, 8000)]).await;
    assert!(log.flush().await.unwrap_err().to_string().contains("cannot be written"));
    assert_eq!(*told.lock().unwrap(), Some(false));
    disk.judged(|_| Fate::Works);
    assert_eq!(Model::of(&open(&disk).unwrap()), before);
}

#[tokio::test]
async fn each_kind_of_failure_stops_the_writer() {
    for step in [Step::Create, Step::Rename, Step::Write, Step::Sync, Step::SyncNames] {
        let disk = MemoryDisk::default();
        let log = open(&disk).unwrap();
        run(&log, &Op::Append(vec![entry(1, 1, 10)])).await.unwrap();
        failing(&disk, step, ErrorKind::Other);
        let told = append(&log, vec![entry(1, 2, 8000)]).await;
        assert!(log.flush().await.is_err(), "{step:?}");
        assert_eq!(*told.lock().unwrap(), Some(false), "{step:?}");
        disk.judged(|_| Fate::Works);
        assert!(log.flush().await.is_err(), "{step:?}: the log must stay closed");
    }
}

#[tokio::test]
async fn a_purged_segment_that_cannot_be_removed_is_only_in_the_way() {
    let (disk, states) = super::told().await;
    let log = open(&disk).unwrap();
    failing(&disk, Step::Remove, ErrorKind::PermissionDenied);
    let upto = states.last().unwrap().entries[25].0;
    log.purge(upto).await.unwrap();
    assert_eq!(disk.names().len(), 3);
    disk.judged(|_| Fate::Works);
    let after = Model::of(&open(&disk).unwrap());
    assert_eq!((after.purged, after.entries[0].0.index), (upto, upto.index + 1));
}

#[tokio::test]
async fn damage_that_comes_later_is_an_error_for_the_reader() {
    let (disk, states) = super::told().await;
    let name = disk.names().remove(0);
    let log = open(&disk).unwrap();
    let file = super::super::disk::Disk::open(&disk, &name).unwrap();
    file.write_at(&[0xff; 3000], 600).unwrap();
    let first = states.last().unwrap().entries[0].0.index;
    let error = log.read(first..first + 20, usize::MAX).unwrap_err();
    assert!(error.to_string().contains("cannot be read back"), "{error}");
}
