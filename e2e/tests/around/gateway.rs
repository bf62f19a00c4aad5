//! One address for all members.

use taffrail_e2e::aside::Aside;
use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::{get, put};
use taffrail_e2e::{Client, ports, wait};

fn words(endpoints: &[String], port: u16) -> Vec<String> {
    vec![
        "gateway".to_owned(),
        "start".to_owned(),
        format!("--endpoints={}", endpoints.join(",")),
        format!("--listen-addr=127.0.0.1:{port}"),
        "--retry-delay=50ms".to_owned(),
    ]
}

#[tokio::test]
async fn clients_go_on_when_the_member_behind_the_gateway_dies() {
    let mut cluster = Plain::three().await;
    let port = ports::free();
    let gateway = Aside::start(&words(&cluster.client_urls(), port));
    gateway.until_logged("ready to proxy client requests").await;
    let client = Client::new(format!("127.0.0.1:{port}"));
    client.put(put("k", "v")).await;

    let behind = client.status().await.header.unwrap().member_id;
    let mut slot = None;
    for member in 0..3 {
        if cluster.client(member).member_id().await == behind {
            slot = Some(member);
        }
    }
    let slot = slot.unwrap();
    cluster.kill_nine(slot);
    wait::until("the gateway to lead elsewhere", async || {
        client
            .kv()
            .range(get("k"))
            .await
            .ok()
            .filter(|found| found.get_ref().kvs.len() == 1)
    })
    .await;
    for _ in 0..4 {
        Client::new(client.address()).status().await;
    }
    gateway.until_logged("deactivated endpoint").await;
    cluster.run(slot);
    gateway.until_logged("\"activated\"").await;
}

#[tokio::test]
async fn a_gateway_that_would_lead_to_itself_does_not_start() {
    let port = ports::free();
    let exit = Aside::start(&words(&[format!("localhost:{port}")], port)).exit().await;
    assert_eq!(exit.code, Some(1));
    assert!(
        exit.log.contains("should not resolve to the gateway listen addr"),
        "{}",
        exit.log
    );
}

#[tokio::test]
async fn words_that_are_not_understood_end_as_in_etcd() {
    let exit = Aside::start(&["gateway".to_owned(), "start".to_owned(), "--bogus".to_owned()])
        .exit()
        .await;
    assert_eq!(exit.code, Some(1));
    assert_eq!(Aside::start(&["gateway".to_owned()]).exit().await.code, Some(0));
    let help = Aside::start(&["gateway".to_owned(), "start".to_owned(), "--help".to_owned()])
        .exit()
        .await;
    assert_eq!(help.code, Some(0));
    assert!(help.log.contains("--retry-delay"), "{}", help.log);
}
