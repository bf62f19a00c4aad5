//! What the operator asks of a member arrives as etcd's API has it, and what comes back is understood.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod member;
mod pki;

use std::sync::Arc;
use std::time::Duration;

use member::{Answers, Call, Member, as_user, message};
use pki::Pki;
use prost::Message;
use taffrail_operator::etcd::{Access, Endpoint, Etcd, EtcdClient, EtcdError};
use taffrail_proto::etcdserverpb::{
    AuthStatusResponse, AuthUserChangePasswordResponse, AuthenticateResponse, Member as Listed, MemberAddResponse,
    MemberListRequest, MemberListResponse, MemberRemoveResponse, ResponseHeader, StatusResponse,
};
use tonic::Status;

fn client() -> EtcdClient {
    EtcdClient::new(Duration::from_secs(5))
}

fn always(answer: impl Fn(Call) -> Result<Vec<u8>, Status> + Send + Sync + 'static) -> Answers {
    Arc::new(answer)
}

/// Nobody listens there: the port was given back.
async fn nobody() -> Endpoint {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    Endpoint {
        url: format!("http://{}", listener.local_addr().unwrap()),
        server_name: String::new(),
    }
}

fn two_members() -> MemberListResponse {
    let member = |id| Listed {
        id,
        peer_ur_ls: vec![format!("http://m{id}:2380")],
        ..Default::default()
    };
    let header = ResponseHeader {
        cluster_id: 7,
        ..Default::default()
    };
    MemberListResponse {
        header: Some(header),
        members: vec![member(1), member(2)],
    }
}

#[tokio::test]
async fn the_roster_is_read_from_the_first_member_that_answers() {
    let without_leader = Member::plain(always(|_| Err(Status::unavailable("etcdserver: no leader")))).await;
    let answers = always(|call| {
        assert!(MemberListRequest::decode(call.message).unwrap().linearizable);
        message(two_members())
    });
    let voter = Member::plain(answers).await;
    let through = [nobody().await, without_leader.at.clone(), voter.at.clone()];
    let roster = client().roster(&Access::default(), &through).await.unwrap();
    assert_eq!((roster.cluster_id, roster.members.len()), (7, 2));
    assert_eq!(roster.members[1].peer_urls, ["http://m2:2380"]);
    let without_quorum = client().roster(&Access::default(), &through[..2]).await;
    assert_eq!(without_quorum, Err(EtcdError::NoQuorum("no leader".into())));
}

#[tokio::test]
async fn a_change_that_may_have_happened_is_not_asked_of_another() {
    let broken = Member::plain(always(|_| Err(Status::unavailable("etcdserver: server stopped")))).await;
    let other = Member::plain(always(|_| message(MemberRemoveResponse::default()))).await;
    let through = [broken.at.clone(), other.at.clone()];
    let removed = client().remove(&Access::default(), &through, 1).await;
    assert_eq!(removed, Err(EtcdError::Unreachable("server stopped".into())));
    assert!(other.calls().is_empty());
}

#[tokio::test]
async fn a_change_that_cannot_have_happened_is_asked_of_the_next() {
    let learner = "etcdserver: rpc not supported for learner";
    let learner = Member::plain(always(move |_| Err(Status::failed_precondition(learner)))).await;
    let added = MemberAddResponse {
        member: Some(Listed {
            id: 9,
            ..Default::default()
        }),
        ..Default::default()
    };
    let voter = Member::plain(always(move |_| message(added.clone()))).await;
    let through = [nobody().await, learner.at.clone(), voter.at.clone()];
    assert_eq!(
        client()
            .add_learner(&Access::default(), &through, "http://m9:2380")
            .await,
        Ok(9)
    );
}

/// Lets in who shows the newest token; the first two calls of Authenticate give `t1` and `t2`.
fn with_tokens(valid: &'static str) -> Answers {
    let given = std::sync::atomic::AtomicUsize::new(0);
    always(move |call| match (call.name.as_str(), call.token.as_deref()) {
        ("Auth/Authenticate", None) => {
            let count = given.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            message(AuthenticateResponse {
                token: format!("t{count}"),
                ..Default::default()
            })
        }
        ("Maintenance/Status", _) => message(StatusResponse::default()),
        (_, Some(token)) if token == valid => message(two_members()),
        (_, Some(_)) => Err(Status::unauthenticated("etcdserver: invalid auth token")),
        (_, None) => Err(Status::invalid_argument("etcdserver: user name is empty")),
    })
}

#[tokio::test]
async fn a_token_is_fetched_when_it_is_wanted_kept_and_renewed_once() {
    let (client, root) = (client(), as_user("root", "secret"));
    let member = Member::plain(with_tokens("t2")).await;
    let through = [member.at.clone()];
    client.facts(&root, &member.at).await.unwrap();
    assert!(matches!(
        client.roster(&root, &through).await,
        Err(EtcdError::Denied(_))
    ));
    client.roster(&root, &through).await.unwrap();
    client.roster(&root, &through).await.unwrap();
    let (list, login) = ("Cluster/MemberList", "Auth/Authenticate");
    assert_eq!(
        member.calls(),
        ["Maintenance/Status", list, login, list, list, login, list, list]
    );
}

#[tokio::test]
async fn authentication_that_is_on_is_seen_by_whoever_is_not_let_in() {
    let on = Member::plain(always(|_| {
        Err(Status::invalid_argument("etcdserver: user name is empty"))
    }))
    .await;
    assert_eq!(client().auth_enabled(&Access::default(), &[on.at]).await, Ok(true));
    let off = Member::plain(always(|_| message(AuthStatusResponse::default()))).await;
    assert_eq!(client().auth_enabled(&Access::default(), &[off.at]).await, Ok(false));
}

#[tokio::test]
async fn a_wrong_password_is_an_answer_and_no_quorum_is_none() {
    let wrong = "etcdserver: authentication failed, invalid user ID or password";
    let wrong = Member::plain(always(move |_| Err(Status::invalid_argument(wrong)))).await;
    let access = Access::default();
    assert_eq!(
        client().authenticates(&access, &[wrong.at], "root", "x").await,
        Ok(false)
    );
    let mute = Member::plain(always(|_| Err(Status::unavailable("etcdserver: request timed out")))).await;
    assert!(matches!(
        client().authenticates(&access, &[mute.at], "root", "x").await,
        Err(EtcdError::NoQuorum(_))
    ));
}

#[tokio::test]
async fn root_is_made_once_and_given_its_new_password_after_that() {
    let answers = always(|call| match call.name.as_str() {
        "Auth/UserAdd" => Err(Status::failed_precondition("etcdserver: user name already exists")),
        "Auth/RoleAdd" => Err(Status::failed_precondition("etcdserver: role name already exists")),
        _ => message(AuthUserChangePasswordResponse::default()),
    });
    let member = Member::plain(answers).await;
    client()
        .set_root(&Access::default(), std::slice::from_ref(&member.at), "new")
        .await
        .unwrap();
    assert_eq!(
        member.calls(),
        [
            "Auth/UserAdd",
            "Auth/UserChangePassword",
            "Auth/RoleAdd",
            "Auth/UserGrantRole"
        ]
    );
}

#[tokio::test]
async fn a_member_is_dialled_by_address_and_known_by_name() {
    let (pki, other) = (Pki::new(), Pki::new());
    let member = Member::tls(&pki, always(|_| message(StatusResponse::default()))).await;
    let access = |tls| Access {
        tls: Some(tls),
        user: None,
    };
    client().facts(&access(pki.client(&pki)), &member.at).await.unwrap();
    let misnamed = Endpoint {
        server_name: "other.test".into(),
        ..member.at.clone()
    };
    for (tls, at) in [
        (pki.client(&pki), &misnamed),
        (other.client(&pki), &member.at),
        (pki.client(&other), &member.at),
    ] {
        let refused = client().facts(&access(tls), at).await;
        assert!(matches!(refused, Err(EtcdError::Tls(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn trust_is_seen_in_both_directions_whatever_is_spoken_there() {
    // Peers of a Taffrail speak HTTP/2 alone, those of a stock etcd HTTP/1.1.
    for protocols in [&[] as &[_], &["h2"], &["http/1.1"], &["h2", "http/1.1"]] {
        trust_is_seen(protocols).await;
    }
}

async fn trust_is_seen(protocols: &[&str]) {
    let (pki, other) = (Pki::new(), Pki::new());
    let member = Member::tls_speaking(&pki, protocols, always(|_| Ok(b"{}".to_vec()))).await;
    assert_eq!(client().trusts(&pki.client(&pki), &member.at).await, Ok(true));
    assert_eq!(client().trusts(&pki.client(&other), &member.at).await, Ok(false));
    assert_eq!(client().trusts(&other.client(&pki), &member.at).await, Ok(false));
    let gone = Endpoint {
        url: nobody().await.url.replace("http", "https"),
        server_name: "member.test".into(),
    };
    assert!(matches!(
        client().trusts(&pki.client(&pki), &gone).await,
        Err(EtcdError::Unreachable(_))
    ));
}

#[tokio::test]
async fn a_member_that_does_not_answer_costs_the_deadline_and_no_more() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = Endpoint {
        url: format!("http://{}", listener.local_addr().unwrap()),
        server_name: String::new(),
    };
    let client = EtcdClient::new(Duration::from_millis(200));
    let access = Access::default();
    assert_eq!(client.facts(&access, &silent).await, Err(EtcdError::TimedOut(0)));
    assert_eq!(client.ready(&silent.url).await, Err(EtcdError::TimedOut(0)));
    assert_eq!(
        client.cluster_version(&access, &silent).await,
        Err(EtcdError::TimedOut(0))
    );
}

#[tokio::test]
async fn what_is_not_ready_is_told_and_a_version_that_is_not_decided_is_none() {
    let unready = Member::plain(always(|_| Err(Status::unavailable("[-]serializable_read failed")))).await;
    let refused = EtcdError::Refused("[-]serializable_read failed".into());
    assert_eq!(client().ready(&unready.at.url).await, Err(refused));
    let answers = always(|call| match call.name.as_str() {
        "/version" => Ok(br#"{"etcdserver":"3.6.14","etcdcluster":"3.6.0"}"#.to_vec()),
        _ => Ok(b"ok".to_vec()),
    });
    let ready = Member::plain(answers).await;
    client().ready(&ready.at.url).await.unwrap();
    assert_eq!(
        client().cluster_version(&Access::default(), &ready.at).await.unwrap(),
        "3.6.0"
    );
    let young = always(|_| Ok(br#"{"etcdserver":"3.6.14","etcdcluster":"not_decided"}"#.to_vec()));
    let young = Member::plain(young).await;
    assert!(matches!(
        client().cluster_version(&Access::default(), &young.at).await,
        Err(EtcdError::NoQuorum(_))
    ));
}

#[tokio::test]
async fn a_member_that_restarts_is_reached_again() {
    let (listener, client) = (tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(), client());
    let at = Endpoint {
        url: format!("http://{}", listener.local_addr().unwrap()),
        server_name: String::new(),
    };
    // The first connection is cut as soon as it is there.
    let cut = tokio::spawn(async move { drop(listener.accept().await) });
    assert!(matches!(
        client.facts(&Access::default(), &at).await,
        Err(EtcdError::Unreachable(_))
    ));
    cut.await.unwrap();
    let again = Member::plain_at(&at, always(|_| message(StatusResponse::default()))).await;
    client.facts(&Access::default(), &again.at).await.unwrap();
}
