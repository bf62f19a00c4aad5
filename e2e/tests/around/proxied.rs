//! A proxy before members.

use taffrail_e2e::aside::Aside;
use taffrail_e2e::{Client, Member, http, ports, wait};

pub struct Proxy {
    pub process: Aside,
    pub client: Client,
    pub address: String,
}

/// Starts a proxy and waits until it listens.
pub async fn proxy(endpoints: &[String], flags: &[String]) -> Proxy {
    let address = format!("127.0.0.1:{}", ports::free());
    let mut words: Vec<String> = vec!["grpc-proxy".into(), "start".into()];
    words.push(format!("--endpoints={}", endpoints.join(",")));
    words.push(format!("--listen-addr={address}"));
    words.push(format!("--advertise-client-url={address}"));
    words.extend(flags.iter().cloned());
    let process = Aside::start(&words);
    process.until_logged("started gRPC proxy").await;
    let client = Client::new(address.clone());
    Proxy {
        process,
        client,
        address,
    }
}

pub async fn before(member: &Member) -> Proxy {
    proxy(&[member.address()], &[]).await
}

/// Watchers that a member has.
pub async fn watchers(member: &Client) -> u64 {
    let page = http::get(&member.address(), "/metrics").await.body;
    let line = page
        .lines()
        .find(|line| line.starts_with("etcd_debugging_mvcc_watcher_total"));
    let value = line.and_then(|line| line.split(' ').next_back()).unwrap();
    value.parse::<f64>().unwrap() as u64
}

pub async fn until_watchers(member: &Client, expected: u64) {
    let what = format!("{expected} watchers");
    wait::until(&what, async || (watchers(member).await == expected).then_some(())).await;
}

impl Proxy {
    /// For who needs no more than a client; the process lives as long as what is returned.
    pub fn client_of(self) -> (Aside, Client) {
        (self.process, self.client)
    }
}
