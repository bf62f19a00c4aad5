use super::*;
use taffrail_proto::etcdserverpb::{
    AuthUserAddRequest, InternalAuthenticateRequest, PutRequest, RequestHeader, RequestOp, TxnRequest, request_op,
};

fn described(request: InternalRaftRequest) -> Described {
    describe(&request.encode_to_vec().into())
}

fn put(value: Vec<u8>) -> PutRequest {
    PutRequest {
        key: "k\n".into(),
        value: value.into(),
        lease: 0x2a,
        ..PutRequest::default()
    }
}

#[test]
fn a_put_is_shown_on_one_line_with_who_asked() {
    let shown = described(InternalRaftRequest {
        header: Some(RequestHeader {
            username: "alice".into(),
            ..RequestHeader::default()
        }),
        put: Some(put(vec![b'x'; 100])),
        ..InternalRaftRequest::default()
    });
    assert_eq!((shown.kind, shown.user.as_str()), ("put", "alice"));
    assert_eq!(shown.details[0], ("key", "\"k\\n\"".to_owned()));
    assert!(shown.details[1].1.ends_with("\"... 100 bytes"));
    assert_eq!(shown.details[2], ("lease", "2a".to_owned()));
}

#[test]
fn operations_of_transactions_are_shown() {
    let operation = RequestOp {
        request: Some(request_op::Request::RequestPut(put(vec![b'v']))),
    };
    let shown = described(InternalRaftRequest {
        txn: Some(TxnRequest {
            success: vec![operation],
            ..TxnRequest::default()
        }),
        ..InternalRaftRequest::default()
    });
    assert_eq!(shown.details[1], ("success", "[put \"k\\n\" \"v\"]".to_owned()));
}

#[test]
fn secrets_are_not_shown() {
    let secret = "s3cret".to_owned();
    for request in [
        InternalRaftRequest {
            auth_user_add: Some(AuthUserAddRequest {
                name: "bob".into(),
                password: secret.clone(),
                hashed_password: secret.clone(),
                ..AuthUserAddRequest::default()
            }),
            ..InternalRaftRequest::default()
        },
        InternalRaftRequest {
            authenticate: Some(InternalAuthenticateRequest {
                name: "bob".into(),
                password: secret.clone(),
                simple_token: secret.clone(),
            }),
            ..InternalRaftRequest::default()
        },
    ] {
        let shown = format!("{:?}", described(request));
        assert!(shown.contains("bob") && !shown.contains(&secret), "{shown}");
    }
}

#[test]
fn what_is_no_request_is_said_to_be_so() {
    assert_eq!(describe(&Bytes::from_static(&[0xff])).kind, "malformed");
}
