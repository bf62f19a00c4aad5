//! Users, roles and the rules that keep administrators from locking themselves out.

use std::path::Path;

use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::{get, put, watch};
use taffrail_e2e::users::{ROOT, user};
use taffrail_proto::authpb::permission::Type;
use taffrail_proto::etcdserverpb as pb;
use tonic::{Code, Response, Status};

use crate::guarded::{As, Guarded, permission};

fn refused<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> (Code, String) {
    let status = answer.expect_err("refused");
    let text = status.message();
    (
        status.code(),
        text.strip_prefix("etcdserver: ").unwrap_or(text).to_owned(),
    )
}

#[tokio::test]
async fn nobody_gets_in_without_a_name_and_no_name_without_its_password() {
    let on = Guarded::fresh().await;
    let empty = (Code::InvalidArgument, "user name is empty".to_owned());
    assert_eq!(refused(on.member.kv().range(get("k")).await), empty);
    let failed = (
        Code::InvalidArgument,
        "authentication failed, invalid user ID or password".to_owned(),
    );
    for (name, password) in [("root", "wrong"), ("root", ""), ("nobody", "root"), ("", "")] {
        assert_eq!(
            refused(on.authenticate(name, password).await),
            failed,
            "{name} {password}"
        );
    }
}

#[tokio::test]
async fn a_user_without_password_gets_no_token() {
    let on = Guarded::fresh().await;
    let add = pb::AuthUserAddRequest {
        name: "certified".into(),
        options: Some(taffrail_proto::authpb::UserAddOptions { no_password: true }),
        ..Default::default()
    };
    on.auth().user_add(on.root.asks(add)).await.unwrap();
    let text = "auth: authentication failed, password was given for no password user";
    assert_eq!(
        refused(on.authenticate("certified", "").await),
        (Code::Unknown, text.to_owned())
    );
}

#[tokio::test]
async fn administrators_cannot_lock_themselves_out() {
    let on = Guarded::fresh().await;
    on.add_role("root").await;
    let invalid = (Code::InvalidArgument, "invalid auth management".to_owned());
    let mut auth = on.auth();
    let delete_user = pb::AuthUserDeleteRequest { name: "root".into() };
    assert_eq!(refused(auth.user_delete(on.root.asks(delete_user)).await), invalid);
    let revoke = pb::AuthUserRevokeRoleRequest {
        name: "root".into(),
        role: "root".into(),
    };
    assert_eq!(refused(auth.user_revoke_role(on.root.asks(revoke)).await), invalid);
    let delete_role = pb::AuthRoleDeleteRequest { role: "root".into() };
    assert_eq!(refused(auth.role_delete(on.root.asks(delete_role)).await), invalid);
}

#[tokio::test]
async fn authentication_is_not_switched_on_without_an_administrator() {
    let member = taffrail_e2e::Member::builder().arg("--bcrypt-cost=4").start().await;
    let mut auth = member.auth();
    let no_user = (Code::FailedPrecondition, "root user does not exist".to_owned());
    assert_eq!(refused(auth.auth_enable(pb::AuthEnableRequest {}).await), no_user);
    auth.user_add(user(ROOT, ROOT)).await.unwrap();
    let no_role = (Code::FailedPrecondition, "root user does not have root role".to_owned());
    assert_eq!(refused(auth.auth_enable(pb::AuthEnableRequest {}).await), no_role);
}

#[tokio::test]
async fn a_refused_watch_leaves_the_stream_to_others() {
    let on = Guarded::fresh().await;
    let alice = on.user_with("alice", vec![permission(Type::Read, "a", "b")]).await;
    let mut stream = on.member.watch_as(|metadata| alice.sign(metadata)).await;
    stream.send(pb::watch_request::RequestUnion::CreateRequest(watch("x", 0)));
    let answer = stream.next().await;
    assert!(answer.created && answer.canceled);
    assert_eq!(
        answer.cancel_reason,
        "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
    );
    let created = stream.create(watch("a1", 0)).await;
    assert!(!created.canceled);
    on.member.kv().put(on.root.asks(put("a1", "v"))).await.unwrap();
    assert_eq!(stream.events(1).await.len(), 1);
}

#[tokio::test]
async fn leases_expire_while_authentication_is_on() {
    let on = Guarded::fresh().await;
    let alice = on.user_with("alice", vec![permission(Type::Readwrite, "a", "")]).await;
    let granted = on
        .member
        .lease()
        .lease_grant(alice.asks(pb::LeaseGrantRequest { ttl: 1, id: 5 }))
        .await;
    assert!(granted.unwrap().into_inner().ttl >= 1);
    let attached = pb::PutRequest {
        lease: 5,
        ..put("a", "v")
    };
    on.member.kv().put(alice.asks(attached)).await.unwrap();
    // Users and roles change meanwhile, which makes what the member knows of them old.
    on.add_user("bob").await;
    taffrail_e2e::wait::until("the key to go with its lease", async || {
        let answer = on.member.kv().range(alice.asks(get("a"))).await.unwrap();
        answer.into_inner().kvs.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn users_outlive_a_restart_and_tokens_do_not() {
    let mut on = Guarded::fresh().await;
    let alice = on.user_with("alice", vec![permission(Type::Read, "a", "")]).await;
    on.member.restart().await;
    let invalid = (Code::Unauthenticated, "invalid auth token".to_owned());
    assert_eq!(refused(on.member.kv().range(alice.asks(get("a"))).await), invalid);
    let alice = on.log_in("alice").await;
    on.member.kv().range(alice.asks(get("a"))).await.unwrap();
}

#[tokio::test]
async fn neither_passwords_nor_tokens_are_written_anywhere() {
    let on = Guarded::fresh().await;
    on.add_user("alice").await;
    let secret = "correct-horse-battery-staple";
    on.change_password("alice", secret).await;
    assert!(on.authenticate("alice", "wrong-horse").await.is_err());
    let token = on.authenticate("alice", secret).await.unwrap().into_inner().token;
    let made_up = As::token("made-up-token.1");
    assert!(on.member.kv().range(made_up.asks(get("a"))).await.is_err());
    let log = on.member.log();
    for word in [secret, "wrong-horse", "made-up-token", &token] {
        assert!(!log.contains(word), "{word} stands in the log");
    }
    // The random half of a token is in the raft log, so that every member learns it; a password is nowhere.
    for_each_file(on.member.data_dir(), &mut |path, bytes| {
        let holds = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(
            !holds(secret) && !holds("wrong-horse"),
            "{} holds a password",
            path.display()
        );
    });
}

fn for_each_file(dir: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            for_each_file(&path, look);
        } else {
            look(&path, &std::fs::read(&path).unwrap());
        }
    }
}

#[tokio::test]
async fn a_token_is_good_on_every_member_at_once() {
    let cluster = Plain::of(3).arg("--bcrypt-cost=4").start().await;
    cluster.client(0).enable_auth(&[(ROOT, ROOT)]).await;
    for giver in 0..3 {
        let root = As::token(&cluster.client(giver).token(ROOT).await);
        for taker in 0..3 {
            let put = cluster.client(taker).kv().put(root.asks(put("k", "v"))).await;
            put.unwrap_or_else(|error| panic!("given by {giver}, used on {taker}: {error}"));
        }
    }
}
