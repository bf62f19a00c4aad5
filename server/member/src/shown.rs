//! Requests in words, for the log.
//!
//! Enters: any request. Leaves: one line in the text form of protobuf. Always holds: no value that a client stores, no
//! password and no token is in it (etcd raft_internal_stringer.go), and it has at most [`SHOWN_BYTES_MAX`] bytes.

use std::fmt::Write;

use prost::Message;
use taffrail_proto::etcdserverpb::compare::TargetUnion;
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{
    Compare, DeleteRangeRequest, InternalRaftRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
};

/// Of one request; the rest is cut off.
pub const SHOWN_BYTES_MAX: usize = 4096;

pub fn range(range: &RangeRequest) -> String {
    let mut line = Line::default();
    line.range(range);
    line.end()
}

pub fn put(put: &PutRequest) -> String {
    let mut line = Line::default();
    line.put(put);
    line.end()
}

pub fn delete_range(delete: &DeleteRangeRequest) -> String {
    let mut line = Line::default();
    line.delete_range(delete);
    line.end()
}

pub fn txn(txn: &TxnRequest) -> String {
    let mut line = Line::default();
    line.txn(txn);
    line.end()
}

/// An encoded `InternalRaftRequest`. Of what concerns users and roles only the kind is shown.
pub fn entry(entry: &[u8]) -> String {
    let Ok(request) = InternalRaftRequest::decode(entry) else {
        return "malformed".to_owned();
    };
    let mut line = Line::default();
    line.header(&request);
    match &request {
        InternalRaftRequest { put: Some(put), .. } => line.block("put", |line| line.put(put)),
        InternalRaftRequest { txn: Some(txn), .. } => line.block("txn", |line| line.txn(txn)),
        InternalRaftRequest {
            delete_range: Some(delete),
            ..
        } => line.block("delete_range", |line| line.delete_range(delete)),
        InternalRaftRequest {
            compaction: Some(compaction),
            ..
        } => line.block("compaction", |line| line.number("revision", compaction.revision)),
        InternalRaftRequest {
            lease_grant: Some(grant),
            ..
        } => line.block("lease_grant", |line| {
            line.word("ttl", format_args!("{}-second", grant.ttl));
            line.word("id", format_args!("{:016x}", grant.id));
        }),
        InternalRaftRequest {
            lease_revoke: Some(revoke),
            ..
        } => line.block("lease_revoke", |line| {
            line.word("id", format_args!("{:016x}", revoke.id));
        }),
        _ => line.kind(entry),
    }
    line.end()
}

#[derive(Default)]
struct Line(String);

impl Line {
    fn end(self) -> String {
        let mut line = self.0;
        if line.len() > SHOWN_BYTES_MAX {
            // Everything in it is ASCII, so any byte is a boundary.
            line.truncate(SHOWN_BYTES_MAX);
        }
        line
    }

    fn word(&mut self, name: &str, value: impl std::fmt::Display) {
        if self.0.len() > SHOWN_BYTES_MAX {
            return;
        }
        self.space();
        // Writing into a string cannot fail.
        let _ = write!(self.0, "{name}:{value}");
    }

    fn space(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with('<') {
            self.0.push(' ');
        }
    }

    fn number(&mut self, name: &str, value: i64) {
        if value != 0 {
            self.word(name, value);
        }
    }

    fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.word(name, true);
        }
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        if !value.is_empty() {
            self.word(
                name,
                format_args!("\"{}\"", value[..value.len().min(SHOWN_BYTES_MAX)].escape_ascii()),
            );
        }
    }

    fn block(&mut self, name: &str, inside: impl FnOnce(&mut Line)) {
        if self.0.len() > SHOWN_BYTES_MAX {
            return;
        }
        self.space();
        self.0.push_str(name);
        self.0.push_str(":<");
        inside(self);
        self.0.push('>');
    }

    fn header(&mut self, request: &InternalRaftRequest) {
        let Some(header) = &request.header else { return };
        self.block("header", |line| {
            line.word("ID", header.id);
            line.bytes("username", header.username.as_bytes());
            line.number("auth_revision", header.auth_revision as i64);
        });
    }

    fn kind(&mut self, entry: &[u8]) {
        let name = crate::entry::operation(entry).and_then(|place| crate::operations().nth(place));
        self.block(name.unwrap_or("unknown"), |_| {});
    }

    fn range(&mut self, range: &RangeRequest) {
        self.bytes("key", &range.key);
        self.bytes("range_end", &range.range_end);
        self.number("limit", range.limit);
        self.number("revision", range.revision);
        self.number("sort_order", range.sort_order.into());
        self.number("sort_target", range.sort_target.into());
        self.flag("serializable", range.serializable);
        self.flag("keys_only", range.keys_only);
        self.flag("count_only", range.count_only);
        self.number("min_mod_revision", range.min_mod_revision);
        self.number("max_mod_revision", range.max_mod_revision);
        self.number("min_create_revision", range.min_create_revision);
        self.number("max_create_revision", range.max_create_revision);
    }

    fn put(&mut self, put: &PutRequest) {
        self.bytes("key", &put.key);
        self.number("value_size", put.value.len() as i64);
        self.number("lease", put.lease);
        self.flag("prev_kv", put.prev_kv);
        self.flag("ignore_value", put.ignore_value);
        self.flag("ignore_lease", put.ignore_lease);
    }

    fn delete_range(&mut self, delete: &DeleteRangeRequest) {
        self.bytes("key", &delete.key);
        self.bytes("range_end", &delete.range_end);
        self.flag("prev_kv", delete.prev_kv);
    }

    fn txn(&mut self, txn: &TxnRequest) {
        self.block("compare", |line| {
            txn.compare.iter().for_each(|compare| line.compare(compare))
        });
        self.block("success", |line| txn.success.iter().for_each(|op| line.op(op)));
        self.block("failure", |line| txn.failure.iter().for_each(|op| line.op(op)));
    }

    fn compare(&mut self, compare: &Compare) {
        self.word("target", compare.target().as_str_name());
        self.word("result", compare.result().as_str_name());
        self.bytes("key", &compare.key);
        self.bytes("range_end", &compare.range_end);
        match &compare.target_union {
            Some(TargetUnion::Value(value)) => self.number("value_size", value.len() as i64),
            Some(TargetUnion::Version(version)) => self.word("version", version),
            Some(TargetUnion::CreateRevision(revision)) => self.word("create_revision", revision),
            Some(TargetUnion::ModRevision(revision)) => self.word("mod_revision", revision),
            Some(TargetUnion::Lease(lease)) => self.word("lease", lease),
            None => {}
        }
    }

    fn op(&mut self, op: &RequestOp) {
        match &op.request {
            Some(Request::RequestRange(range)) => self.block("request_range", |line| line.range(range)),
            Some(Request::RequestPut(put)) => self.block("request_put", |line| line.put(put)),
            Some(Request::RequestDeleteRange(delete)) => {
                self.block("request_delete_range", |line| line.delete_range(delete));
            }
            Some(Request::RequestTxn(txn)) => self.block("request_txn", |line| line.txn(txn)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Proposal, encode};
    use taffrail_proto::etcdserverpb::InternalAuthenticateRequest;
    use taffrail_store::Caller;

    fn secret_put() -> PutRequest {
        PutRequest {
            key: "k".into(),
            value: "secret".into(),
            lease: 7,
            ..Default::default()
        }
    }

    #[test]
    fn a_value_is_shown_by_its_size_alone() {
        assert_eq!(put(&secret_put()), r#"key:"k" value_size:6 lease:7"#);
        let nested = TxnRequest {
            compare: vec![Compare {
                key: "k".into(),
                target_union: Some(TargetUnion::Value("secret".into())),
                ..Default::default()
            }],
            success: vec![RequestOp {
                request: Some(Request::RequestPut(secret_put())),
            }],
            failure: vec![],
        };
        assert_eq!(
            txn(&nested),
            r#"compare:<target:VERSION result:EQUAL key:"k" value_size:6> success:<request_put:<key:"k" value_size:6 lease:7>> failure:<>"#
        );
    }

    #[test]
    fn an_entry_shows_neither_values_nor_passwords_nor_tokens() {
        let caller = Caller::default();
        let shown = entry(&encode(5, &caller, Proposal::Put, &secret_put()));
        assert_eq!(shown, r#"header:<ID:5> put:<key:"k" value_size:6 lease:7>"#);
        let login = InternalAuthenticateRequest {
            name: "u".into(),
            password: "secret".into(),
            simple_token: "secret".into(),
        };
        let shown = entry(&encode(5, &caller, Proposal::Authenticate, &login));
        assert_eq!(shown, "header:<ID:5> Authenticate:<>");
    }

    #[test]
    fn what_is_long_is_cut_off() {
        let long = PutRequest {
            key: vec![0xff; 3 * SHOWN_BYTES_MAX].into(),
            ..Default::default()
        };
        assert_eq!(put(&long).len(), SHOWN_BYTES_MAX);
    }
}
