//! Keys that permissions allow, as ranges that neither overlap nor touch.

use bytes::Bytes;
use taffrail_proto::authpb::Permission;

/// etcd's way to say that a range has no end. As an end it would make every range empty.
const OPEN_END: &[u8] = &[0];

/// From the start up to, not including, the end; without an end, up to the last key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    start: Bytes,
    end: Option<Bytes>,
}

/// Sorted, and merged where one range begins before or where another ends: what two permissions allow together may
/// be asked for at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keys {
    spans: Vec<Span>,
}

/// Whether a role may be given this range: an empty end is one key, a zero byte no end.
pub(super) fn is_range(key: &[u8], range_end: &[u8]) -> bool {
    !key.is_empty() && (range_end.is_empty() || range_end == OPEN_END || key < range_end)
}

impl Keys {
    /// A permission that is no range, which only a foreign file can hold, allows nothing.
    pub(super) fn new<'a>(permissions: impl Iterator<Item = &'a Permission>) -> Self {
        let ranges = permissions.filter(|permission| is_range(&permission.key, &permission.range_end));
        let mut spans: Vec<_> = ranges.map(Span::new).collect();
        spans.sort_by(|one, other| one.start.cmp(&other.start));
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if last.reaches(&span.start) => last.extend(span.end),
                _ => merged.push(span),
            }
        }
        Self { spans: merged }
    }

    /// Whether all keys from `key` up to `range_end` are among them; an empty end asks for the one key.
    pub(super) fn contain(&self, key: &[u8], range_end: &[u8]) -> bool {
        let after = self.spans.partition_point(|span| span.start <= key);
        let span = after.checked_sub(1).and_then(|at| self.spans.get(at));
        span.is_some_and(|span| match range_end {
            [] => span.goes_beyond(key),
            OPEN_END => span.end.is_none(),
            // A range that ends before it begins is asked for only where it would be no range upside down either.
            end => span.start < end && span.goes_beyond(key) && span.reaches(end),
        })
    }
}

impl Span {
    fn new(permission: &Permission) -> Self {
        let end = match &permission.range_end[..] {
            [] => Some([&permission.key[..], &[0]].concat().into()),
            OPEN_END => None,
            _ => Some(permission.range_end.clone()),
        };
        Self {
            start: permission.key.clone(),
            end,
        }
    }

    /// Every key below `bound` that is not below the start is in it.
    fn reaches(&self, bound: &[u8]) -> bool {
        self.end.as_ref().is_none_or(|end| bound <= end)
    }

    fn goes_beyond(&self, key: &[u8]) -> bool {
        self.end.as_ref().is_none_or(|end| key < end)
    }

    fn extend(&mut self, to: Option<Bytes>) {
        let further = match (&self.end, &to) {
            (None, _) => false,
            (_, None) => true,
            (Some(end), Some(to)) => to > end,
        };
        if further {
            self.end = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(ranges: &[(&'static str, &'static str)]) -> Keys {
        let permissions: Vec<_> = ranges
            .iter()
            .map(|(key, end)| Permission {
                key: Bytes::from(*key),
                range_end: Bytes::from(*end),
                ..Permission::default()
            })
            .collect();
        Keys::new(permissions.iter())
    }

    #[test]
    fn ranges_that_overlap_or_touch_are_one() {
        let keys = keys(&[
            ("c", "d"),
            ("a", "b"),
            ("b", "c"),
            ("aa", "ab"),
            ("x", ""),
            ("x\0", "y"),
        ]);
        assert_eq!(keys.spans.len(), 2);
        assert!(keys.contain(b"a", b"d"));
        assert!(keys.contain(b"x", b"y"));
        assert!(!keys.contain(b"a", b"y"));
        assert!(!keys.contain(b"d", b""));
        assert!(!keys.contain(b"A", b"b"));
    }

    #[test]
    fn an_open_end_is_only_in_an_open_range() {
        let keys = keys(&[("a", "c"), ("m", "\0"), ("p", "q")]);
        assert!(keys.contain(b"n", b"\0") && keys.contain(b"m", b"zz") && keys.contain(b"z", b""));
        assert!(!keys.contain(b"a", b"\0") && !keys.contain(b"l", b"\0"));
    }

    #[test]
    fn one_key_is_that_key_alone() {
        let keys = keys(&[("k", "")]);
        assert!(keys.contain(b"k", b"") && keys.contain(b"k", b"k\0"));
        assert!(!keys.contain(b"k", b"k\0\0") && !keys.contain(b"k\0", b"") && !keys.contain(b"k", b"\0"));
    }

    #[test]
    fn what_is_no_range_allows_nothing() {
        let keys = keys(&[("", ""), ("", "b"), ("", "\0"), ("c", "b"), ("d", "d")]);
        assert_eq!(keys, Keys::default());
        assert!(!keys.contain(b"", b"") && !keys.contain(b"a", b"") && !keys.contain(b"c", b"b"));
    }
}
