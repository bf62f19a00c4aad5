//! What stands in the registry, and what it means (etcd api/v3discovery).

use taffrail_proto::mvccpb::KeyValue;
use thiserror::Error;

use crate::config::Url;

const REGISTRY: &str = "/_etcd/registry";

/// Why a member does not come into a cluster by this token. No retry helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("discovery: cluster is full")]
    Full,
    #[error("discovery: size key not found")]
    NoSize,
    #[error("discovery: size key is bad")]
    BadSize,
    #[error("discovery: invalid peer URL")]
    BadUrl,
}

pub fn size_key(token: &str) -> String {
    format!("{REGISTRY}/{token}/_config/size")
}

pub fn members_key(token: &str) -> String {
    format!("{REGISTRY}/{token}/members")
}

pub fn member_key(token: &str, id: u64) -> String {
    format!("{}/{id:x}", members_key(token))
}

/// How many members the cluster is to have.
pub fn size(found: Option<&KeyValue>) -> Result<usize, Refused> {
    let value = &found.ok_or(Refused::NoSize)?.value;
    let size: Option<usize> = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    size.filter(|size| *size > 0).ok_or(Refused::BadSize)
}

/// Who has come so far, in the order of coming.
#[derive(Debug, PartialEq, Eq)]
pub struct Roll(Vec<Entry>);

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    came: i64,
    key: String,
    /// `name=url` pairs.
    urls: String,
}

impl Roll {
    pub fn of(found: &[KeyValue]) -> Self {
        let mut entries: Vec<Entry> = found.iter().filter_map(entry).collect();
        entries.sort_by_key(|entry| entry.came);
        Roll(entries)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a seat for `key`: it has one, or some are free. Of those who come at the same time the first
    /// ones count.
    pub fn check(&self, key: &str, size: usize) -> Result<(), Refused> {
        let seats = self.0.iter().take(size);
        let seated = seats.clone().any(|entry| entry.key == key);
        if seated || seats.count() < size {
            Ok(())
        } else {
            Err(Refused::Full)
        }
    }

    /// What `--initial-cluster` would say.
    pub fn initial_cluster(&self, size: usize) -> Result<String, Refused> {
        let seated: Vec<&str> = self.0.iter().take(size).map(|entry| entry.urls.as_str()).collect();
        let all = seated.join(",");
        let is_valid = |pair: &str| pair.split_once('=').is_some_and(|(_, url)| Url::parse(url).is_ok());
        if all.split(',').all(is_valid) {
            Ok(all)
        } else {
            Err(Refused::BadUrl)
        }
    }
}

/// What is no entry is passed over, as etcd does.
fn entry(found: &KeyValue) -> Option<Entry> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (key, urls) = (text(&found.key), text(&found.value));
    if !urls.contains('=') {
        tracing::warn!(
            member_key = key,
            member_info = urls,
            "invalid peer info returned from discovery service"
        );
        return None;
    }
    tracing::info!(
        member_key = key,
        member_info = urls,
        "found peer from discovery service"
    );
    let came = found.create_revision;
    Some(Entry { came, key, urls })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(key: &str, value: &str, came: i64) -> KeyValue {
        KeyValue {
            key: key.to_owned().into(),
            value: value.to_owned().into(),
            create_revision: came,
            ..KeyValue::default()
        }
    }

    #[test]
    fn keys_are_those_of_etcd() {
        assert_eq!(size_key("t"), "/_etcd/registry/t/_config/size");
        assert_eq!(member_key("t", 0xab), "/_etcd/registry/t/members/ab");
    }

    #[test]
    fn a_size_is_a_number_above_nothing() {
        assert_eq!(size(None), Err(Refused::NoSize));
        for value in ["0", "-1", "three", ""] {
            assert_eq!(size(Some(&stored("k", value, 1))), Err(Refused::BadSize), "{value}");
        }
        assert_eq!(size(Some(&stored("k", "3", 1))), Ok(3));
    }

    #[test]
    fn who_came_first_has_a_seat() {
        let found = [
            stored("c", "c=http://c:1", 9),
            stored("a", "a=http://a:1,a=http://a:2", 4),
            stored("junk", "no pair", 1),
            stored("b", "b=http://b:1", 6),
        ];
        let roll = Roll::of(&found);
        assert_eq!(roll.len(), 3);
        assert_eq!(roll.check("b", 2), Ok(()));
        assert_eq!(roll.check("c", 2), Err(Refused::Full));
        assert_eq!(roll.check("d", 4), Ok(()));
        let expected = "a=http://a:1,a=http://a:2,b=http://b:1";
        assert_eq!(roll.initial_cluster(2).as_deref(), Ok(expected));
    }

    #[test]
    fn urls_that_are_none_make_no_cluster() {
        let roll = Roll::of(&[stored("a", "a=nowhere", 1)]);
        assert_eq!(roll.initial_cluster(1), Err(Refused::BadUrl));
    }
}
