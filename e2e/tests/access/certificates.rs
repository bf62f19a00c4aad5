//! Users that are known by the common names of their certificates.

use std::sync::Arc;

use rustls::ClientConfig;
use taffrail_e2e::certificates::{Authority, Folder, client, shake};
use taffrail_e2e::requests::{get, put, watch};
use taffrail_e2e::{Client, Member, http};
use taffrail_proto::authpb::permission::Type;
use taffrail_proto::etcdserverpb as pb;
use tonic::Code;

use crate::guarded::{As, permission};

const HERE: [&str; 2] = ["127.0.0.1", "localhost"];

/// A member that knows its users by certificate: root, and alice who may write `a`.
struct Certified {
    member: Member,
    authority: Authority,
    _folder: Folder,
}

impl Certified {
    async fn fresh(flags: &[&str]) -> Certified {
        let authority = Authority::new("authority");
        let folder = Folder::with(&authority.issue("member", &HERE), &[&authority]);
        let root = authority.issue("root", &HERE);
        let builder = Member::builder().secure(client(&[&authority], Some(&root)));
        let flags = flags.iter().map(|flag| (*flag).to_owned());
        let builder = builder
            .flags(folder.flags(""))
            .flags(flags)
            .arg("--client-cert-auth=true");
        let certified = Certified {
            member: builder.start().await,
            authority,
            _folder: folder,
        };
        certified.prepare().await;
        certified
    }

    async fn prepare(&self) {
        let mut auth = self.member.auth();
        for name in ["root", "alice"] {
            let add = pb::AuthUserAddRequest {
                name: name.into(),
                options: Some(taffrail_proto::authpb::UserAddOptions { no_password: true }),
                ..Default::default()
            };
            auth.user_add(add).await.unwrap();
        }
        auth.role_add(pb::AuthRoleAddRequest { name: "writer".into() })
            .await
            .unwrap();
        let allow = pb::AuthRoleGrantPermissionRequest {
            name: "writer".into(),
            perm: Some(permission(Type::Readwrite, "a", "")),
        };
        auth.role_grant_permission(allow).await.unwrap();
        for (user, role) in [("root", "root"), ("alice", "writer")] {
            let grant = pb::AuthUserGrantRoleRequest {
                user: user.into(),
                role: role.into(),
            };
            auth.user_grant_role(grant).await.unwrap();
        }
        auth.auth_enable(pb::AuthEnableRequest {}).await.unwrap();
    }

    fn config(&self, name: &str) -> Arc<ClientConfig> {
        client(&[&self.authority], Some(&self.authority.issue(name, &HERE)))
    }

    fn client_of(&self, name: &str) -> Client {
        Client::secure(self.member.address(), self.config(name))
    }

    /// Sends JSON over a connection of this certificate.
    async fn post(&self, name: &str, body: &str) -> http::Answer {
        let mut config = (*self.config(name)).clone();
        config.alpn_protocols.clear();
        let stream = shake(&self.member.address(), Arc::new(config)).await.unwrap();
        http::post_over(stream, "/v3/kv/range", body).await
    }
}

#[tokio::test]
async fn a_certificate_is_enough() {
    let on = Certified::fresh(&[]).await;
    let alice = on.client_of("alice");
    alice.kv().put(put("a", "v")).await.unwrap();
    let denied = alice.kv().put(put("b", "v")).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    on.member.kv().put(put("b", "v")).await.unwrap();
}

#[tokio::test]
async fn a_name_that_is_no_user_may_nothing() {
    let on = Certified::fresh(&[]).await;
    let denied = on.client_of("mallory").kv().range(get("a")).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    let nameless = on.client_of("").kv().range(get("a")).await.unwrap_err();
    assert_eq!(nameless.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_stream_that_is_older_than_authentication_counts_by_its_certificate() {
    let on = Certified::fresh(&[]).await;
    let mut auth = on.member.auth();
    auth.auth_disable(pb::AuthDisableRequest {}).await.unwrap();
    let mut stream = on.client_of("alice").watch().await;
    stream.create(watch("b", 0)).await;
    auth.auth_enable(pb::AuthEnableRequest {}).await.unwrap();
    assert!(!stream.create(watch("a", 0)).await.canceled);
    assert!(stream.create(watch("b", 0)).await.canceled);
}

#[tokio::test]
async fn a_token_counts_before_a_certificate() {
    let on = Certified::fresh(&[]).await;
    let made_up = As::token("made-up.1");
    let refused = on.member.kv().range(made_up.asks(get("a"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn the_gateway_does_not_know_users_by_certificate_and_says_so() {
    let on = Certified::fresh(&[]).await;
    let answer = on.post("root", r#"{"key":"YQ=="}"#).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("CommonName of client"), "{}", answer.body);
    let nameless = on.post("", r#"{"key":"YQ=="}"#).await;
    assert!(nameless.body.contains("user name is empty"), "{}", nameless.body);
}

#[tokio::test]
async fn hosts_are_not_looked_at_where_tls_names_the_member() {
    let on = Certified::fresh(&["--host-whitelist=good.example"]).await;
    assert_ne!(on.post("", "{}").await.status, 421);
}
