//! Members that speak TLS with each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use taffrail_e2e::certificates::{Authority, Folder};
use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::put;
use taffrail_e2e::wait;

const HERE: [&str; 2] = ["127.0.0.1", "localhost"];

/// One certificate for all members, as a shared secret would hold it.
fn shared(authority: &Authority) -> (Folder, Vec<String>) {
    let folder = Folder::with(&authority.issue("member", &HERE), &[authority]);
    let mut flags = folder.flags("peer-");
    flags.push("--peer-client-cert-auth".to_owned());
    (folder, flags)
}

async fn until_everybody_has(cluster: &Plain, value: &str) {
    for member in 0..3 {
        wait::until("a member to have the write", async || {
            (cluster.client(member).text("k").await.as_deref() == Some(value)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn three_members_replicate_with_verified_certificates() {
    let (_folder, flags) = shared(&Authority::new("authority"));
    let cluster = Plain::of(3).secure_peers(3, flags).start().await;
    assert!(cluster.peer_url(0).starts_with("https://"));
    cluster.client(1).put(put("k", "v")).await;
    until_everybody_has(&cluster, "v").await;
}

#[tokio::test]
async fn three_members_replicate_with_certificates_that_they_made() {
    let flags = ["--peer-auto-tls".to_owned()];
    let mut cluster = Plain::of(3).secure_peers(3, flags).start().await;
    cluster.client(0).put(put("k", "v")).await;
    assert!(cluster.data_dir(0).join("fixtures/peer/cert.pem").is_file());
    let (_, followers) = cluster.roles().await;
    cluster.kill_nine(followers[0]);
    cluster.run_until_up(followers[0]).await;
    cluster.client(0).put(put("k", "again")).await;
    until_everybody_has(&cluster, "again").await;
}

#[tokio::test]
async fn members_with_and_without_tls_replicate_together() {
    let (_folder, flags) = shared(&Authority::new("authority"));
    let cluster = Plain::of(3).secure_peers(2, flags).start().await;
    assert!(cluster.peer_url(2).starts_with("http://"));
    cluster.client(2).put(put("k", "v")).await;
    until_everybody_has(&cluster, "v").await;
}

#[tokio::test]
async fn a_peer_whose_name_is_not_allowed_stays_out_and_is_told() {
    let authority = Authority::new("authority");
    let (_folder, mut flags) = shared(&authority);
    flags.push("--peer-cert-allowed-cn=member".to_owned());
    let mut cluster = Plain::of(3).secure_peers(3, flags).build();
    let other = Folder::with(&authority.issue("other", &HERE), &[&authority]);
    for member in 0..2 {
        cluster.run(member);
    }
    let own = other.flags("peer-");
    let own: Vec<&str> = own
        .iter()
        .map(String::as_str)
        .chain(["--peer-cert-allowed-cn=member,other"])
        .collect();
    cluster.start_with(2, &own).unwrap();
    cluster.until_up(0).await;
    wait::until("it to be told", async || {
        cluster
            .log(2)
            .contains("remote error: tls: bad certificate")
            .then_some(())
    })
    .await;
    wait::until("the others to tell of it", async || {
        let log = cluster.log(0) + &cluster.log(1);
        let told = |line: &str| {
            line.contains("rejected connection on peer endpoint")
                && line.contains("client certificate authentication failed")
        };
        log.lines().any(told).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_peer_must_come_from_where_its_certificate_says() {
    let authority = Authority::new("authority");
    let (folder, mut flags) = shared(&authority);
    let shown = authority.issue("member", &["192.0.2.1"]);
    folder.write("from.pem", shown.cert.as_bytes());
    folder.write("from-key.pem", shown.key.as_bytes());
    flags.push(folder.flag("peer-client-cert-file", "from.pem"));
    flags.push(folder.flag("peer-client-key-file", "from-key.pem"));
    let mut cluster = Plain::of(3).secure_peers(3, flags.clone()).build();
    (0..3).for_each(|member| cluster.run(member));
    wait::until("the members to be refused", async || {
        cluster
            .log(0)
            .contains("x509: certificate is valid for 192.0.2.1, not 127.0.0.1")
            .then_some(())
    })
    .await;
    drop(cluster);
    flags.push("--peer-skip-client-san-verification".to_owned());
    let cluster = Plain::of(3).secure_peers(3, flags).start().await;
    cluster.client(0).put(put("k", "v")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_and_authorities_of_peers_change_under_load_without_a_failed_request() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (folder, flags) = shared(&old);
    let mut cluster = Plain::of(3).secure_peers(3, flags).start().await;
    let (leader, followers) = cluster.roles().await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (client, stopped, count) = (cluster.client(leader).clone(), stop.clone(), done.clone());
    let load = tokio::spawn(async move {
        while !stopped.load(Ordering::Relaxed) {
            client.kv().put(put("k", "v")).await?;
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<_, tonic::Status>(())
    });
    folder.trust(&[&old, &new]);
    restart(&mut cluster, followers[0]).await;
    folder.show(&new.issue("member", &HERE));
    restart(&mut cluster, followers[1]).await;
    folder.trust(&[&new]);
    restart(&mut cluster, followers[0]).await;
    restart(&mut cluster, followers[1]).await;
    let before = done.load(Ordering::Relaxed);
    wait::until("writes to go on", async || {
        (load.is_finished() || done.load(Ordering::Relaxed) > before + 20).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap().expect("no write fails while certificates change");
}

/// Reads its files anew and has to connect with everybody anew; writes as soon as it has caught up.
async fn restart(cluster: &mut Plain, member: usize) {
    cluster.kill_nine(member);
    cluster.run_until_up(member).await;
    wait::until("a member to be back", async || {
        let read = cluster
            .client(member)
            .kv()
            .range(taffrail_e2e::requests::get("k"))
            .await;
        read.ok().map(drop)
    })
    .await;
}
