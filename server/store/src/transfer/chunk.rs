//! A piece of the stream.
//!
//! Head:  kind 0, sequence 4, version 4.
//! Rows:  kind 1, sequence 4, part 1, then for each row key length 4, value length 4, key, value.
//! End:   kind 2, sequence 4, rows of all parts 8, term 8, index 8.
//!
//! Each ends with the CRC-32C of the stream up to here, 4 bytes: of this chunk laid over that of the one before. So
//! a chunk vouches for all before it, and the last one for the whole.

use bytes::{BufMut, Bytes};

use super::part::Part;
use crate::schema::Fields;
use crate::{Position, StoreFailure};

/// Of the stream and of the rows in it.
pub(super) const VERSION: u32 = 1;
const HEAD: u8 = 0;
const ROWS: u8 = 1;
const END: u8 = 2;
const CHECKSUM_BYTES: usize = 4;
const ROW_HEADER_BYTES: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chunk {
    Head { version: u32 },
    Rows { part: Part, rows: Vec<(Bytes, Bytes)> },
    End { rows: u64, position: Position },
}

/// How far a stream has come; both sides count along.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    sequence: u32,
    checksum: u32,
}

/// A chunk in the making.
pub(super) struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    pub(super) fn head(progress: &Progress) -> Self {
        let mut new = Self::new(HEAD, progress);
        new.bytes.put_u32(VERSION);
        new
    }

    pub(super) fn rows(progress: &Progress, part: Part) -> Self {
        let mut new = Self::new(ROWS, progress);
        new.bytes.put_u8(part as u8);
        new
    }

    pub(super) fn end(progress: &Progress, rows: u64, position: Position) -> Self {
        let mut new = Self::new(END, progress);
        new.bytes.put_u64(rows);
        new.bytes.put_u64(position.term);
        new.bytes.put_u64(position.index);
        new
    }

    fn new(kind: u8, progress: &Progress) -> Self {
        let mut bytes = vec![kind];
        bytes.put_u32(progress.sequence);
        Self { bytes }
    }

    pub(super) fn row(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.put_u32(key.len() as u32);
        self.bytes.put_u32(value.len() as u32);
        self.bytes.put_slice(key);
        self.bytes.put_slice(value);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() + CHECKSUM_BYTES
    }

    pub(super) fn len_with(&self, key: &[u8], value: &[u8]) -> usize {
        self.len() + ROW_HEADER_BYTES + key.len() + value.len()
    }

    pub(super) fn finish(mut self, progress: &mut Progress) -> Bytes {
        progress.pass(&self.bytes);
        self.bytes.put_u32(progress.checksum);
        self.bytes.into()
    }
}

impl Progress {
    fn pass(&mut self, body: &[u8]) {
        self.checksum = crc32c::crc32c_append(self.checksum, body);
        self.sequence += 1;
    }

    /// Takes the next chunk of the stream; rows are slices of it.
    pub(super) fn parse(&mut self, chunk: &Bytes) -> Result<Chunk, StoreFailure> {
        let at = chunk
            .len()
            .checked_sub(CHECKSUM_BYTES)
            .ok_or_else(|| wrong("too short"))?;
        let mut next = *self;
        next.pass(&chunk[..at]);
        if chunk[at..] != next.checksum.to_be_bytes() {
            return Err(wrong("its checksum does not match"));
        }
        let parsed = parse(&chunk.slice(..at), self.sequence)?;
        *self = next;
        Ok(parsed)
    }
}

fn parse(body: &Bytes, sequence: u32) -> Result<Chunk, StoreFailure> {
    let mut fields = Fields::new("chunk", body);
    let kind = fields.u8()?;
    if fields.u32()? != sequence {
        return Err(wrong("it is out of order"));
    }
    let chunk = match kind {
        HEAD => Chunk::Head { version: fields.u32()? },
        ROWS => return parse_rows(body, fields),
        END => Chunk::End {
            rows: fields.u64()?,
            position: Position {
                term: fields.u64()?,
                index: fields.u64()?,
            },
        },
        _ => return Err(wrong("its kind is unknown")),
    };
    fields.end()?;
    Ok(chunk)
}

fn parse_rows(body: &Bytes, mut fields: Fields<'_>) -> Result<Chunk, StoreFailure> {
    let part = Part::from_number(fields.u8()?).ok_or_else(|| wrong("its part is unknown"))?;
    let (mut rows, mut rest) = (Vec::new(), fields.rest());
    while !rest.is_empty() {
        let mut fields = Fields::new("chunk", rest);
        let (key_len, value_len) = (fields.u32()? as usize, fields.u32()? as usize);
        let (key, value) = (fields.bytes(key_len)?, fields.bytes(value_len)?);
        rows.push((body.slice_ref(key), body.slice_ref(value)));
        rest = fields.rest();
    }
    Ok(Chunk::Rows { part, rows })
}

fn wrong(why: &str) -> StoreFailure {
    crate::schema::damaged("chunk", why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream(rows: &[(Vec<u8>, Vec<u8>)]) -> Vec<Bytes> {
        let mut progress = Progress::default();
        let head = Builder::head(&progress).finish(&mut progress);
        let mut chunk = Builder::rows(&progress, Part::Log);
        rows.iter().for_each(|(key, value)| chunk.row(key, value));
        let chunk = chunk.finish(&mut progress);
        let position = Position { term: 3, index: 9 };
        let end = Builder::end(&progress, rows.len() as u64, position).finish(&mut progress);
        vec![head, chunk, end]
    }

    fn parse_all(chunks: &[Bytes]) -> Result<Vec<Chunk>, StoreFailure> {
        let mut progress = Progress::default();
        chunks.iter().map(|chunk| progress.parse(chunk)).collect()
    }

    proptest! {
        #[test]
        fn comes_back(rows: Vec<(Vec<u8>, Vec<u8>)>) {
            let parsed = parse_all(&stream(&rows)).unwrap();
            let count = rows.len() as u64;
            let rows = rows.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
            let position = Position { term: 3, index: 9 };
            prop_assert_eq!(parsed, vec![
                Chunk::Head { version: VERSION },
                Chunk::Rows { part: Part::Log, rows },
                Chunk::End { rows: count, position },
            ]);
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let whole = stream(&[(b"key".to_vec(), b"value".to_vec())]);
        for (at, chunk) in whole.iter().enumerate() {
            for bit in 0..chunk.len() * 8 {
                let mut flipped = chunk.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let mut broken = whole.clone();
                broken[at] = flipped.into();
                assert!(parse_all(&broken).is_err(), "bit {bit} of chunk {at}");
            }
            for len in 0..chunk.len() {
                let mut broken = whole.clone();
                broken[at].truncate(len);
                assert!(parse_all(&broken).is_err(), "chunk {at} cut to {len}");
            }
        }
    }

    #[test]
    fn chunks_come_in_their_order_and_once() {
        let whole = stream(&[(b"key".to_vec(), b"value".to_vec())]);
        for order in [&[1, 0, 2][..], &[0, 2], &[0, 0], &[0, 1, 1], &[1], &[0, 2, 1]] {
            let chunks: Vec<_> = order.iter().map(|at: &usize| whole[*at].clone()).collect();
            assert!(parse_all(&chunks).is_err(), "{order:?}");
        }
    }
}
