//! Nobody sees through a proxy what he may not see without it.

use taffrail_e2e::aside::Aside;
use taffrail_e2e::certificates::{Authority, Folder, client};
use taffrail_e2e::requests::{get, put, watch};
use taffrail_e2e::users::ROOT;
use taffrail_e2e::{Client, Member, ports};

use crate::proxied::{proxy, until_watchers};

const HERE: [&str; 2] = ["127.0.0.1", "localhost"];

#[tokio::test]
async fn who_may_not_read_does_not_share_with_who_may() {
    let member = Member::builder().arg("--bcrypt-cost=4").start().await;
    let proxy = proxy(&[member.address()], &[]).await;
    let client = &proxy.client;
    // Made and enabled through the proxy itself.
    client.enable_auth(&[(ROOT, ROOT), ("nobody", "nobody")]).await;
    let refused = client.kv().range(get("k")).await.unwrap_err();
    assert_eq!(refused.message(), "etcdserver: user name is empty");

    let root = client.token(ROOT).await;
    let nobody = client.token("nobody").await;
    let sign = |token: String| {
        move |metadata: &mut tonic::metadata::MetadataMap| {
            metadata.insert("token", token.parse().unwrap());
        }
    };
    let mut allowed = client.watch_as(sign(root.clone())).await;
    allowed.create(watch("k", 0)).await;
    let mut again = client.watch_as(sign(root.clone())).await;
    again.create(watch("k", 0)).await;
    let mut forbidden = client.watch_as(sign(nobody)).await;
    let end = forbidden.create(watch("k", 0)).await;
    assert!(
        end.canceled && end.cancel_reason.contains("permission denied"),
        "{end:?}"
    );
    let mut unknown = client.watch().await;
    let end = unknown.create(watch("k", 0)).await;
    assert!(end.canceled, "{end:?}");
    until_watchers(&member, 1).await;

    let mut request = tonic::Request::new(put("k", "v"));
    sign(root)(request.metadata_mut());
    client.kv().put(request).await.unwrap();
    assert_eq!(allowed.events(1).await.len(), 1);
    assert_eq!(again.events(1).await.len(), 1);
}

#[tokio::test]
async fn both_sides_of_a_proxy_speak_tls() {
    let authority = Authority::new("authority");
    let files = Folder::with(&authority.issue("member", &HERE), &[&authority]);
    let shown = authority.issue("client", &HERE);
    let member = Member::builder().secure(client(&[&authority], Some(&shown)));
    let member = member.flags(files.flags("")).start().await;
    let nameless = Folder::with(&authority.issue("", &HERE), &[&authority]);
    let mut flags = vec![
        nameless.flag("cert", "cert.pem"),
        nameless.flag("key", "key.pem"),
        nameless.flag("cacert", "ca.pem"),
    ];
    flags.extend(files.flags(""));
    let proxy = proxy(&[member.address()], &flags).await;
    let inside = Client::secure(proxy.address.clone(), client(&[&authority], Some(&shown)));
    inside.put(put("k", "v")).await;
    assert_eq!(member.text("k").await.as_deref(), Some("v"));
    let stranger = Client::secure(proxy.address.clone(), client(&[&authority], None));
    assert!(stranger.kv().range(get("k")).await.is_err());
}

#[tokio::test]
async fn a_certificate_that_names_a_user_is_not_shown_for_everybody() {
    let authority = Authority::new("authority");
    let files = Folder::with(&authority.issue("root", &HERE), &[&authority]);
    let words = [
        "grpc-proxy".to_owned(),
        "start".to_owned(),
        format!("--listen-addr=127.0.0.1:{}", ports::free()),
        files.flag("cert", "cert.pem"),
        files.flag("key", "key.pem"),
        files.flag("cacert", "ca.pem"),
    ];
    let exit = Aside::start(&words).exit().await;
    assert_eq!(exit.code, Some(1));
    assert!(
        exit.log.contains("cert has non empty Common Name (root)"),
        "{}",
        exit.log
    );
}
