//! etcd's Range: which rows, in which order, how many, and what is said about the rest.

use bytes::Bytes;
use taffrail_proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use taffrail_proto::etcdserverpb::{RangeRequest, RangeResponse, ResponseHeader};
use taffrail_proto::mvccpb::KeyValue;

use super::current::Keyed;
use super::old::Old;
use super::{Current, KeyRange};
use crate::{Compacted, FutureRevision, RangeError, StoreFailure};

/// The revision to read: 0 and below mean the newest.
pub(crate) fn check_revision(wanted: i64, current: i64, floor: i64) -> Result<i64, RangeError> {
    let wanted = if wanted <= 0 { current } else { wanted };
    if wanted > current {
        return Err(FutureRevision { wanted, current }.into());
    }
    if wanted < floor {
        return Err(Compacted {
            wanted,
            compacted: floor,
        }
        .into());
    }
    Ok(wanted)
}

/// Inside a transaction a negative revision is a revision like any other, as etcd has it.
pub(crate) fn range_in_txn(wanted: i64, current: i64, floor: i64) -> Result<(), RangeError> {
    match wanted {
        0 => Ok(()),
        wanted if wanted > current => Err(FutureRevision { wanted, current }.into()),
        wanted if wanted < floor => Err(Compacted {
            wanted,
            compacted: floor,
        }
        .into()),
        _ => Ok(()),
    }
}

/// Answers at `revision`, which has been checked; `newest` is the newest revision of `current`.
pub(crate) fn range(
    current: Current<'_>,
    request: &RangeRequest,
    revision: i64,
    newest: i64,
) -> Result<RangeResponse, StoreFailure> {
    let rows = Rows {
        current,
        old: (revision < newest).then_some(Old { current, revision }),
    };
    let keys = KeyRange::new(&request.key, &request.range_end);
    let header = Some(ResponseHeader {
        revision: newest,
        ..ResponseHeader::default()
    });
    if request.count_only {
        let count = rows.count(&keys)? as i64;
        return Ok(RangeResponse {
            header,
            count,
            ..RangeResponse::default()
        });
    }
    let fetched = rows.fetch(request, &keys)?;
    let (kvs, more) = shape(request, fetched.kvs);
    let count = match fetched.count {
        Some(count) => count,
        None => rows.count(&keys)?,
    };
    Ok(RangeResponse {
        header,
        kvs,
        more,
        count: count as i64,
    })
}

/// The keys of one moment.
struct Rows<'a> {
    current: Current<'a>,
    old: Option<Old<'a>>,
}

struct Fetched {
    kvs: Vec<KeyValue>,
    /// Known if the whole range was walked.
    count: Option<u64>,
}

impl<'a> Rows<'a> {
    fn count(&self, keys: &KeyRange) -> Result<u64, StoreFailure> {
        let count = self.current.count(keys)?;
        match &self.old {
            Some(old) => old.count(keys, count),
            None => Ok(count),
        }
    }

    fn scan(&self, keys: &KeyRange) -> Box<dyn Iterator<Item = Keyed> + 'a> {
        match &self.old {
            Some(old) => old.scan(keys),
            None => self.current.scan(keys),
        }
    }

    fn fetch(&self, request: &RangeRequest, keys: &KeyRange) -> Result<Fetched, StoreFailure> {
        if wants_last_keys(request)
            && self.old.is_none()
            && let Some(rows) = self.current.scan_back(keys)
        {
            return collect(rows, fetch_max(request.limit), request.keys_only);
        }
        let rows_max = if orders(request) || filters(request) {
            None
        } else {
            fetch_max(request.limit)
        };
        let keys_only = request.keys_only && request.sort_target() != SortTarget::Value;
        collect(self.scan(keys), rows_max, keys_only)
    }
}

/// One more than asked for tells whether there are more.
fn fetch_max(limit: i64) -> Option<usize> {
    (limit > 0).then(|| usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1))
}

fn collect(
    rows: impl Iterator<Item = Keyed>,
    rows_max: Option<usize>,
    keys_only: bool,
) -> Result<Fetched, StoreFailure> {
    let rows_max = rows_max.unwrap_or(usize::MAX);
    let mut kvs = Vec::new();
    for row in rows.take(rows_max) {
        let (key, record) = row?;
        let mut kv = record.key_value(key);
        if keys_only {
            kv.value = Bytes::new();
        }
        kvs.push(kv);
    }
    let count = (kvs.len() < rows_max).then_some(kvs.len() as u64);
    Ok(Fetched { kvs, count })
}

/// The last keys of a range are found from its end.
fn wants_last_keys(request: &RangeRequest) -> bool {
    request.sort_target() == SortTarget::Key && request.sort_order() == SortOrder::Descend && !filters(request)
}

/// Key order ascending is the order of the rows, so only other orders need all of them.
fn orders(request: &RangeRequest) -> bool {
    let by_key = request.sort_target == SortTarget::Key as i32;
    request.sort_order != SortOrder::None as i32 && !(by_key && request.sort_order == SortOrder::Ascend as i32)
}

fn filters(request: &RangeRequest) -> bool {
    request.min_mod_revision != 0
        || request.max_mod_revision != 0
        || request.min_create_revision != 0
        || request.max_create_revision != 0
}

/// Filters, sorts, cuts to the limit. Returns whether something was cut off.
fn shape(request: &RangeRequest, mut kvs: Vec<KeyValue>) -> (Vec<KeyValue>, bool) {
    let within = |revision: i64, min: i64, max: i64| (min == 0 || revision >= min) && (max == 0 || revision <= max);
    kvs.retain(|kv| {
        within(kv.mod_revision, request.min_mod_revision, request.max_mod_revision)
            && within(
                kv.create_revision,
                request.min_create_revision,
                request.max_create_revision,
            )
    });
    sort(request, &mut kvs);
    let limit = usize::try_from(request.limit).unwrap_or(0);
    let more = limit > 0 && kvs.len() > limit;
    if more {
        kvs.truncate(limit);
    }
    if request.keys_only {
        kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
    }
    (kvs, more)
}

/// Equal ones stay in key order.
fn sort(request: &RangeRequest, kvs: &mut [KeyValue]) {
    let target = request.sort_target();
    let order = match request.sort_order() {
        SortOrder::None if target != SortTarget::Key => SortOrder::Ascend,
        order => order,
    };
    let by = |a: &KeyValue, b: &KeyValue| match target {
        SortTarget::Key => a.key.cmp(&b.key),
        SortTarget::Version => a.version.cmp(&b.version),
        SortTarget::Create => a.create_revision.cmp(&b.create_revision),
        SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
        SortTarget::Value => a.value.cmp(&b.value),
    };
    match order {
        SortOrder::None => {}
        SortOrder::Ascend if target == SortTarget::Key => {}
        SortOrder::Ascend => kvs.sort_by(by),
        SortOrder::Descend => kvs.sort_by(|a, b| by(b, a)),
    }
}
