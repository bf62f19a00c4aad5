//! A name server for a test, in a network namespace of its own: nobody else's port 53 is needed.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

use taffrail_e2e::aside::Aside;
use taffrail_e2e::wait;

/// Holds the records, as `service=port,port` pairs, in the process that answers.
const RECORDS: &str = "TAFFRAIL_E2E_RECORDS";
const SRV: u16 = 33;
const A: u16 = 1;

/// A namespace whose programs resolve names by a server inside; gone when it is dropped.
pub struct World {
    name: String,
    _server: Aside,
}

impl World {
    /// Needs root; none without.
    pub async fn with(records: &str) -> Option<World> {
        let name = format!("taffrail-names-{}", std::process::id());
        if !ip(&["netns", "add", &name]) {
            eprintln!("skipped: it takes root and iproute2 to make a network namespace");
            return None;
        }
        std::fs::create_dir_all(folder(&name)).unwrap();
        std::fs::write(folder(&name).join("resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
        assert!(ip(&["-n", &name, "link", "set", "lo", "up"]));
        let mut command = inside(&name);
        command.arg(std::env::current_exe().unwrap()).env(RECORDS, records);
        command.args([
            "--exact",
            "names::answers_until_it_is_killed",
            "--ignored",
            "--nocapture",
        ]);
        let server = Aside::of(&mut command);
        server.until_logged("answering").await;
        Some(World { name, _server: server })
    }

    pub fn start(&self, words: &[String]) -> Aside {
        let mut command = inside(&self.name);
        Aside::of(command.arg(taffrail_e2e::program::taffrail()).args(words))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        ip(&["netns", "delete", &self.name]);
        // Gone already is as good.
        let _ = std::fs::remove_dir_all(folder(&self.name));
    }
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from("/etc/netns").join(name)
}

fn ip(words: &[&str]) -> bool {
    Command::new("ip")
        .args(words)
        .status()
        .is_ok_and(|status| status.success())
}

fn inside(name: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", name]);
    command
}

#[test]
#[ignore = "no test: the process of the name server"]
fn answers_until_it_is_killed() {
    let records = std::env::var(RECORDS).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    println!("answering");
    let mut question = [0; 512];
    loop {
        let (length, from) = socket.recv_from(&mut question).unwrap();
        socket.send_to(&answer(&question[..length], &records), from).unwrap();
    }
}

/// Every host is this machine; services have the ports that were given.
fn answer(question: &[u8], records: &str) -> Vec<u8> {
    let (name, end) = name_of(question);
    let kind = u16::from_be_bytes([question[end], question[end + 1]]);
    let mut answer = question[..end + 4].to_vec();
    // Additional records of the question are not repeated.
    answer[8..12].fill(0);
    answer[2] |= 0x80;
    let ports = records
        .split(';')
        .find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    match (kind, ports) {
        (SRV, None) => answer[3] |= 3,
        (SRV, Some(ports)) => {
            for port in ports.split(',') {
                let target = b"\x02m1\x07example\x04test\x00";
                record(
                    &mut answer,
                    SRV,
                    &[&[0; 4], &port.parse::<u16>().unwrap().to_be_bytes()[..], target].concat(),
                );
            }
        }
        (A, _) => record(&mut answer, A, &Ipv4Addr::LOCALHOST.octets()),
        _ => {}
    }
    answer
}

fn record(answer: &mut Vec<u8>, kind: u16, data: &[u8]) {
    answer[7] += 1;
    answer.extend([0xc0, 12]);
    answer.extend(kind.to_be_bytes());
    answer.extend([0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
    answer.extend(data);
}

fn name_of(question: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..at + 1 + length]).into_owned());
        at += 1 + length;
    }
    (labels.join("."), at + 1)
}

#[tokio::test]
async fn members_and_gateways_find_members_by_the_records_of_a_domain() {
    let records = "_etcd-server._tcp.example.test=2380,2381,2382;_etcd-client-east._tcp.example.test=2390,2391";
    let Some(world) = World::with(records).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let member = |index: u16, domain: &str| {
        let (client, peer) = (2390 + index, 2380 + index);
        world.start(&[
            format!("--name=n{index}"),
            format!("--data-dir={}", folder.path().join(index.to_string()).display()),
            format!("--listen-client-urls=http://127.0.0.1:{client}"),
            format!("--advertise-client-urls=http://127.0.0.1:{client}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
            format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
            format!("--discovery-srv={domain}"),
        ])
    };
    let members = [0, 1, 2].map(|index| member(index, "example.test"));
    for each in &members {
        each.until_logged("ready to serve client requests").await;
        each.until_logged("got bootstrap from DNS for etcd-server").await;
    }
    let stranger = member(9, "example.test").exit().await;
    assert!(
        stranger
            .log
            .contains("cannot find local etcd member \\\"n9\\\" in SRV records"),
        "{}",
        stranger.log
    );
    let nowhere = member(9, "other.test").exit().await;
    assert!(nowhere.log.contains("no such host"), "{}", nowhere.log);

    let words = [
        "gateway",
        "start",
        "--discovery-srv=example.test",
        "--discovery-srv-name=east",
    ];
    let words: Vec<String> = words.map(str::to_owned).into();
    let gateway = world.start(&[&words[..], &["--insecure-discovery".to_owned()]].concat());
    gateway.until_logged("ready to proxy client requests").await;
    assert!(gateway.log().contains("m1.example.test:2391"), "{}", gateway.log());
    wait::until("the log of the gateway", async || {
        gateway.log().contains("discovered").then_some(())
    })
    .await;
}
