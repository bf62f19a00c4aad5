//! Keys come and go, and the counts of their chunks with them.

use bytes::Bytes;

use super::Writer;
use crate::StoreFailure;
use crate::mvcc::KeyRange;
use crate::mvcc::counts::CHUNK_KEYS_MAX;
use crate::schema::damaged;

impl Writer {
    pub(super) fn key_came(&mut self, key: &Bytes) -> Result<(), StoreFailure> {
        let counts = &mut self.pending.state.counts;
        let chunk = counts.chunk_of(key);
        let keys = counts.add(chunk);
        if !self.pending.chunks.contains(counts.first(chunk)) {
            self.pending.chunks.insert(counts.first(chunk).clone());
        }
        if keys > CHUNK_KEYS_MAX {
            self.split(chunk, key)
        } else {
            Ok(())
        }
    }

    /// Keys that come in order fill chunks to the brim and start new ones; others halve the full chunk.
    fn split(&mut self, chunk: usize, newest: &Bytes) -> Result<(), StoreFailure> {
        let keys = self.pending.state.counts.keys(chunk);
        let range = self.pending.state.counts.range_of(chunk);
        let mut rest = self.current().keys(&KeyRange::from_to(newest.clone(), &range)).skip(1);
        let (first, left) = match rest.next().transpose()? {
            None => (newest.clone(), keys - 1),
            Some(_) => match self.current().keys(&range).nth(keys as usize / 2).transpose()? {
                Some(middle) => (middle, keys / 2),
                None => return Err(damaged("chunk", "fewer keys than counted")),
            },
        };
        let first = Bytes::copy_from_slice(&first);
        drop(rest);
        self.pending.chunks.insert(first.clone());
        self.pending.state.counts.split(chunk, first, left);
        Ok(())
    }

    pub(super) fn key_went(&mut self, key: &Bytes) {
        let counts = &mut self.pending.state.counts;
        let chunk = counts.chunk_of(key);
        counts.sub(chunk);
        self.pending.chunks.insert(counts.first(chunk).clone());
        if let Some(joined) = counts.join_left(chunk) {
            self.pending.chunks.insert(counts.first(chunk - 1).clone());
            self.pending.chunks.insert(joined);
        }
    }
}
