//! Client ports that speak TLS: who comes in, by which certificate, and how.

use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig, ProtocolVersion, SupportedProtocolVersion};
use taffrail_e2e::certificates::{Authority, Folder, Shown, Speech, Trust, client, shake};
use taffrail_e2e::requests::{get, put};
use taffrail_e2e::{Client, Member, http, wait};

const HERE: [&str; 2] = ["127.0.0.1", "localhost"];

/// An authority, and the files of a member that it vouches for.
fn authority() -> (Authority, Folder) {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.issue("member", &HERE), &[&authority]);
    (authority, folder)
}

/// A member that demands certificates, with a client that has one.
async fn demanding(authority: &Authority, folder: &Folder, flags: &[String]) -> Member {
    let shown = authority.issue("client", &HERE);
    let member = Member::builder().secure(client(&[authority], Some(&shown)));
    member.flags(folder.flags("")).flags(flags.to_vec()).start().await
}

/// One that offers no protocol gets HTTP/1.
fn without_protocol(authority: &Authority, shown: &Shown) -> Arc<ClientConfig> {
    let mut config = (*client(&[authority], Some(shown))).clone();
    config.alpn_protocols.clear();
    Arc::new(config)
}

async fn is_refused(member: &Member, config: Arc<ClientConfig>) {
    let refused = Client::secure(member.address(), config).kv().range(get("k")).await;
    assert!(refused.is_err(), "it should not have been let in");
}

async fn logs(member: &Member, words: &[&str]) {
    wait::until("the log to say why", async || {
        let log = member.log();
        let told = |line: &str| words.iter().all(|word| line.contains(word));
        log.lines().any(told).then_some(())
    })
    .await;
}

static OLD: [&SupportedProtocolVersion; 1] = [&TLS12];
static NEW: [&SupportedProtocolVersion; 1] = [&TLS13];

const REJECTED: &str = "rejected connection on client endpoint";

#[tokio::test]
async fn only_certificates_of_the_trusted_authority_come_in() {
    let (authority, folder) = authority();
    let member = demanding(&authority, &folder, &["--client-cert-auth=true".to_owned()]).await;
    member.put(put("k", "v")).await;

    is_refused(&member, client(&[&authority], None)).await;
    logs(
        &member,
        &[
            REJECTED,
            "tls: client didn't provide a certificate",
            "remote-addr",
            "server-name",
        ],
    )
    .await;
    let stranger = Authority::new("stranger").issue("client", &HERE);
    is_refused(&member, client(&[&authority], Some(&stranger))).await;
    logs(&member, &[REJECTED, "x509: certificate signed by unknown authority"]).await;
    member.put(put("k", "still")).await;
}

#[tokio::test]
async fn an_authority_alone_demands_certificates_too() {
    let (authority, folder) = authority();
    let member = demanding(&authority, &folder, &[]).await;
    member.put(put("k", "v")).await;
    is_refused(&member, client(&[&authority], None)).await;
}

#[tokio::test]
async fn who_knows_another_authority_does_not_trust_the_member() {
    let (authority, folder) = authority();
    let member = demanding(&authority, &folder, &[]).await;
    let stranger = Authority::new("stranger");
    assert!(shake(&member.address(), client(&[&stranger], None)).await.is_err());
}

#[tokio::test]
async fn revoked_certificates_stay_out_of_grpc_and_http_ports() {
    let (authority, folder) = authority();
    let (revoked, good) = (authority.issue("client", &HERE), authority.issue("client", &HERE));
    folder.write("crl", &authority.revoke(&[&revoked]));
    let http_port = taffrail_e2e::ports::free();
    let flags = [
        folder.flag("client-crl-file", "crl"),
        format!("--listen-client-http-urls=https://127.0.0.1:{http_port}"),
    ];
    let member = demanding(&authority, &folder, &flags).await;
    member.put(put("k", "v")).await;
    is_refused(&member, client(&[&authority], Some(&revoked))).await;
    logs(&member, &[REJECTED, "transport: certificate serial 90", "revoked"]).await;

    let http_address = format!("127.0.0.1:{http_port}");
    let stream = shake(&http_address, without_protocol(&authority, &good)).await.unwrap();
    assert_eq!(http::get_over(stream, "/health").await.status, 200);
    let before = member.log().matches("revoked").count();
    let _ = Client::secure(http_address, client(&[&authority], Some(&revoked)))
        .kv()
        .range(get("k"))
        .await;
    wait::until("the other port to refuse it too", async || {
        (member.log().matches("revoked").count() > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_certificate_must_carry_an_allowed_name() {
    let (authority, folder) = authority();
    let flag = "--client-cert-allowed-hostname=client.example".to_owned();
    let shown = authority.issue("client", &["client.example"]);
    let member = Member::builder().secure(client(&[&authority], Some(&shown)));
    let member = member.flags(folder.flags("")).arg(flag).start().await;
    member.put(put("k", "v")).await;
    let other = authority.issue("client.example", &["other.example"]);
    is_refused(&member, client(&[&authority], Some(&other))).await;
    logs(&member, &[REJECTED, "client certificate authentication failed"]).await;
}

#[tokio::test]
async fn an_authority_may_show_its_own_certificate() {
    let made = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(HERE.map(str::to_owned)).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "root");
    let cert = params.self_signed(&made).unwrap().pem();
    let (authority, folder) = authority();
    folder.write("ca.pem", format!("{}{cert}", authority.pem()).as_bytes());
    let member = demanding(&authority, &folder, &["--client-cert-auth".to_owned()]).await;
    let shown = Shown::of(cert, made.serialize_pem());
    let root = Client::secure(member.address(), client(&[&authority], Some(&shown)));
    root.put(put("k", "v")).await;
}

#[tokio::test]
async fn made_certificates_serve_and_stay() {
    let mut member = Member::builder().secure(Speech::new(Trust::Anybody, None).config());
    member = member.arg("--auto-tls").arg("--self-signed-cert-validity=2");
    let mut member = member.start().await;
    member.put(put("k", "v")).await;
    let file = member.data_dir().join("fixtures/client/cert.pem");
    assert!(member.data_dir().join("fixtures/client/key.pem").is_file());
    let made = std::fs::read_to_string(&file).unwrap();
    let trusting = Speech::new(Trust::File(&file), None).config();
    shake(&member.address(), trusting)
        .await
        .expect("the file can be trusted");
    member.restart().await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), made);
    assert_eq!(member.range(get("k")).await.count, 1);
}

#[tokio::test]
async fn one_port_speaks_plainly_and_securely() {
    let (authority, folder) = authority();
    let member = Member::builder().secure(client(&[&authority], None)).plain();
    let own = folder.flags("").into_iter().take(2);
    let member = member.flags(own).start().await;
    member.put(put("k", "secure")).await;
    let plain = Client::new(member.address());
    assert_eq!(plain.text("k").await.as_deref(), Some("secure"));
    assert_eq!(http::get(&member.address(), "/health").await.status, 200);
    assert!(
        member.log().contains("ignoring key and cert files"),
        "it warns of the plain URL"
    );
    assert!(member.log().contains("serving client traffic securely"));
}

#[tokio::test]
async fn sockets_in_the_file_system_are_served_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let urls = format!("--listen-client-urls=unix://{}", socket.display());
    let mut member = Member::builder().arg(urls).start().await;
    let local = Client::unix(&socket);
    local.put(put("k", "v")).await;
    member.kill_nine();
    member.start().await;
    assert_eq!(Client::unix(&socket).text("k").await.as_deref(), Some("v"));
    member.terminate().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn versions_have_a_floor_and_a_ceiling() {
    let (authority, folder) = authority();
    for (flag, good, bad) in [
        ("--tls-min-version=TLS1.3", &NEW, &OLD),
        ("--tls-max-version=TLS1.2", &OLD, &NEW),
    ] {
        let member = Member::builder().secure(client(&[&authority], None));
        let own = folder.flags("").into_iter().take(2);
        let member = member.flags(own).arg(flag).start().await;
        let trusted = [&authority];
        let speech = |versions| {
            let speech = Speech::new(Trust::Authorities(&trusted), None);
            Speech { versions, ..speech }.config()
        };
        shake(&member.address(), speech(good)).await.expect(flag);
        assert!(shake(&member.address(), speech(bad)).await.is_err(), "{flag}");
        logs(&member, &[REJECTED, "unsupported versions"]).await;
    }
}

#[tokio::test]
async fn only_chosen_cipher_suites_are_spoken() {
    let (authority, folder) = authority();
    let member = Member::builder().secure(client(&[&authority], None));
    let own = folder.flags("").into_iter().take(2);
    let chosen = "--cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
    let member = member.flags(own).arg(chosen).start().await;
    let trusted = [&authority];
    let speech = |suites| {
        let speech = Speech::new(Trust::Authorities(&trusted), None);
        let versions = &OLD;
        Speech {
            versions,
            suites,
            ..speech
        }
        .config()
    };
    let spoken = shake(&member.address(), speech(|_| true)).await.unwrap();
    let session = spoken.get_ref().1;
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let suite = session.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
    assert_eq!(session.alpn_protocol(), Some(&b"h2"[..]));
    let other = speech(|suite| suite.suite() != CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
    assert!(shake(&member.address(), other).await.is_err());
}

#[tokio::test]
async fn metrics_are_served_with_the_clients_certificate() {
    let (authority, folder) = authority();
    let port = taffrail_e2e::ports::free();
    let url = format!("--listen-metrics-urls=https://127.0.0.1:{port}");
    let _member = demanding(&authority, &folder, &[url]).await;
    let shown = authority.issue("prometheus", &["elsewhere.example"]);
    let config = without_protocol(&authority, &shown);
    let stream = shake(&format!("127.0.0.1:{port}"), config).await.unwrap();
    assert_eq!(http::get_over(stream, "/metrics").await.status, 200);
}

#[tokio::test]
async fn the_flags_of_kubeadm_start_a_member() {
    let (authority, folder) = authority();
    let flags = [
        "--client-cert-auth=true".to_owned(),
        "--peer-client-cert-auth=true".to_owned(),
        "--feature-gates=InitialCorruptCheck=true".to_owned(),
        "--snapshot-count=10000".to_owned(),
        "--watch-progress-notify-interval=5s".to_owned(),
    ];
    let shown = authority.issue("kube-apiserver-etcd-client", &[]);
    let member = Member::builder().secure(client(&[&authority], Some(&shown))).metrics();
    let member = member
        .secure_peer()
        .flags(folder.flags(""))
        .flags(folder.flags("peer-"));
    let member = member.flags(flags).start().await;
    member.put(put("/registry/k", "v")).await;
    let probes = member.metrics_address().unwrap();
    for path in ["/livez", "/readyz"] {
        assert_eq!(http::get(&probes, path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn silent_and_garbled_handshakes_harm_nobody() {
    use tokio::io::AsyncWriteExt;
    let (authority, folder) = authority();
    let member = demanding(&authority, &folder, &[]).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(tokio::net::TcpStream::connect(member.address()).await.unwrap());
    }
    for _ in 0..100 {
        let mut garbled = tokio::net::TcpStream::connect(member.address()).await.unwrap();
        let _ = garbled.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
    }
    member.put(put("k", "v")).await;
    logs(&member, &[REJECTED, "tls: "]).await;
    let lines = member.log().matches(REJECTED).count();
    assert!(lines <= 60, "{lines} lines for a hundred rejections");
}
