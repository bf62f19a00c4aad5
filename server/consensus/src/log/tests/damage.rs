//! Bytes that changed, files that shrank or vanished: refused, never half believed.

use super::super::memory_disk::MemoryDisk;
use super::super::{Log, OpenLogError};
use super::{Model, open, options, told};
use crate::failure::Failure;

/// Opens without ever writing.
fn look(disk: &MemoryDisk) -> Result<Model, OpenLogError> {
    let opened = Log::open(std::sync::Arc::new(disk.clone()), options(), Failure::new());
    opened.map(|(log, _writer)| Model::of(&log))
}

#[tokio::test]
async fn every_flipped_byte_is_refused_or_harmless() {
    let (disk, states) = told().await;
    let mut refused = 0;
    for name in disk.names() {
        let whole = disk.contents(&name).unwrap();
        for (at, bit) in (0..whole.len()).flat_map(|at| [(at, 0x01), (at, 0x80)]) {
            let mut flipped = whole.clone();
            flipped[at] ^= bit;
            disk.overwrite(&name, flipped);
            match look(&disk) {
                Ok(found) => assert_eq!(Some(&found), states.last(), "byte {at} of {name}"),
                Err(_) => refused += 1,
            }
        }
        disk.overwrite(&name, whole);
    }
    assert!(refused > 10_000, "most of the bytes carry something: {refused}");
}

#[tokio::test]
async fn every_cut_is_refused() {
    let (disk, _) = told().await;
    for name in disk.names() {
        let whole = disk.contents(&name).unwrap();
        for length in 0..whole.len() {
            disk.overwrite(&name, whole[..length].to_vec());
            assert!(look(&disk).is_err(), "{name} cut to {length}");
        }
        disk.overwrite(&name, whole);
    }
}

#[tokio::test]
async fn zeroes_from_anywhere_lose_only_the_end_of_the_last_segment() {
    let (disk, states) = told().await;
    let names = disk.names();
    for name in &names {
        let whole = disk.contents(name).unwrap();
        for from in 0..whole.len() {
            let mut zeroed = whole.clone();
            zeroed[from..].fill(0);
            let changed = zeroed != whole;
            disk.overwrite(name, zeroed);
            match look(&disk) {
                Ok(found) if changed => {
                    assert_eq!(Some(name), names.last(), "zeroes from {from}");
                    assert!(states.contains(&found), "zeroes from {from} of {name}");
                }
                Ok(found) => assert_eq!(Some(&found), states.last()),
                Err(_) => assert!(changed, "{name} is as it was"),
            }
        }
        disk.overwrite(name, whole);
    }
}

#[tokio::test]
async fn a_lost_sector_before_a_later_batch_is_refused() {
    let (disk, states) = told().await;
    let name = disk.names().pop().unwrap();
    let whole = disk.contents(&name).unwrap();
    let last_used = whole.iter().rposition(|byte| *byte != 0).unwrap() / 512;
    for sector in 0..=last_used {
        let mut lost = whole.clone();
        lost[sector * 512..][..512].fill(0);
        disk.overwrite(&name, lost);
        match look(&disk) {
            // Nothing tells a lost end from an end that was never written.
            Ok(found) => assert!(sector + 1 >= last_used && states.contains(&found), "sector {sector}"),
            Err(error) => assert!(error.to_string().contains("restore this member"), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_missing_file_is_refused() {
    let (disk, _) = told().await;
    let names = disk.names();
    for (name, said) in [(&names[0], "only entries up to"), (&names[1], "is missing")] {
        let whole = disk.contents(name).unwrap();
        disk.erase(name);
        let error = look(&disk).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        disk.overwrite(name, whole);
    }
}

#[tokio::test]
async fn a_newer_format_is_named() {
    let (disk, _) = told().await;
    let name = disk.names().remove(0);
    let mut newer = disk.contents(&name).unwrap();
    newer[8] = 9;
    let crc = crc32c::crc32c(&newer[..60]);
    newer[60..64].copy_from_slice(&crc.to_le_bytes());
    disk.overwrite(&name, newer);
    assert!(look(&disk).unwrap_err().to_string().contains("has format 9"));
}

#[tokio::test]
async fn an_empty_folder_is_an_empty_log() {
    assert_eq!(look(&MemoryDisk::default()).unwrap(), Model::default());
    assert!(open(&MemoryDisk::default()).is_ok());
}
