//! Certificates that change, or are wrong.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustls::ClientConfig;
use taffrail_e2e::certificates::{Authority, Folder, client, shake};
use taffrail_e2e::requests::{get, put};
use taffrail_e2e::{Client, Member, wait};

const HERE: [&str; 1] = ["127.0.0.1"];

/// Clients that connect, write and read without end, with whatever certificate is current.
struct Load {
    config: Arc<Mutex<Arc<ClientConfig>>>,
    rounds: Arc<Vec<AtomicU64>>,
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Result<(), tonic::Status>>>,
}

impl Load {
    fn start(address: &str, config: Arc<ClientConfig>) -> Self {
        let mut load = Load {
            config: Arc::new(Mutex::new(config)),
            rounds: Arc::new((0..3).map(|_| AtomicU64::new(0)).collect()),
            stop: Arc::default(),
            tasks: Vec::new(),
        };
        for number in 0..3 {
            let (address, stop) = (address.to_owned(), load.stop.clone());
            let (config, rounds) = (load.config.clone(), load.rounds.clone());
            load.tasks.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let client = Client::secure(address.clone(), config.lock().unwrap().clone());
                    client.kv().put(put(format!("k{number}"), "v")).await?;
                    client.kv().range(get(format!("k{number}"))).await?;
                    rounds[number].fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }));
        }
        load
    }

    fn counts(&self) -> Vec<u64> {
        self.rounds
            .iter()
            .map(|rounds| rounds.load(Ordering::Relaxed))
            .collect()
    }

    /// Waits until every client has begun and ended a round after now.
    async fn go_on(&self) {
        let before = self.counts();
        wait::until("every client to go on", async || {
            let enough = self
                .counts()
                .iter()
                .zip(&before)
                .all(|(now, before)| *now >= before + 2);
            let failed = self.tasks.iter().any(tokio::task::JoinHandle::is_finished);
            (enough || failed).then_some(())
        })
        .await;
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap().expect("no request fails while certificates change");
        }
    }
}

async fn comes_in(address: &str, config: &Arc<ClientConfig>) -> Option<()> {
    let client = Client::secure(address.to_owned(), config.clone());
    client.kv().range(get("k")).await.ok().map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_and_authorities_change_under_load_without_a_failed_request() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let folder = Folder::with(&old.issue("member", &HERE), &[&old]);
    let (old_client, new_client) = (old.issue("client", &HERE), new.issue("client", &HERE));
    let member = Member::builder().secure(client(&[&old], Some(&old_client)));
    let member = member.flags(folder.flags("")).arg("--client-cert-auth").start().await;
    let address = member.address();
    let load = Load::start(&address, client(&[&old, &new], Some(&old_client)));
    let lasting = Client::secure(address.clone(), client(&[&old], Some(&old_client)));
    lasting.put(put("k", "before")).await;

    folder.trust(&[&old, &new]);
    let with_new = client(&[&old, &new], Some(&new_client));
    wait::until("the new authority to be trusted", async || {
        comes_in(&address, &with_new).await
    })
    .await;
    *load.config.lock().unwrap() = with_new.clone();
    folder.show(&new.issue("member", &HERE));
    let only_new = client(&[&new], Some(&new_client));
    wait::until("the new certificate to be shown", async || {
        comes_in(&address, &only_new).await
    })
    .await;
    load.go_on().await;
    folder.trust(&[&new]);
    let with_old = client(&[&new], Some(&old_client));
    wait::until("the old authority to be trusted no more", async || {
        comes_in(&address, &with_old).await.is_none().then_some(())
    })
    .await;
    load.go_on().await;
    load.end().await;
    assert_eq!(
        lasting.text("k").await.as_deref(),
        Some("before"),
        "its connection lives on"
    );
}

#[tokio::test]
async fn a_list_of_revoked_certificates_counts_once_it_is_written() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.issue("member", &HERE), &[&authority]);
    folder.write("crl", &authority.revoke(&[]));
    let (good, stolen) = (authority.issue("client", &HERE), authority.issue("client", &HERE));
    let member = Member::builder().secure(client(&[&authority], Some(&good)));
    let member = member
        .flags(folder.flags(""))
        .arg(folder.flag("client-crl-file", "crl"))
        .start()
        .await;
    let stolen_client = client(&[&authority], Some(&stolen));
    comes_in(&member.address(), &stolen_client)
        .await
        .expect("it is good so far");
    folder.write("crl", &authority.revoke(&[&stolen]));
    wait::until("the stolen certificate to be refused", async || {
        comes_in(&member.address(), &stolen_client)
            .await
            .is_none()
            .then_some(())
    })
    .await;
    member.put(put("k", "v")).await;
}

#[tokio::test]
async fn files_that_are_broken_later_change_nothing_and_are_told_once() {
    const TOLD: &str = "those read before stay in use";
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.issue("member", &HERE), &[&authority]);
    let config = client(&[&authority], Some(&authority.issue("client", &HERE)));
    let member = Member::builder().secure(config.clone());
    let member = member.flags(folder.flags("")).start().await;
    folder.write("key.pem", b"-----BEGIN");
    wait::until("the broken key to be noticed", async || {
        shake(&member.address(), config.clone())
            .await
            .expect("the old key still serves");
        member.log().contains(TOLD).then_some(())
    })
    .await;
    for _ in 0..20 {
        shake(&member.address(), config.clone())
            .await
            .expect("the old key still serves");
    }
    assert_eq!(member.log().matches(TOLD).count(), 1);
    folder.show(&authority.issue("member", &HERE));
    wait::until("the good pair to be used", async || {
        shake(&member.address(), config.clone())
            .await
            .expect("one of them serves");
        member.log().contains("have changed and are used").then_some(())
    })
    .await;
}

#[tokio::test]
async fn wrong_files_at_the_start_are_refused_by_name() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.issue("member", &HERE), &[&authority]);
    folder.write("other.pem", authority.issue("other", &HERE).key.as_bytes());
    folder.write("broken.pem", b"no key");
    let start = async |flag: &str, name: &str| {
        let member = Member::builder().secure(client(&[&authority], None));
        let member = member.flags(folder.flags("")).arg(folder.flag(flag, name));
        member.start_in_vain().await
    };
    for (flag, name, about) in [
        ("key-file", "broken.pem", "failed to find any PEM data of a key"),
        ("key-file", "missing.pem", "missing.pem"),
        ("key-file", "other.pem", "cannot be used together"),
        ("trusted-ca-file", "broken.pem", "cannot use the trusted CA file"),
        ("client-crl-file", "broken.pem", "cannot use the CRL file"),
    ] {
        let exit = start(flag, name).await;
        assert_eq!(exit.code, Some(1), "{about}: {}", exit.log);
        assert!(exit.log.contains(about), "{about}: {}", exit.log);
    }
}

#[tokio::test]
async fn flags_that_cannot_be_meant_are_refused_in_etcds_words() {
    let refused = async |flags: &[&str], about: &str| {
        let member = Member::builder().flags(flags.iter().map(|flag| (*flag).to_owned()));
        let exit = member.start_in_vain().await;
        assert_eq!(exit.code, Some(1), "{}", exit.log);
        assert!(exit.log.contains(about), "{about}: {}", exit.log);
    };
    let url = "--listen-client-urls=https://127.0.0.1:1";
    refused(
        &[url],
        "TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:1",
    )
    .await;
    let url = "--listen-metrics-urls=https://127.0.0.1:1";
    refused(
        &[url],
        "client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url",
    )
    .await;
    let secure = "--listen-client-urls=https://127.0.0.1:1";
    refused(
        &[secure, "--auto-tls", "--cipher-suites=no_such"],
        "unexpected TLS cipher suite",
    )
    .await;
    let versions = ["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"];
    refused(&versions, "min version (TLS1.3) is greater than max version (TLS1.2)").await;
}
