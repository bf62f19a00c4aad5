//! Tokens that are wrong, old or at their end.

use std::io::Write;

use taffrail_e2e::requests::get;
use taffrail_e2e::{Member, wait};
use taffrail_proto::authpb::permission::Type;
use tonic::{Code, Status};

use crate::guarded::{As, Guarded, permission};

/// What a member answers to a token.
async fn told(on: &Guarded, who: &As) -> Result<(), (Code, String)> {
    let answer = on.member.kv().range(who.asks(get("a"))).await;
    answer
        .map(drop)
        .map_err(|status: Status| (status.code(), status.message().to_owned()))
}

fn invalid() -> Result<(), (Code, String)> {
    Err((Code::Unauthenticated, "etcdserver: invalid auth token".to_owned()))
}

/// A member that gives out web tokens, and keeps the secret as long as it lives.
async fn with_web_tokens(ttl: &str) -> (Guarded, tempfile::NamedTempFile) {
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    secret.write_all(b"a secret that nobody knows").unwrap();
    let path = secret.path().display();
    let flag = format!("--auth-token=jwt,sign-method=HS256,priv-key={path},ttl={ttl}");
    (Guarded::start(None, &[&flag]).await, secret)
}

#[tokio::test]
async fn a_simple_token_ends_when_it_is_not_used() {
    let on = Guarded::start(None, &["--auth-token-ttl=1"]).await;
    let root = on.log_in("root").await;
    assert_eq!(told(&on, &root).await, Ok(()));
    // Every use makes it last longer, so the pauses between must grow.
    let mut pause = std::time::Duration::from_millis(600);
    wait::until("the token to end", async || {
        tokio::time::sleep(pause).await;
        pause += pause / 2;
        (told(&on, &root).await == invalid()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_never_given_out_is_refused() {
    let on = Guarded::fresh().await;
    for token in [
        "",
        "x",
        "abcdefghijklmnop.1",
        "a.b.c",
        "Bearer",
        "Bearer abcdefghijklmnop.2",
    ] {
        assert_eq!(told(&on, &As::token(token)).await, invalid(), "{token:?}");
    }
}

#[tokio::test]
async fn a_web_token_ends_by_the_clock_and_with_every_change_of_users() {
    let (on, _secret) = with_web_tokens("2s").await;
    let alice = on.user_with("alice", vec![permission(Type::Read, "a", "")]).await;
    assert_eq!(told(&on, &alice).await, Ok(()));
    let on = Guarded {
        root: on.log_in("root").await,
        ..on
    };
    on.add_user("bob").await;
    let old = "etcdserver: revision of auth store is old".to_owned();
    assert_eq!(told(&on, &alice).await, Err((Code::InvalidArgument, old)));
    let alice = on.log_in("alice").await;
    assert_eq!(told(&on, &alice).await, Ok(()));
    wait::until("the token to end", async || {
        (told(&on, &alice).await == invalid()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_forged_web_token_is_refused() {
    let (on, _secret) = with_web_tokens("5m").await;
    let token = on.authenticate("root", "root").await.unwrap().into_inner().token;
    let parts: Vec<&str> = token.split('.').collect();
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for forged in [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{unsigned}.{}.", parts[1]),
        format!("{unsigned}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], &parts[2][1..]),
        format!("{}.{}", parts[0], parts[1]),
        "..".to_owned(),
    ] {
        assert_eq!(told(&on, &As::token(&forged)).await, invalid(), "{forged}");
    }
    assert_eq!(told(&on, &As::token(&format!("Bearer {token}"))).await, Ok(()));
}

#[tokio::test]
async fn a_member_does_not_start_with_keys_that_cannot_sign_or_read() {
    for (flag, why) in [
        ("--auth-token=kerberos", "neither simple nor jwt"),
        ("--auth-token=jwt,sign-method=RS256", "missing key data"),
        ("--auth-token=jwt,sign-method=RS257,priv-key=/dev/null", "RS257"),
        ("--auth-token=jwt,sign-method=RS256,priv-key=/nowhere", "/nowhere"),
    ] {
        let exit = Member::builder().arg(flag).start_in_vain().await;
        assert_eq!(exit.code, Some(1), "{flag}");
        assert!(exit.log.contains(why), "{flag}: {}", exit.log);
    }
}
