//! An object becomes a snapshot again. What was done to it is read off its first bytes, not off its name.

use std::io::{self, BufRead, BufReader, Read};

use age::x25519::Identity;
use age::{DecryptError, Decryptor};
use sha2::{Digest, Sha256};

use super::manifest::hex;
use super::pack::Packed;
use super::{Failure, Reason};

const AGE: &[u8] = b"age-encryption.org/";
const ZSTD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
const BUFFER_BYTES: usize = 128 << 10;
/// Windows of more memory are refused: ours have 2 MiB, `zstd -3` alike, `--ultra` up to 128.
const WINDOW_LOG_MAX: u32 = 27;

/// Reads an object, gives every piece of the snapshot in it to `take`, and says what the object was.
///
/// # Errors
/// Of the source, of `take`, or if the object cannot be decrypted or decompressed. In the latter case the object's
/// size and digest come along: damage and a wrong key are told apart by them.
pub fn unpack(
    source: impl Read,
    identities: &[Identity],
    take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> (Packed, Result<(), Failure>) {
    let mut object = Meter {
        source,
        digest: Sha256::new(),
        bytes: 0,
    };
    let done = layers(BufReader::with_capacity(BUFFER_BYTES, &mut object), identities, take);
    // What stands behind the end, or behind the damage, belongs to the object all the same.
    let drained = match &done {
        Err(failure) if !failure.is_damage() => Ok(0),
        _ => io::copy(&mut object, &mut io::sink()).map_err(|error| unreadable(&error)),
    };
    let packed = Packed {
        bytes: object.bytes,
        sha256: hex(object.digest.finalize().as_slice()),
    };
    (packed, drained.map(drop).and(done))
}

fn layers(
    mut object: impl BufRead,
    identities: &[Identity],
    take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    match begins(&mut object, AGE)? {
        false => squeezed(object, take),
        true => {
            let decryptor = Decryptor::new_buffered(object).map_err(|error| undecipherable(&error))?;
            let keys = identities.iter().map(|one| one as &dyn age::Identity);
            let plain = decryptor.decrypt(keys).map_err(|error| undecipherable(&error))?;
            squeezed(BufReader::with_capacity(BUFFER_BYTES, plain), take)
        }
    }
}

fn squeezed(mut plain: impl BufRead, take: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    match begins(&mut plain, ZSTD)? {
        false => pour(plain, take),
        true => {
            let mut decoder = zstd::Decoder::with_buffer(plain).map_err(|error| unreadable(&error))?;
            decoder
                .window_log_max(WINDOW_LOG_MAX)
                .map_err(|error| unreadable(&error))?;
            pour(decoder, take)
        }
    }
}

fn pour(mut from: impl Read, mut take: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => take(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(&error)),
        }
    }
}

/// Whether the next bytes are these; nothing is taken away. The buffer is empty here, so one look suffices, unless the
/// source gives fewer bytes than that: sources here give whole pieces, see [`Meter`].
fn begins(object: &mut impl BufRead, mark: &[u8]) -> Result<bool, Failure> {
    object
        .fill_buf()
        .map(|bytes| bytes.starts_with(mark))
        .map_err(|error| unreadable(&error))
}

struct Meter<R> {
    source: R,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Meter<R> {
    /// As much as there is room for: a short read would hide a mark.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.source.read(&mut buffer[read..]) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.digest.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

fn undecipherable(error: &DecryptError) -> Failure {
    let message = match error {
        DecryptError::NoMatchingKeys => {
            "the object is encrypted for other keys: give the identity that it was written for (identitySecretRef)"
                .into()
        }
        DecryptError::Io(error) => return unreadable(error),
        other => format!("the object cannot be decrypted: {other}"),
    };
    Failure::new(Reason::DecryptionFailed, message)
}

/// What comes through [`io::Read`]: of the source, of age or of zstd.
fn unreadable(error: &io::Error) -> Failure {
    if let Some(failure) = error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
        return failure.clone();
    }
    let (reason, why) = match error.kind() {
        io::ErrorKind::UnexpectedEof => (Reason::Truncated, "ends early"),
        _ => (Reason::ChecksumMismatch, "is damaged"),
    };
    Failure::new(reason, format!("the object {why}: {error}; take another backup"))
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
