//! Is a request well formed? etcd's own rules, in etcd's order (v3rpc/key.go).

use std::collections::HashSet;

use bytes::Bytes;
use taffrail_member::KeyRange;
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{
    DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, range_request,
};

use crate::status::{
    DUPLICATE_KEY, EMPTY_KEY, INVALID_SORT_OPTION, KEY_NOT_FOUND, KEY_TOO_LARGE, LEASE_PROVIDED, MEMBER_BAD_URLS,
    Refusal, TOO_MANY_OPS, VALUE_PROVIDED,
};

pub(crate) fn range(request: &RangeRequest) -> Result<(), Refusal> {
    if request.key.is_empty() {
        return Err(EMPTY_KEY);
    }
    let order = range_request::SortOrder::try_from(request.sort_order);
    let target = range_request::SortTarget::try_from(request.sort_target);
    if order.is_err() || target.is_err() {
        return Err(INVALID_SORT_OPTION);
    }
    Ok(())
}

/// The longest key the storage engine can hold, after escaping at its worst. etcd has no such bound of its own.
const KEY_BYTES_MAX: usize = 32_736;

pub(crate) fn put(request: &PutRequest) -> Result<(), Refusal> {
    if request.key.is_empty() {
        return Err(EMPTY_KEY);
    }
    if request.key.len() > KEY_BYTES_MAX {
        return Err(KEY_TOO_LARGE);
    }
    if request.ignore_value && !request.value.is_empty() {
        return Err(VALUE_PROVIDED);
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(LEASE_PROVIDED);
    }
    Ok(())
}

pub(crate) fn delete_range(request: &DeleteRangeRequest) -> Result<(), Refusal> {
    if request.key.is_empty() { Err(EMPTY_KEY) } else { Ok(()) }
}

/// URLs that a member can be reached at: a scheme, a host and a port, nothing more (etcd types/urls.go).
pub(crate) fn peer_urls(urls: &[String]) -> Result<(), Refusal> {
    let reachable = |url: &String| {
        let Some((scheme, address)) = url.split_once("://") else {
            return false;
        };
        let port = address
            .rsplit_once(':')
            .and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
        match scheme {
            "http" | "https" => port.is_some(),
            "unix" | "unixs" => !address.is_empty(),
            _ => false,
        }
    };
    if !urls.is_empty() && urls.iter().all(reachable) {
        Ok(())
    } else {
        Err(MEMBER_BAD_URLS)
    }
}

/// Counts first, so that the search for overlaps has a bound.
pub(crate) fn txn(request: &TxnRequest, ops_max: usize) -> Result<(), Refusal> {
    txn_ops(request, ops_max)?;
    Changes::of(&request.success)?;
    Changes::of(&request.failure)?;
    Ok(())
}

fn txn_ops(request: &TxnRequest, ops_max: usize) -> Result<(), Refusal> {
    let count = request
        .compare
        .len()
        .max(request.success.len())
        .max(request.failure.len());
    if count > ops_max {
        return Err(TOO_MANY_OPS);
    }
    if request.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(EMPTY_KEY);
    }
    let mut ops = request.success.iter().chain(&request.failure);
    ops.try_for_each(|each| op(each, ops_max - count))
}

fn op(op: &RequestOp, ops_max: usize) -> Result<(), Refusal> {
    match &op.request {
        Some(Request::RequestRange(request)) => range(request),
        Some(Request::RequestPut(request)) => put(request),
        Some(Request::RequestDeleteRange(request)) => delete_range(request),
        Some(Request::RequestTxn(request)) => txn_ops(request, ops_max),
        // etcd answers an empty operation with this text.
        None => Err(KEY_NOT_FOUND),
    }
}

/// What a list of operations may put and delete, whichever way its nested transactions go.
#[derive(Default)]
struct Changes<'a> {
    puts: HashSet<&'a Bytes>,
    deletes: Vec<KeyRange>,
}

impl<'a> Changes<'a> {
    /// Refuses a key that is put twice, or put and deleted, on one path. etcd forgets ranges without an end here,
    /// and crashes or loses the key later; we do not.
    fn of(ops: &'a [RequestOp]) -> Result<Self, Refusal> {
        let mut changes = Changes::default();
        changes.deletes.extend(ops.iter().filter_map(deleted));
        for op in ops {
            if let Some(Request::RequestTxn(txn)) = &op.request {
                changes.add_nested(txn)?;
            }
        }
        for op in ops {
            if let Some(Request::RequestPut(put)) = &op.request {
                changes.add_put(&put.key)?;
            }
        }
        Ok(changes)
    }

    /// Only one branch of a nested transaction runs, so the same key in both is fine.
    fn add_nested(&mut self, txn: &'a TxnRequest) -> Result<(), Refusal> {
        let success = Changes::of(&txn.success)?;
        let failure = Changes::of(&txn.failure)?;
        for key in success.puts.union(&failure.puts) {
            self.add_put(key)?;
        }
        self.deletes.extend(success.deletes);
        self.deletes.extend(failure.deletes);
        Ok(())
    }

    fn add_put(&mut self, key: &'a Bytes) -> Result<(), Refusal> {
        let deleted = self.deletes.iter().any(|range| range.contains(key));
        if deleted || !self.puts.insert(key) {
            Err(DUPLICATE_KEY)
        } else {
            Ok(())
        }
    }
}

fn deleted(op: &RequestOp) -> Option<KeyRange> {
    match &op.request {
        Some(Request::RequestDeleteRange(d)) => Some(KeyRange::new(d.key.clone(), d.range_end.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use taffrail_proto::etcdserverpb::Compare;

    use super::*;

    fn op(request: Request) -> RequestOp {
        RequestOp { request: Some(request) }
    }

    fn put_of(key: &'static str) -> RequestOp {
        op(Request::RequestPut(PutRequest {
            key: key.into(),
            ..Default::default()
        }))
    }

    fn delete_of(key: &'static str, end: &'static str) -> RequestOp {
        let delete = DeleteRangeRequest {
            key: key.into(),
            range_end: end.into(),
            ..Default::default()
        };
        op(Request::RequestDeleteRange(delete))
    }

    fn nested(success: Vec<RequestOp>, failure: Vec<RequestOp>) -> RequestOp {
        op(Request::RequestTxn(TxnRequest {
            success,
            failure,
            ..Default::default()
        }))
    }

    fn check(success: Vec<RequestOp>) -> Result<(), Refusal> {
        txn(
            &TxnRequest {
                success,
                ..Default::default()
            },
            128,
        )
    }

    #[test]
    fn one_path_changes_a_key_once() {
        assert_eq!(check(vec![put_of("a"), put_of("a")]), Err(DUPLICATE_KEY));
        assert_eq!(check(vec![delete_of("a", "c"), put_of("b")]), Err(DUPLICATE_KEY));
        assert_eq!(check(vec![put_of("b"), delete_of("a", "c")]), Err(DUPLICATE_KEY));
        assert_eq!(
            check(vec![put_of("a"), nested(vec![put_of("a")], vec![])]),
            Err(DUPLICATE_KEY)
        );
        assert_eq!(
            check(vec![nested(vec![], vec![delete_of("a", "")]), put_of("a")]),
            Err(DUPLICATE_KEY)
        );
    }

    #[test]
    fn a_range_without_end_covers_every_key_from_its_start() {
        assert_eq!(check(vec![delete_of("a", "\0"), put_of("k")]), Err(DUPLICATE_KEY));
        assert_eq!(check(vec![delete_of("l", "\0"), put_of("k")]), Ok(()));
    }

    #[test]
    fn branches_that_exclude_each_other_may_change_the_same_key() {
        assert_eq!(check(vec![nested(vec![put_of("a")], vec![put_of("a")])]), Ok(()));
        assert_eq!(check(vec![delete_of("a", ""), delete_of("a", "c")]), Ok(()));
    }

    #[test]
    fn operations_are_counted_along_each_path() {
        let many = |n: usize| (0..n).map(|_| delete_of("a", "")).collect::<Vec<_>>();
        assert_eq!(check(many(128)), Ok(()));
        assert_eq!(check(many(129)), Err(TOO_MANY_OPS));
        assert_eq!(check(vec![nested(many(127), vec![])]), Ok(()));
        assert_eq!(check(vec![nested(many(128), vec![])]), Err(TOO_MANY_OPS));
    }

    #[test]
    fn an_empty_operation_and_an_empty_key_have_etcds_errors() {
        assert_eq!(check(vec![RequestOp { request: None }]), Err(KEY_NOT_FOUND));
        assert_eq!(check(vec![put_of("")]), Err(EMPTY_KEY));
        let compare = TxnRequest {
            compare: vec![Compare::default()],
            ..Default::default()
        };
        assert_eq!(txn(&compare, 128), Err(EMPTY_KEY));
    }

    #[test]
    fn peer_urls_have_a_scheme_a_host_and_a_port() {
        let check = |url: &str| peer_urls(&[url.to_owned()]);
        assert_eq!(check("http://10.0.0.1:2380"), Ok(()));
        for url in [
            "not a url",
            "http://10.0.0.1",
            "http://:2380",
            "ftp://a:1",
            "http://a:1/path",
        ] {
            assert_eq!(check(url), Err(MEMBER_BAD_URLS), "{url}");
        }
        assert_eq!(peer_urls(&[]), Err(MEMBER_BAD_URLS));
    }

    #[test]
    fn unknown_sort_options_are_refused() {
        let request = RangeRequest {
            key: "a".into(),
            sort_order: 9,
            ..Default::default()
        };
        assert_eq!(range(&request), Err(INVALID_SORT_OPTION));
    }
}
