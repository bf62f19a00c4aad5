//! Discovery through an etcd that wants to know who asks.

use taffrail_e2e::Member;
use taffrail_e2e::certificates::{Authority, Folder, client};
use taffrail_e2e::users::ROOT;

use crate::discovery::{expect_members, flags};
use crate::founder::{READY, start};

const HERE: [&str; 2] = ["127.0.0.1", "localhost"];

#[tokio::test]
async fn members_show_certificates_to_the_registry_and_verify_its_own() {
    let authority = Authority::new("authority");
    let theirs = Folder::with(&authority.issue("registry", &HERE), &[&authority]);
    let own = Folder::with(&authority.issue("founder", &HERE), &[&authority]);
    let shown = authority.issue("client", &HERE);
    let registry = Member::builder().secure(client(&[&authority], Some(&shown)));
    let registry = registry.flags(theirs.flags("")).start().await;
    expect_members(&registry, "1").await;
    let folder = tempfile::tempdir().unwrap();
    let mut flags = flags(&format!("https://{}", registry.address()));
    let files = [("cert", "cert.pem"), ("key", "key.pem"), ("cacert", "ca.pem")];
    flags.extend(files.map(|(name, file)| own.flag(&format!("discovery-{name}"), file)));
    let founder = start(folder.path(), "a", &flags);
    founder.process.until_logged(READY).await;
    assert_eq!(founder.client.members().await.len(), 1);
}

#[tokio::test]
async fn members_ask_as_a_user_if_the_registry_wants_one() {
    let registry = Member::builder().arg("--bcrypt-cost=4").start().await;
    expect_members(&registry, "1").await;
    registry.enable_auth(&[(ROOT, "secret")]).await;

    let folder = tempfile::tempdir().unwrap();
    let mut flags = flags(&registry.address());
    flags.extend([
        "--discovery-user=root".to_owned(),
        "--discovery-password=secret".to_owned(),
    ]);
    let founder = start(folder.path(), "a", &flags);
    founder.process.until_logged(READY).await;
    assert!(founder.process.log().contains(&founder.peer_url));
}
