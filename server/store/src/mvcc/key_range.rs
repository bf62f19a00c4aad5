//! The ways a request may name keys, parsed once.

use std::ops::Bound;

use bytes::Bytes;

use crate::schema::KEY_BYTES_MAX;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyRange {
    /// The end is not after the start, or no such key can be stored.
    Empty,
    One(Bytes),
    /// From the start up to, not including, the end; without an end, up to the last key.
    Span {
        start: Bytes,
        end: Option<Bytes>,
    },
}

impl KeyRange {
    /// `range_end` empty: the one key; a single zero byte: every key from `key` on.
    pub(crate) fn new(key: &Bytes, range_end: &Bytes) -> Self {
        match &range_end[..] {
            [] if key.len() > KEY_BYTES_MAX => Self::Empty,
            [] => Self::One(key.clone()),
            [0] => Self::Span {
                start: storable(key),
                end: None,
            },
            end if end <= &key[..] => Self::Empty,
            _ => Self::span(storable(key), storable(range_end)),
        }
    }

    /// Cutting may have made one of the two out of both bounds.
    fn span(start: Bytes, end: Bytes) -> Self {
        if end <= start {
            Self::Empty
        } else {
            Self::Span { start, end: Some(end) }
        }
    }

    pub(crate) fn all() -> Self {
        Self::Span {
            start: Bytes::new(),
            end: None,
        }
    }

    /// The part of `range` from a key inside it on.
    pub(crate) fn from_to(start: Bytes, range: &Self) -> Self {
        match range {
            Self::Span { end, .. } => Self::Span {
                start,
                end: end.clone(),
            },
            other => other.clone(),
        }
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        match self {
            Self::Empty => false,
            Self::One(one) => one == key,
            Self::Span { start, end } => start <= key && end.as_ref().is_none_or(|end| key < end),
        }
    }

    /// None if the range is empty.
    pub(crate) fn bounds(&self) -> Option<(Bound<Bytes>, Bound<Bytes>)> {
        match self {
            Self::Empty => None,
            Self::One(key) => Some((Bound::Included(key.clone()), Bound::Included(key.clone()))),
            Self::Span { start, end } => {
                let end = end.clone().map_or(Bound::Unbounded, Bound::Excluded);
                Some((Bound::Included(start.clone()), end))
            }
        }
    }
}

/// No stored key is longer than the limit, so a longer bound may be cut: exactly the stored keys up to its first
/// bytes lie before it. The engine would not take the longer one.
fn storable(bound: &Bytes) -> Bytes {
    if bound.len() <= KEY_BYTES_MAX {
        return bound.clone();
    }
    let mut cut = bound[..KEY_BYTES_MAX].to_vec();
    cut.push(0);
    cut.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(key: &'static str, end: &'static str) -> KeyRange {
        KeyRange::new(&Bytes::from(key), &Bytes::from(end))
    }

    #[test]
    fn an_empty_end_means_one_key() {
        assert_eq!(range("a", ""), KeyRange::One(Bytes::from("a")));
    }

    #[test]
    fn a_zero_end_means_every_key_from_there() {
        assert!(range("b", "\0").contains(b"zzz"));
        assert!(!range("b", "\0").contains(b"a"));
    }

    #[test]
    fn an_end_not_after_the_key_means_nothing() {
        assert_eq!(range("b", "b"), KeyRange::Empty);
        assert_eq!(range("b", "a"), KeyRange::Empty);
    }

    #[test]
    fn bounds_too_long_for_the_engine_still_select_the_same_keys() {
        let long = Bytes::from(vec![b'k'; KEY_BYTES_MAX + 100]);
        let range = KeyRange::new(&long, &Bytes::from("l"));
        assert!(!range.contains(&long[..KEY_BYTES_MAX]));
        assert!(range.contains(b"kz"));
        assert_eq!(KeyRange::new(&long, &Bytes::new()), KeyRange::Empty);
    }
}
