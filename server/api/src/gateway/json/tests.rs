//! Recorded from etcd 3.6.14: what it answered to each of these, sent by curl.

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use taffrail_proto::FILE_DESCRIPTOR_SET;

use super::{document, message, write};

fn descriptor(name: &str) -> MessageDescriptor {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("valid");
    pool.get_message_by_name(&format!("etcdserverpb.{name}"))
        .expect("known")
}

fn read(name: &str, text: &str) -> Result<DynamicMessage, String> {
    let found = document(text.as_bytes()).map_err(|error| error.0)?;
    let (document, _) = found.ok_or("unexpected EOF")?;
    message(&descriptor(name), document).map_err(|error| error.0)
}

#[test]
fn what_is_read_is_written_in_the_form_of_the_contract() {
    for (name, given, written) in [
        ("RangeRequest", "{}", "{}"),
        (
            "RangeRequest",
            r#" {"rangeEnd":"AA==","key":"Zm9v","sortOrder":"DESCEND","sort_target":3,"limit":"3"} rest"#,
            r#"{"key":"Zm9v","range_end":"AA==","limit":"3","sort_order":"DESCEND","sort_target":"MOD"}"#,
        ),
        // Zero, null, unknown fields and unknown names of enums are nothing.
        (
            "RangeRequest",
            r#"{"limit":0,"key":null,"nope":{"a":[1]},"sort_order":"NOPE","serializable":false}"#,
            "{}",
        ),
        // A number that no name is known for stays one.
        ("RangeRequest", r#"{"sort_order":7}"#, r#"{"sort_order":7}"#),
        (
            "RangeRequest",
            r#"{"key":"_-8","limit":1e2}"#,
            r#"{"key":"/+8=","limit":"100"}"#,
        ),
        ("RangeRequest", r#"{"key":"Zm\u0039v"}"#, r#"{"key":"Zm9v"}"#),
        (
            "LeaseGrantRequest",
            r#"{"TTL":100,"ID":7,"ttl":5}"#,
            r#"{"TTL":"100","ID":"7"}"#,
        ),
        (
            "AlarmRequest",
            r#"{"memberID":13668033151171901709}"#,
            r#"{"memberID":"13668033151171901709"}"#,
        ),
        (
            "TxnRequest",
            r#"{"success":[{"requestPut":{"key":"YQ=="}},{"request_range":{}}],"compare":[{"value":"","key":"YQ=="}]}"#,
            r#"{"compare":[{"key":"YQ==","value":""}],"success":[{"request_put":{"key":"YQ=="}},{"request_range":{}}]}"#,
        ),
        (
            "WatchCreateRequest",
            r#"{"filters":["NOPUT","X",1]}"#,
            r#"{"filters":["NOPUT","NODELETE"]}"#,
        ),
        (
            "MemberAddRequest",
            r#"{"peerURLs":["a\"b"]}"#,
            r#"{"peerURLs":["a\"b"]}"#,
        ),
        ("HashResponse", r#"{"hash":1547078578}"#, r#"{"hash":1547078578}"#),
    ] {
        assert_eq!(write(&read(name, given).expect(given)), written, "{given}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_in_gos_words() {
    for (name, given, refusal) in [
        ("RangeRequest", r#"{"key":"Zm9v""#, "unexpected EOF"),
        (
            "RangeRequest",
            "null",
            "proto: syntax error (line 1:1): unexpected token null",
        ),
        (
            "RangeRequest",
            "[]",
            "proto: syntax error (line 1:1): unexpected token [",
        ),
        (
            "RangeRequest",
            "12",
            "proto: syntax error (line 1:1): unexpected token 12",
        ),
        (
            "RangeRequest",
            "hello",
            "invalid character 'h' looking for beginning of value",
        ),
        (
            "RangeRequest",
            "{key:1}",
            "invalid character 'k' looking for beginning of object key string",
        ),
        (
            "RangeRequest",
            r#"{"key":"Zm9v" "x"}"#,
            "invalid character '\"' after object key:value pair",
        ),
        (
            "RangeRequest",
            r#"{"key":"@@"}"#,
            "proto: (line 1:8): invalid value for bytes field key: \"@@\"",
        ),
        (
            "RangeRequest",
            r#"{"key":5}"#,
            "proto: (line 1:8): invalid value for bytes field key: 5",
        ),
        (
            "RangeRequest",
            r#"{"key":"Zm9v","limit":1.5}"#,
            "proto: (line 1:23): invalid value for int64 field limit: 1.5",
        ),
        (
            "RangeRequest",
            r#"{"limit":"99999999999999999999"}"#,
            "proto: (line 1:10): invalid value for int64 field limit: \"99999999999999999999\"",
        ),
        (
            "RangeRequest",
            r#"{"serializable":"true"}"#,
            "proto: (line 1:17): invalid value for bool field serializable: \"true\"",
        ),
        (
            "RangeRequest",
            r#"{"sort_order":true}"#,
            "proto: (line 1:15): invalid value for enum field sortOrder: true",
        ),
        (
            "RangeRequest",
            r#"{"key":"Zm9v","key":"Zm9v"}"#,
            "proto: (line 1:15): duplicate field \"key\"",
        ),
        (
            "AuthenticateRequest",
            "{\"name\":\n   [1]}",
            "proto: (line 2:4): invalid value for string field name: [",
        ),
        (
            "TxnRequest",
            r#"{"compare":{"key":"Zm9v"}}"#,
            "proto: syntax error (line 1:12): unexpected token {",
        ),
        (
            "TxnRequest",
            r#"{"compare":null,"success":[null]}"#,
            "proto: syntax error (line 1:28): unexpected token null",
        ),
        (
            "Compare",
            r#"{"value":"YmFy","lease":"1"}"#,
            "proto: (line 1:17): error parsing \"lease\", oneof etcdserverpb.Compare.target_union is already set",
        ),
    ] {
        assert_eq!(read(name, given).expect_err(given), refusal, "{given}");
    }
}

#[test]
fn a_message_deeper_than_the_wire_allows_is_refused() {
    let nested = |depth| {
        let open = r#"{"success":[{"request_txn":"#.repeat(depth);
        format!("{open}{{}}{}", "}]}".repeat(depth))
    };
    assert!(read("TxnRequest", &nested(40)).is_ok());
    assert_eq!(
        read("TxnRequest", &nested(60)).expect_err("too deep"),
        "exceeded max recursion depth"
    );
}
