use taffrail_crds::Compression;

use super::*;
use crate::backup::keys::recipients;
use crate::backup::pack::Packer;
use crate::backup::snapshot::made_up;

const PART_BYTES: usize = 5000;

fn pack(snapshot: &[u8], compression: Compression, identities: &[Identity]) -> (Vec<u8>, Packed) {
    let mut packer = Packer::new(compression, &recipients(&[], identities).unwrap(), PART_BYTES).unwrap();
    let mut object = Vec::new();
    for piece in snapshot.chunks(777) {
        packer.write(piece).unwrap();
        while let Some(part) = packer.part() {
            assert_eq!(part.len(), PART_BYTES);
            object.extend_from_slice(&part);
        }
    }
    let (rest, packed) = packer.finish().unwrap();
    object.extend_from_slice(&rest);
    (object, packed)
}

fn read(object: &[u8], identities: &[Identity]) -> (Packed, Result<Vec<u8>, Failure>) {
    let mut snapshot = Vec::new();
    let take = |piece: &[u8]| {
        snapshot.extend_from_slice(piece);
        Ok(())
    };
    let (packed, done) = unpack(object, identities, take);
    (packed, done.map(|()| snapshot))
}

#[test]
fn what_is_packed_comes_out_as_it_was() {
    let (snapshot, keys) = (made_up(40, 3), [Identity::generate()]);
    for compression in [Compression::None, Compression::Zstd] {
        for keys in [&keys[..], &[]] {
            let (object, packed) = pack(&snapshot, compression, keys);
            assert_eq!(packed.bytes, object.len() as u64);
            assert_eq!(
                read(&object, keys),
                (packed, Ok(snapshot.clone())),
                "{compression:?} {}",
                keys.len()
            );
        }
    }
}

#[test]
fn with_a_wrong_key_nothing_comes_out() {
    let (object, packed) = pack(&made_up(9, 3), Compression::Zstd, &[Identity::generate()]);
    for keys in [&[Identity::generate()][..], &[]] {
        let (seen, failed) = read(&object, keys);
        assert_eq!(
            (seen, failed.unwrap_err().reason),
            (packed.clone(), Reason::DecryptionFailed)
        );
    }
}

#[test]
fn a_cut_or_flipped_object_is_an_error_or_shows_in_its_digest() {
    let (snapshot, keys) = (made_up(3, 3), [Identity::generate()]);
    for (compression, keys) in [
        (Compression::Zstd, &[][..]),
        (Compression::Zstd, &keys),
        (Compression::None, &keys),
    ] {
        let (object, packed) = pack(&snapshot, compression, keys);
        for at in (0..object.len()).step_by(41) {
            let mut flipped = object.clone();
            flipped[at] ^= 0x10;
            let (seen, _) = read(&flipped, keys);
            assert!(
                seen.bytes == packed.bytes && seen.sha256 != packed.sha256,
                "flipped {at}"
            );
            let (seen, done) = read(&object[..at], keys);
            assert!(seen.bytes == at as u64 && done.as_ref() != Ok(&snapshot), "cut at {at}");
        }
    }
}
