//! Every version of every key, and what etcd would read from it.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use taffrail_proto::etcdserverpb::{RangeRequest, RangeResponse, ResponseHeader};
use taffrail_proto::mvccpb::KeyValue;
use taffrail_store::{Revision, StoredRevision};

/// A version; a tombstone has none.
type Versions = BTreeMap<Revision, Option<KeyValue>>;

#[derive(Debug, Clone, Default)]
pub struct History {
    keys: BTreeMap<Bytes, Versions>,
}

pub fn in_range(key: &[u8], start: &[u8], end: &[u8]) -> bool {
    match end {
        [] => key == start,
        [0] => key >= start,
        end => start <= key && key < end,
    }
}

impl History {
    pub fn add(&mut self, at: Revision, key: &Bytes, version: Option<KeyValue>) {
        self.keys.entry(key.clone()).or_default().insert(at, version);
    }

    /// The newest version up to and including main revision `at`.
    pub fn get(&self, key: &[u8], at: i64) -> Option<&KeyValue> {
        let versions = self.keys.get(key)?;
        versions
            .range(
                ..=Revision {
                    main: at,
                    sub: u32::MAX,
                },
            )
            .next_back()?
            .1
            .as_ref()
    }

    pub fn live(&self, start: &[u8], end: &[u8], at: i64) -> Vec<KeyValue> {
        let keys = self.keys.keys().filter(|key| in_range(key, start, end));
        keys.filter_map(|key| self.get(key, at)).cloned().collect()
    }

    /// etcd's executeRange, step by step.
    pub fn range(&self, request: &RangeRequest, at: i64, newest: i64) -> RangeResponse {
        let header = Some(ResponseHeader {
            revision: newest,
            ..ResponseHeader::default()
        });
        let mut kvs = self.live(&request.key, &request.range_end, at);
        let count = kvs.len() as i64;
        if request.count_only {
            return RangeResponse {
                header,
                count,
                ..RangeResponse::default()
            };
        }
        let limit = request.limit.max(0) as usize;
        let bounds = [request.min_mod_revision, request.max_mod_revision];
        let bounds = [bounds, [request.min_create_revision, request.max_create_revision]];
        if limit > 0 && request.sort_order == 0 && bounds.as_flattened().iter().all(|bound| *bound == 0) {
            kvs.truncate(limit + 1);
        }
        let within = |revision: i64, [min, max]: [i64; 2]| revision >= min && (max == 0 || revision <= max);
        kvs.retain(|kv| within(kv.mod_revision, bounds[0]) && within(kv.create_revision, bounds[1]));
        sort(request, &mut kvs);
        let more = limit > 0 && kvs.len() > limit;
        if more {
            kvs.truncate(limit);
        }
        if request.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
        }
        RangeResponse {
            header,
            kvs,
            more,
            count,
        }
    }

    /// What a compaction at `floor` leaves, in order.
    pub fn kept(&self, floor: i64, up_to: i64) -> Vec<StoredRevision> {
        let mut kept = Vec::new();
        for (key, versions) in &self.keys {
            for (&revision, version) in versions {
                let newest_at_floor = self.newest_at(versions, floor) == Some(revision);
                let stays = revision.main > floor
                    || (newest_at_floor && version.is_some())
                    || (revision.main == floor && version.is_none());
                if stays && revision.main <= up_to {
                    let kv = version.clone().unwrap_or(KeyValue {
                        key: key.clone(),
                        ..KeyValue::default()
                    });
                    kept.push(StoredRevision {
                        revision,
                        tombstone: version.is_none(),
                        kv,
                    });
                }
            }
        }
        kept.sort_by_key(|stored| stored.revision);
        kept
    }

    fn newest_at(&self, versions: &Versions, at: i64) -> Option<Revision> {
        versions
            .range(
                ..=Revision {
                    main: at,
                    sub: u32::MAX,
                },
            )
            .next_back()
            .map(|(revision, _)| *revision)
    }

    /// etcd's kvHasher over what is kept.
    pub fn hash_kv(&self, floor: i64, at: i64) -> u32 {
        let newest = self.keys.values().filter_map(|versions| {
            let revision = self.newest_at(versions, at)?;
            versions[&revision].is_some().then_some(revision)
        });
        let newest: Vec<_> = newest.collect();
        let mut hash = crc32c::crc32c(b"key");
        for stored in self.kept(floor, at) {
            let main = stored.revision.main;
            let dropped = main <= floor && !newest.is_empty() && !newest.contains(&stored.revision);
            if dropped || (main == floor && stored.tombstone) {
                continue;
            }
            let mut bytes = main.to_be_bytes().to_vec();
            bytes.push(b'_');
            bytes.extend(u64::from(stored.revision.sub).to_be_bytes());
            bytes.extend(stored.tombstone.then_some(b't'));
            bytes.extend(stored.kv.encode_to_vec());
            hash = crc32c::crc32c_append(hash, &bytes);
        }
        hash
    }

    /// By definition: versions alive now or superseded above the floor, and tombstones above it.
    pub fn in_use_bytes(&self, floor: i64) -> u64 {
        let mut bytes = 0;
        for (key, versions) in &self.keys {
            let mut versions = versions.iter().peekable();
            while let Some((revision, version)) = versions.next() {
                let superseded = versions.peek().map_or(i64::MAX, |(next, _)| next.main);
                bytes += match version {
                    Some(kv) if superseded > floor => key.len() + 36 + kv.value.len() + 32,
                    None if revision.main > floor => key.len() + 32,
                    _ => 0,
                };
            }
        }
        bytes as u64
    }
}

fn sort(request: &RangeRequest, kvs: &mut [KeyValue]) {
    let by_key = request.sort_target == 0;
    if request.sort_order < 2 && (by_key || request.sort_order == 0 && request.sort_target == 0) {
        return;
    }
    kvs.sort_by(|a, b| {
        let order = match request.sort_target {
            0 => a.key.cmp(&b.key),
            1 => a.version.cmp(&b.version),
            2 => a.create_revision.cmp(&b.create_revision),
            3 => a.mod_revision.cmp(&b.mod_revision),
            _ => a.value.cmp(&b.value),
        };
        if request.sort_order == 2 {
            order.reverse()
        } else {
            order
        }
    });
}
