//! How many keys there are, chunk by chunk, so that counting a million needs no walk over a million.
//!
//! A chunk reaches from its first key to the next chunk's. The first chunk starts at the empty key and is always
//! there. Chunks split when they outgrow [`CHUNK_KEYS_MAX`] and join their left neighbour when both are small.

use std::sync::Arc;

use bytes::Bytes;

use super::KeyRange;

pub(crate) const CHUNK_KEYS_MAX: u32 = 1024;
const CHUNK_KEYS_MIN: u32 = 64;
const JOINED_KEYS_MAX: u32 = 512;

/// Shared with the views by reference count; a batch copies it once, and only if keys come or go.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    firsts: Arc<Vec<Bytes>>,
    keys: Arc<Vec<u32>>,
}

/// A range in terms of chunks.
pub(crate) struct Cut {
    pub(crate) whole_chunks_keys: u64,
    /// What has to be walked.
    pub(crate) parts: Vec<KeyRange>,
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self {
            firsts: Arc::new(vec![Bytes::new()]),
            keys: Arc::new(vec![0]),
        }
    }

    /// From stored rows in key order; before the first key there are none. None if only the first chunk is missing.
    pub(crate) fn from_rows(rows: Vec<(Bytes, u32)>) -> Option<Self> {
        if rows.is_empty() {
            return Some(Self::new());
        }
        let (firsts, keys): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        firsts.first()?.is_empty().then(|| Self {
            firsts: Arc::new(firsts),
            keys: Arc::new(keys),
        })
    }

    pub(crate) fn total(&self) -> u64 {
        self.keys.iter().map(|keys| u64::from(*keys)).sum()
    }

    pub(crate) fn chunk_of(&self, key: &[u8]) -> usize {
        self.firsts.partition_point(|first| &first[..] <= key) - 1
    }

    pub(crate) fn first(&self, chunk: usize) -> &Bytes {
        &self.firsts[chunk]
    }

    pub(crate) fn keys(&self, chunk: usize) -> u32 {
        self.keys[chunk]
    }

    /// The count of the chunk that starts exactly here.
    pub(crate) fn at(&self, first: &[u8]) -> Option<u32> {
        let chunk = self.chunk_of(first);
        (self.first(chunk) == first).then(|| self.keys(chunk))
    }

    pub(crate) fn range_of(&self, chunk: usize) -> KeyRange {
        KeyRange::Span {
            start: self.firsts[chunk].clone(),
            end: self.firsts.get(chunk + 1).cloned(),
        }
    }

    pub(crate) fn add(&mut self, chunk: usize) -> u32 {
        let keys = &mut Arc::make_mut(&mut self.keys)[chunk];
        *keys += 1;
        *keys
    }

    pub(crate) fn sub(&mut self, chunk: usize) -> u32 {
        let keys = &mut Arc::make_mut(&mut self.keys)[chunk];
        *keys = keys.saturating_sub(1);
        *keys
    }

    /// `left` keys stay, the others go to a new chunk that starts at `first`.
    pub(crate) fn split(&mut self, chunk: usize, first: Bytes, left: u32) {
        let keys = Arc::make_mut(&mut self.keys);
        let right = keys[chunk] - left;
        keys[chunk] = left;
        keys.insert(chunk + 1, right);
        Arc::make_mut(&mut self.firsts).insert(chunk + 1, first);
    }

    /// Gives a small chunk to its left neighbour if that one is small too. Returns where the chunk started.
    pub(crate) fn join_left(&mut self, chunk: usize) -> Option<Bytes> {
        let left = chunk.checked_sub(1)?;
        let joined = self.keys[left] + self.keys[chunk];
        if self.keys[chunk] >= CHUNK_KEYS_MIN || (joined > JOINED_KEYS_MAX && self.keys[chunk] > 0) {
            return None;
        }
        let keys = Arc::make_mut(&mut self.keys);
        keys.remove(chunk);
        keys[left] = joined;
        Some(Arc::make_mut(&mut self.firsts).remove(chunk))
    }

    pub(crate) fn cut(&self, range: &KeyRange) -> Cut {
        let KeyRange::Span { start, end } = range else {
            return Cut {
                whole_chunks_keys: 0,
                parts: vec![range.clone()],
            };
        };
        let (from, to) = (self.chunk_of(start), end.as_ref().map(|end| self.chunk_of(end)));
        if to == Some(from) {
            return Cut {
                whole_chunks_keys: 0,
                parts: vec![range.clone()],
            };
        }
        let mut parts = Vec::new();
        let mut whole = from..to.unwrap_or(self.keys.len());
        if start != self.first(from) {
            whole.start += 1;
            parts.push(KeyRange::Span {
                start: start.clone(),
                end: self.firsts.get(from + 1).cloned().or(end.clone()),
            });
        }
        if let (Some(to), Some(end)) = (to, end)
            && end != self.first(to)
        {
            parts.push(KeyRange::Span {
                start: self.first(to).clone(),
                end: Some(end.clone()),
            });
        }
        Cut {
            whole_chunks_keys: self.keys[whole].iter().map(|keys| u64::from(*keys)).sum(),
            parts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn span(start: u8, end: Option<u8>) -> KeyRange {
        let key = |byte: u8| Bytes::from(vec![byte]);
        KeyRange::Span {
            start: key(start),
            end: end.map(key),
        }
    }

    proptest! {
        #[test]
        fn whole_chunks_and_parts_make_the_naive_count(
            keys in proptest::collection::btree_set(1u8.., 0..60),
            firsts in proptest::collection::btree_set(1u8.., 0..12),
            start: u8,
            end: Option<u8>,
        ) {
            prop_assume!(end.is_none_or(|end| start < end));
            let naive = |range: &KeyRange, keys: &BTreeSet<u8>| {
                keys.iter().filter(|key| range.contains(&[**key])).count() as u64
            };
            let mut counts = Counts::new();
            Arc::make_mut(&mut counts.keys)[0] = keys.len() as u32;
            for first in firsts {
                let last = counts.keys.len() - 1;
                let right = keys.iter().filter(|key| **key >= first).count() as u32;
                let left = counts.keys(last) - right;
                counts.split(last, Bytes::from(vec![first]), left);
            }
            let range = span(start, end);
            let cut = counts.cut(&range);
            let counted = cut.whole_chunks_keys + cut.parts.iter().map(|part| naive(part, &keys)).sum::<u64>();
            prop_assert_eq!(counted, naive(&range, &keys));
            prop_assert_eq!(counts.total(), keys.len() as u64);
        }
    }

    #[test]
    fn an_emptied_chunk_joins_its_left_neighbour() {
        let mut counts = Counts::new();
        Arc::make_mut(&mut counts.keys)[0] = 901;
        counts.split(0, Bytes::from("m"), 900);
        assert_eq!(counts.join_left(1), None, "one key is left and the neighbour is full");
        counts.sub(1);
        assert_eq!(counts.join_left(1), Some(Bytes::from("m")));
        assert_eq!(counts.total(), 900);
    }

    #[test]
    fn the_first_chunk_stays() {
        assert_eq!(Counts::new().join_left(0), None);
    }
}
