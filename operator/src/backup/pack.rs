//! A snapshot becomes an object: compressed, then encrypted, then in parts. Memory does not grow with it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use age::Encryptor;
use age::stream::StreamWriter;
use age::x25519::Recipient;
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use taffrail_crds::Compression;

use super::manifest::hex;
use super::{Failure, Reason};

/// zstd's own default: more costs much time for little.
const LEVEL: i32 = 3;

/// Takes a snapshot, gives parts of an object.
pub struct Packer {
    squeeze: Squeeze,
    out: Outlet,
    part_bytes: usize,
}

/// What came out in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
}

impl Packer {
    /// # Errors
    /// If the keys are of no use.
    pub fn new(compression: Compression, recipients: &[Recipient], part_bytes: usize) -> Result<Self, Failure> {
        let out = Outlet::default();
        let seal = Seal::new(recipients, out.clone())?;
        let squeeze = Squeeze::new(compression, seal).map_err(|error| broken(&error))?;
        Ok(Self {
            squeeze,
            out,
            part_bytes,
        })
    }

    /// # Errors
    /// Only by a mistake of the libraries: everything stays in memory.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.squeeze.write_all(piece).map_err(|error| broken(&error))
    }

    /// A part that is full.
    pub fn part(&mut self) -> Option<Bytes> {
        self.out.part(self.part_bytes)
    }

    /// Ends it; [`Self::part`] has been emptied before. The last part, which may be shorter, larger or empty.
    ///
    /// # Errors
    /// As in [`Self::write`].
    pub fn finish(self) -> Result<(Bytes, Packed), Failure> {
        let seal = self.squeeze.finish().map_err(|error| broken(&error))?;
        seal.finish().map_err(|error| broken(&error))?;
        Ok(self.out.finish())
    }
}

/// The names of objects end in what was done to them.
pub fn ending(compression: Compression, encrypted: bool) -> &'static str {
    match (compression, encrypted) {
        (Compression::None, false) => ".snap",
        (Compression::None, true) => ".snap.age",
        (Compression::Zstd, false) => ".snap.zst",
        (Compression::Zstd, true) => ".snap.zst.age",
    }
}

enum Squeeze {
    Zstd(Box<zstd::Encoder<'static, Seal>>),
    None(Seal),
}

impl Squeeze {
    fn new(compression: Compression, seal: Seal) -> io::Result<Self> {
        match compression {
            Compression::None => Ok(Self::None(seal)),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(seal, LEVEL)?;
                encoder.include_checksum(true)?;
                Ok(Self::Zstd(Box::new(encoder)))
            }
        }
    }

    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.write_all(piece),
            Self::None(seal) => seal.write_all(piece),
        }
    }

    fn finish(self) -> io::Result<Seal> {
        match self {
            Self::Zstd(encoder) => encoder.finish(),
            Self::None(seal) => Ok(seal),
        }
    }
}

enum Seal {
    Age(Box<StreamWriter<Outlet>>),
    None(Outlet),
}

impl Seal {
    fn new(recipients: &[Recipient], out: Outlet) -> Result<Self, Failure> {
        if recipients.is_empty() {
            return Ok(Self::None(out));
        }
        let all = recipients.iter().map(|one| one as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(all)
            .map_err(|error| Failure::new(Reason::Invalid, format!("the keys of age do not go together: {error}")))?;
        let writer = encryptor.wrap_output(out).map_err(|error| broken(&error))?;
        Ok(Self::Age(Box::new(writer)))
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Age(writer) => writer.finish().map(drop),
            Self::None(_) => Ok(()),
        }
    }
}

impl Write for Seal {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self {
            Self::Age(writer) => writer.write(piece),
            Self::None(out) => out.write(piece),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end of the pipe; shared, because the libraries do not let one reach through them.
#[derive(Clone, Default)]
struct Outlet(Arc<Mutex<Pool>>);

#[derive(Default)]
struct Pool {
    waiting: BytesMut,
    digest: Sha256,
    bytes: u64,
}

impl Outlet {
    fn part(&self, bytes: usize) -> Option<Bytes> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (pool.waiting.len() >= bytes).then(|| pool.waiting.split_to(bytes).freeze())
    }

    fn finish(&self) -> (Bytes, Packed) {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sha256 = hex(std::mem::take(&mut pool.digest).finalize().as_slice());
        (
            pool.waiting.split().freeze(),
            Packed {
                bytes: pool.bytes,
                sha256,
            },
        )
    }
}

impl Write for Outlet {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pool.waiting.extend_from_slice(piece);
        pool.digest.update(piece);
        pool.bytes += piece.len() as u64;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(Reason::Failed, format!("the snapshot could not be packed: {error}"))
}
