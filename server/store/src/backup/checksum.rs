//! The checksum that ends a snapshot file, and a file cut into the pieces a client is sent.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use sha2::{Digest, Sha256};

pub const CHECKSUM_BYTES: u64 = 32;
/// Data is whole pages, so a checksum shows in the length; 512 divides every page size.
const BLOCK_BYTES: u64 = 512;
const CHUNK_BYTES: usize = 32 << 10;

/// Whether a file of this length ends with a checksum.
pub fn has_checksum(file_bytes: u64) -> bool {
    file_bytes % BLOCK_BYTES == CHECKSUM_BYTES
}

/// Whether the checksum at the end of `file` is that of all before it. Reads the whole file.
pub fn is_intact(file: &mut File) -> io::Result<bool> {
    let data_bytes = file.metadata()?.len().saturating_sub(CHECKSUM_BYTES);
    let mut expected = [0; CHECKSUM_BYTES as usize];
    file.read_exact_at(&mut expected, data_bytes)?;
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut rest = file.take(data_bytes);
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match rest.read(&mut buffer)? {
            0 => return Ok(hash.finalize().as_slice() == expected),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// One message of a snapshot stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub bytes: Bytes,
    /// Bytes of data that follow; 0 both with the last of the data and with the checksum.
    pub remaining_bytes: u64,
}

/// All data of a backup in order, and at the end its checksum in a chunk of its own.
pub struct Chunks {
    file: File,
    remaining_bytes: u64,
    hash: Option<Sha256>,
}

impl Chunks {
    /// Sends the first `data_bytes` of `file`.
    pub fn new(mut file: File, data_bytes: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        Ok(Self {
            file,
            remaining_bytes: data_bytes,
            hash: Some(Sha256::new()),
        })
    }

    fn data(&mut self) -> io::Result<Chunk> {
        let mut bytes = vec![0; self.remaining_bytes.min(CHUNK_BYTES as u64) as usize];
        self.file.read_exact(&mut bytes)?;
        self.remaining_bytes -= bytes.len() as u64;
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes);
        }
        Ok(Chunk {
            bytes: bytes.into(),
            remaining_bytes: self.remaining_bytes,
        })
    }

    fn checksum(&mut self) -> Option<Chunk> {
        let digest = self.hash.take()?.finalize();
        Some(Chunk {
            bytes: Bytes::copy_from_slice(&digest),
            remaining_bytes: 0,
        })
    }
}

impl Iterator for Chunks {
    type Item = io::Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.remaining_bytes == 0 {
            return self.checksum().map(Ok);
        }
        let chunk = self.data();
        if chunk.is_err() {
            (self.remaining_bytes, self.hash) = (0, None);
        }
        Some(chunk)
    }
}
