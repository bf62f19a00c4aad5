//! The promises of a transaction.

mod common;

use common::*;
use taffrail_proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::response_op::Response as OpResponse;
use taffrail_proto::etcdserverpb::{Compare, PutRequest, RangeRequest, RequestOp, TxnRequest, TxnResponse};
use taffrail_store::{ApplyError, Compacted, KeyNotFound, Response};

fn is_missing(key: &str) -> Compare {
    let target_union = Some(TargetUnion::Version(0));
    let (result, target) = (CompareResult::Equal as i32, CompareTarget::Version as i32);
    Compare {
        result,
        target,
        key: bytes(key),
        target_union,
        ..Compare::default()
    }
}

fn puts(key: &str, value: &str) -> RequestOp {
    op(Request::RequestPut(put_request(key, value)))
}

fn reads(key: &str, revision: i64) -> RequestOp {
    op(Request::RequestRange(RangeRequest {
        revision,
        ..range(key, "")
    }))
}

fn run(fixture: &mut Fixture, request: TxnRequest) -> TxnResponse {
    match fixture.apply(txn(request)).answer {
        Ok(Response::Txn(response)) => response,
        other => panic!("{other:?}"),
    }
}

fn value(response: &TxnResponse, at: usize) -> Option<String> {
    match &response.responses[at].response {
        Some(OpResponse::ResponseRange(range)) => range
            .kvs
            .first()
            .map(|kv| String::from_utf8(kv.value.to_vec()).expect("values are text")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nested_compares_see_the_state_before_the_transaction() {
    let mut fixture = Fixture::new();
    let inner = TxnRequest {
        compare: vec![is_missing("k")],
        success: vec![puts("seen", "missing")],
        ..TxnRequest::default()
    };
    let success = vec![puts("k", "v"), op(Request::RequestTxn(inner))];
    run(
        &mut fixture,
        TxnRequest {
            success,
            ..TxnRequest::default()
        },
    );
    assert_eq!(fixture.get("seen", 0).as_deref(), Some("missing"));
    assert_eq!(fixture.view().revision(), 2);
}

#[test]
fn reads_see_the_transactions_own_writes_unless_they_name_a_revision() {
    let mut fixture = Fixture::new();
    fixture.put("k", "1");
    fixture.put("k", "2");
    let success = vec![puts("k", "3"), reads("k", 0), reads("k", 3), reads("k", 2)];
    // The puts before are not committed yet when the transaction asks for them.
    let entries = [
        put("other", "x"),
        txn(TxnRequest {
            success,
            ..TxnRequest::default()
        }),
    ];
    let applied = fixture.apply_all(&entries).remove(1);
    let Ok(Response::Txn(response)) = applied.answer else {
        panic!("refused")
    };
    let values = [1, 2, 3].map(|at| value(&response, at));
    assert_eq!(values.map(Option::unwrap), ["3", "2", "1"]);
}

#[test]
fn a_compacted_read_refuses_the_whole_transaction() {
    let mut fixture = Fixture::new();
    fixture.put("k", "1");
    fixture.put("k", "2");
    fixture.compact(3);
    let success = vec![puts("k", "3"), reads("k", 2)];
    let applied = fixture.apply(txn(TxnRequest {
        success,
        ..TxnRequest::default()
    }));
    assert_eq!(
        applied.answer,
        Err(ApplyError::Compacted(Compacted {
            wanted: 2,
            compacted: 3
        }))
    );
    assert_eq!((applied.revision, fixture.get("k", 0).as_deref()), (3, Some("2")));
}

#[test]
fn keeping_the_value_of_a_missing_key_refuses_the_whole_transaction() {
    let mut fixture = Fixture::new();
    let keep = PutRequest {
        ignore_value: true,
        ..put_request("k", "")
    };
    let success = vec![puts("a", "1"), op(Request::RequestPut(keep))];
    let applied = fixture.apply(txn(TxnRequest {
        success,
        ..TxnRequest::default()
    }));
    assert_eq!(applied.answer, Err(ApplyError::KeyNotFound(KeyNotFound)));
    assert_eq!(fixture.get("a", 0), None);
}

#[test]
fn deleting_and_keeping_in_one_transaction_neither_panics_nor_corrupts() {
    let mut fixture = Fixture::new();
    fixture.put("k", "v");
    let keep = PutRequest {
        ignore_value: true,
        ignore_lease: true,
        ..put_request("k", "")
    };
    let success = vec![
        op(Request::RequestDeleteRange(delete_request("a", "\0"))),
        op(Request::RequestPut(keep)),
    ];
    run(
        &mut fixture,
        TxnRequest {
            success,
            ..TxnRequest::default()
        },
    );
    fixture.compact(3);
    fixture.store.clean().unwrap();
    let fixture = fixture.reopen();
    assert_eq!(fixture.get("k", 3).as_deref(), Some(""));
    assert_eq!(
        fixture.view().events(3, 10, 1 << 20, &|_| true).unwrap().events.len(),
        2
    );
}

#[test]
fn a_transaction_that_changes_nothing_keeps_the_revision() {
    let mut fixture = Fixture::new();
    let response = run(
        &mut fixture,
        TxnRequest {
            compare: vec![is_missing("k")],
            ..TxnRequest::default()
        },
    );
    assert_eq!((response.succeeded, response.header.unwrap().revision), (true, 1));
}

#[test]
fn a_view_answers_transactions_of_reads() {
    let mut fixture = Fixture::new();
    fixture.put("k", "1");
    fixture.put("k", "2");
    let success = vec![reads("k", 0), reads("k", 2)];
    let response = fixture
        .view()
        .txn(&TxnRequest {
            success,
            ..TxnRequest::default()
        })
        .unwrap();
    assert_eq!([0, 1].map(|at| value(&response, at).unwrap()), ["2", "1"]);
    assert_eq!(response.header.unwrap().revision, 3);
}
