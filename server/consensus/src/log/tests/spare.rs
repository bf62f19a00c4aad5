//! Segments filled by a thread of their own, on a real folder.

use std::sync::Arc;

use super::super::{Log, LogOptions, RealDisk};
use super::{Model, append, entry, options};
use crate::failure::Failure;

fn open(folder: &std::path::Path) -> (Log, std::thread::JoinHandle<()>) {
    let disk = Arc::new(RealDisk::open(folder, true).unwrap());
    let options = LogOptions {
        segment_bytes: 16 << 10,
        spare_in_background: true,
        ..options()
    };
    let (log, writer) = Log::open(disk, options, Failure::new()).unwrap();
    (log, std::thread::spawn(move || writer.run()))
}

/// Spares are ordered and renamed at the same time; none may be made over one that is in use.
#[tokio::test]
async fn a_hundred_rolled_segments_hold_every_entry() {
    let folder = tempfile::tempdir().unwrap();
    let (log, writer) = open(folder.path());
    for first in (1..1500).step_by(3) {
        let _told = append(&log, (first..first + 3).map(|index| entry(1, index, 1000)).collect()).await;
        log.flush().await.unwrap();
    }
    let before = Model::of(&log);
    assert_eq!(before.entries.len(), 1500);
    drop(log);
    writer.join().unwrap();

    let (log, writer) = open(folder.path());
    assert_eq!(Model::of(&log), before);
    drop(log);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_folder_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let (log, writer) = open(folder.path());
    let error = RealDisk::open(folder.path(), true).err().unwrap();
    assert!(error.to_string().contains("in use"), "{error}");
    drop(log);
    writer.join().unwrap();
    assert!(RealDisk::open(folder.path(), true).is_ok());
}
