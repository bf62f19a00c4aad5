//! The keys of one name, and how to ask for them.

use bytes::Bytes;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::range_request::{SortOrder, SortTarget};

/// All keys of one name.
#[derive(Clone)]
pub(crate) struct Line {
    prefix: Bytes,
}

impl Line {
    pub fn of(name: &[u8]) -> Self {
        Line {
            prefix: [name, b"/"].concat().into(),
        }
    }

    /// The key that stands for a lease.
    pub(super) fn key(&self, lease: i64) -> Bytes {
        let sign = if lease < 0 { "-" } else { "" };
        let number = format!("{sign}{:x}", lease.unsigned_abs());
        [&self.prefix, number.as_bytes()].concat().into()
    }

    /// What follows a slash ends the prefix.
    fn end(&self) -> Bytes {
        [&self.prefix[..self.prefix.len() - 1], b"0"].concat().into()
    }

    /// The key that was created first.
    pub fn first(&self) -> pb::RangeRequest {
        pb::RangeRequest {
            key: self.prefix.clone(),
            range_end: self.end(),
            limit: 1,
            sort_order: SortOrder::Ascend.into(),
            sort_target: SortTarget::Create.into(),
            ..Default::default()
        }
    }

    /// Everything that happens in it from `start_revision` on.
    pub fn watch(&self, start_revision: i64) -> pb::WatchCreateRequest {
        pb::WatchCreateRequest {
            key: self.prefix.clone(),
            range_end: self.end(),
            start_revision,
            ..Default::default()
        }
    }

    /// The last key that was created before `create_revision`.
    pub(super) fn before(&self, create_revision: i64) -> pb::RangeRequest {
        pb::RangeRequest {
            sort_order: SortOrder::Descend.into(),
            max_create_revision: create_revision - 1,
            ..self.first()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_keys_below_its_name_and_no_others() {
        let line = Line::of(b"my/lock");
        assert_eq!(line.key(0x7b), "my/lock/7b");
        assert_eq!(line.key(-0x7b), "my/lock/-7b");
        assert_eq!(line.first().key, "my/lock/");
        assert_eq!(line.end(), "my/lock0");
        assert_eq!(Line::of(b"").first().key, "/");
    }

    #[test]
    fn who_came_before_is_the_last_one_created_earlier() {
        let before = Line::of(b"l").before(7);
        assert_eq!((before.max_create_revision, before.limit), (6, 1));
        assert_eq!(before.sort_order(), SortOrder::Descend);
        assert_eq!(before.sort_target(), SortTarget::Create);
    }
}
