use std::fs::File;
use std::io::{Cursor, Write};
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::read::ReadError;
use super::{Reader, Writer};

type Entry = (Vec<u8>, Vec<u8>);
/// A name and what stands under it.
type Bucket = (Vec<u8>, Vec<Entry>);

fn build(buckets: &[(&[u8], Vec<Entry>)]) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let mut writer = Writer::new(&mut out).unwrap();
    for (name, entries) in buckets {
        let mut bucket = writer.bucket(name).unwrap();
        for (key, value) in entries {
            bucket.put(key, value).unwrap();
        }
        bucket.finish().unwrap();
    }
    let bytes = writer.finish().unwrap();
    assert_eq!(bytes, out.get_ref().len() as u64);
    out.into_inner()
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn read_all(bytes: &[u8]) -> Result<Vec<Bucket>, ReadError> {
    read_file(file(bytes))
}

fn read_file(file: File) -> Result<Vec<Bucket>, ReadError> {
    let reader = Reader::open(file)?;
    let mut found = Vec::new();
    for (name, bucket) in reader.buckets()? {
        let entries = reader
            .entries(&bucket)?
            .map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())));
        found.push((name.to_vec(), entries.collect::<Result<_, _>>()?));
    }
    Ok(found)
}

fn numbered(count: u32, value_bytes: usize) -> Vec<Entry> {
    (0..count)
        .map(|number| (number.to_be_bytes().to_vec(), vec![number as u8; value_bytes]))
        .collect()
}

fn assert_round_trip(entries: Vec<Entry>) {
    let buckets: [(&[u8], Vec<Entry>); 3] = [
        (b"a", Vec::new()),
        (b"b", entries.clone()),
        (b"c", vec![(b"k".to_vec(), b"v".to_vec())]),
    ];
    let expected: Vec<_> = buckets
        .iter()
        .map(|(name, entries)| (name.to_vec(), entries.clone()))
        .collect();
    assert_eq!(read_all(&build(&buckets)).unwrap(), expected);
}

#[test]
fn trees_of_every_height_are_read_back() {
    for count in [0, 1, 2, 3, 10, 100, 127, 128, 1_000, 40_000] {
        assert_round_trip(numbered(count, 20));
    }
}

#[test]
fn values_of_many_pages_are_read_back() {
    assert_round_trip(numbered(9, 5_000));
    assert_round_trip(vec![
        (vec![1], vec![7; 3 << 20]),
        (vec![2], vec![]),
        (vec![3], vec![9; 4096]),
    ]);
}

#[test]
fn long_keys_make_branches_of_several_pages() {
    let long = |number: u32| [vec![b'k'; 3_000], number.to_be_bytes().to_vec()].concat();
    assert_round_trip((0..200).map(|number| (long(number), vec![1])).collect());
}

#[test]
fn entries_out_of_order_are_refused() {
    let mut out = Cursor::new(Vec::new());
    let mut writer = Writer::new(&mut out).unwrap();
    let mut bucket = writer.bucket(b"b").unwrap();
    bucket.put(b"2", b"").unwrap();
    assert!(bucket.put(b"2", b"").is_err());
    assert!(bucket.put(b"1", b"").is_err());
    assert!(bucket.put(b"", b"").is_err());
    bucket.finish().unwrap();
    assert!(writer.bucket(b"a").is_err());
}

#[test]
fn one_damaged_meta_page_does_no_harm_and_two_are_noticed() {
    let mut bytes = build(&[(b"b", numbered(10, 10))]);
    bytes[20] ^= 1;
    assert!(read_all(&bytes).is_ok());
    bytes[4096 + 20] ^= 1;
    assert!(matches!(read_all(&bytes), Err(ReadError::NoMeta)));
}

#[test]
fn a_cut_file_is_an_error_at_every_length() {
    let bytes = build(&[(b"b", numbered(500, 30))]);
    for cut in (0..bytes.len()).step_by(211) {
        assert!(read_all(&bytes[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let bytes = build(&[
        (b"b", numbered(300, 8)),
        (b"c", numbered(3, 9_000)),
        (b"d", numbered(2, 2)),
    ]);
    let damaged = file(&bytes);
    for at in (0..bytes.len()).filter(|at| at % 4096 < 256 || at % 97 == 0) {
        for flip in [0x01, 0xff] {
            damaged.write_all_at(&[bytes[at] ^ flip], at as u64).unwrap();
            let _ = read_file(damaged.try_clone().unwrap());
        }
        damaged.write_all_at(&[bytes[at]], at as u64).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_sorted_entries_are_read_back(
        entries in prop::collection::btree_map(
            prop::collection::vec(any::<u8>(), 1..40), prop::collection::vec(any::<u8>(), 0..300), 0..400)
    ) {
        assert_round_trip(entries.into_iter().collect());
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..9000), at in 0usize..60_000, header in any::<[u8; 16]>()) {
        let _ = read_all(&bytes);
        let mut damaged = build(&[(b"b", numbered(1_500, 16))]);
        let at = at % (damaged.len() - 16);
        damaged[at..at + 16].copy_from_slice(&header);
        let _ = read_all(&damaged);
    }
}
