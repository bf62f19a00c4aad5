//! What a snapshot of etcd looks like from outside: a bbolt file, and behind it the sha256 of all its bytes.

use sha2::{Digest, Sha256};

use super::manifest::hex;
use super::{Failure, Reason};

/// Bytes of the digest at the end (sha256), as `etcdctl snapshot save` and Maintenance.Snapshot write it.
const TAIL_BYTES: usize = 32;
/// bbolt's pages are multiples of it, so a file with a digest has the remainder 32, one without has none.
const SECTOR_BYTES: u64 = 512;
/// bbolt's mark, behind the 16 bytes of the first page's header (go.etcd.io/bbolt, internal/common: Meta).
const MAGIC: u32 = 0xED0C_DAED;
const MAGIC_AT: usize = 16;
const HEAD_BYTES: usize = MAGIC_AT + 4;

/// Looks at a snapshot that passes by, piece by piece.
#[derive(Default)]
pub struct Watcher {
    all_but_tail: Sha256,
    head: Vec<u8>,
    /// The last 32 bytes so far, or fewer.
    tail: Vec<u8>,
    bytes: u64,
}

/// What has passed by is a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Digest included.
    pub bytes: u64,
    /// Of all but the digest.
    pub digest: [u8; TAIL_BYTES],
    /// Whether there was a digest at its end; it was right then.
    pub sealed: bool,
}

impl Seen {
    /// Hexadecimal.
    pub fn sha256(&self) -> String {
        hex(&self.digest)
    }
}

impl Watcher {
    pub fn see(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        let missing = HEAD_BYTES.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(&piece[..missing]);
        self.tail
            .extend_from_slice(&piece[piece.len().saturating_sub(TAIL_BYTES)..]);
        let passed = piece.len().saturating_sub(TAIL_BYTES);
        let old = self.tail.len().saturating_sub(TAIL_BYTES);
        self.all_but_tail.update(&self.tail[..old]);
        self.all_but_tail.update(&piece[..passed]);
        self.tail.drain(..old);
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A snapshot whose digest is right.
    ///
    /// # Errors
    /// If it ended early, or is not what was sent.
    pub fn sealed(self) -> Result<Seen, Failure> {
        self.is_bolt()?;
        let digest = self.all_but_tail.finalize();
        if digest.as_slice() != self.tail {
            let short = self.bytes % SECTOR_BYTES != TAIL_BYTES as u64;
            return Err(if short {
                truncated(self.bytes)
            } else {
                mismatch(self.bytes)
            });
        }
        match self.bytes % SECTOR_BYTES == TAIL_BYTES as u64 {
            true => Ok(Seen {
                bytes: self.bytes,
                digest: digest.into(),
                sealed: true,
            }),
            false => Err(not_a_snapshot(&format!(
                "{} bytes are not pages and a digest",
                self.bytes
            ))),
        }
    }

    /// A snapshot with a right digest, or a database file without any.
    ///
    /// # Errors
    /// If it is neither.
    pub fn any(mut self) -> Result<Seen, Failure> {
        if !self.bytes.is_multiple_of(SECTOR_BYTES) {
            return self.sealed();
        }
        self.is_bolt()?;
        self.all_but_tail.update(&self.tail);
        let digest = self.all_but_tail.finalize().into();
        Ok(Seen {
            bytes: self.bytes,
            digest,
            sealed: false,
        })
    }

    fn is_bolt(&self) -> Result<(), Failure> {
        match self.head.get(MAGIC_AT..HEAD_BYTES) {
            Some(magic) if magic == MAGIC.to_le_bytes() => Ok(()),
            Some(_) => Err(not_a_snapshot("it does not begin as a bbolt file does")),
            None if self.bytes == 0 => Err(truncated(0)),
            None => Err(not_a_snapshot(&format!("it has {} bytes", self.bytes))),
        }
    }
}

fn truncated(bytes: u64) -> Failure {
    Failure::new(
        Reason::Truncated,
        format!("the snapshot ended early, after {bytes} bytes"),
    )
}

fn mismatch(bytes: u64) -> Failure {
    let message = format!("the digest at the end of the snapshot is not that of the {bytes} bytes before and in it");
    Failure::new(Reason::ChecksumMismatch, message)
}

fn not_a_snapshot(why: &str) -> Failure {
    Failure::new(Reason::NotASnapshot, format!("this is no snapshot of etcd: {why}"))
}

/// Something that passes for a snapshot, for tests.
#[cfg(test)]
pub fn made_up(pages: usize, seed: u8) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..pages * 4096).map(|at| ((at * 31) >> 7) as u8 ^ seed).collect();
    bytes[MAGIC_AT..HEAD_BYTES].copy_from_slice(&MAGIC.to_le_bytes());
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(digest.as_slice());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(bytes: &[u8], piece: usize) -> Watcher {
        let mut watcher = Watcher::default();
        bytes.chunks(piece).for_each(|piece| watcher.see(piece));
        watcher
    }

    #[test]
    fn it_does_not_matter_in_which_pieces_a_snapshot_comes() {
        let snapshot = made_up(2, 5);
        let whole = watch(&snapshot, snapshot.len()).sealed().unwrap();
        for piece in [1, 3, 31, 32, 33, 63, 64, 512, 4096, 5000] {
            assert_eq!(watch(&snapshot, piece).sealed(), Ok(whole.clone()), "{piece}");
        }
        assert_eq!(whole.digest, snapshot[8192..]);
    }

    #[test]
    fn no_flipped_byte_and_no_shortened_stream_passes() {
        let snapshot = made_up(1, 9);
        for at in 0..snapshot.len() {
            let mut flipped = snapshot.clone();
            flipped[at] ^= 1;
            assert!(watch(&flipped, 1000).sealed().is_err(), "byte {at}");
            assert!(watch(&snapshot[..at], 1000).sealed().is_err(), "{at} bytes");
        }
    }

    #[test]
    fn a_database_without_a_digest_is_told_from_a_snapshot_that_was_cut() {
        let snapshot = made_up(2, 1);
        let raw = watch(&snapshot[..8192], 100).any().unwrap();
        assert!(!raw.sealed && watch(&snapshot, 100).any().unwrap().sealed);
        assert_eq!(raw.sha256(), hex(Sha256::digest(&snapshot[..8192]).as_slice()));
        assert_eq!(
            watch(&snapshot[..8200], 100).any().unwrap_err().reason,
            Reason::Truncated
        );
        assert_eq!(watch(&[0; 512], 100).any().unwrap_err().reason, Reason::NotASnapshot);
        assert_eq!(watch(b"<html>", 100).any().unwrap_err().reason, Reason::NotASnapshot);
    }
}
