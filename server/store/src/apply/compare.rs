//! The conditions of a transaction, by etcd's rules.

use std::cmp::Ordering;

use bytes::Bytes;
use taffrail_proto::etcdserverpb::Compare;
use taffrail_proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use taffrail_proto::mvccpb::KeyValue;

use crate::StoreFailure;
use crate::mvcc::{Current, KeyRange};

pub(super) fn all_hold(current: Current<'_>, compares: &[Compare]) -> Result<bool, StoreFailure> {
    for compare in compares {
        if !holds(current, compare)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Every key of the range must satisfy it. If there is none, a value is never as wanted, and everything else is zero.
fn holds(current: Current<'_>, compare: &Compare) -> Result<bool, StoreFailure> {
    let mut any = false;
    for found in current.scan(&KeyRange::new(&compare.key, &compare.range_end)) {
        let (_, record) = found?;
        any = true;
        if !satisfies(compare, &record.key_value(Bytes::new())) {
            return Ok(false);
        }
    }
    let of_value = compare.target == CompareTarget::Value as i32;
    Ok(any || (!of_value && satisfies(compare, &KeyValue::default())))
}

fn satisfies(compare: &Compare, kv: &KeyValue) -> bool {
    let order = order(compare, kv);
    match CompareResult::try_from(compare.result) {
        Ok(CompareResult::Equal) => order == Ordering::Equal,
        Ok(CompareResult::NotEqual) => order != Ordering::Equal,
        Ok(CompareResult::Greater) => order == Ordering::Greater,
        Ok(CompareResult::Less) => order == Ordering::Less,
        Err(_) => true,
    }
}

/// How the key stands to what is wanted; a missing or mismatched operand is zero.
fn order(compare: &Compare, kv: &KeyValue) -> Ordering {
    let wanted = compare.target_union.as_ref();
    let number = |found: i64, pick: fn(&TargetUnion) -> Option<i64>| found.cmp(&wanted.and_then(pick).unwrap_or(0));
    match CompareTarget::try_from(compare.target) {
        Ok(CompareTarget::Value) => match wanted {
            Some(TargetUnion::Value(value)) => kv.value.cmp(value),
            _ => kv.value.cmp(&Bytes::new()),
        },
        Ok(CompareTarget::Version) => number(kv.version, |union| match union {
            TargetUnion::Version(version) => Some(*version),
            _ => None,
        }),
        Ok(CompareTarget::Create) => number(kv.create_revision, |union| match union {
            TargetUnion::CreateRevision(revision) => Some(*revision),
            _ => None,
        }),
        Ok(CompareTarget::Mod) => number(kv.mod_revision, |union| match union {
            TargetUnion::ModRevision(revision) => Some(*revision),
            _ => None,
        }),
        Ok(CompareTarget::Lease) => number(kv.lease, |union| match union {
            TargetUnion::Lease(lease) => Some(*lease),
            _ => None,
        }),
        Err(_) => Ordering::Equal,
    }
}
