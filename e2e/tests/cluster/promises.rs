//! Several members on loopback, without faults: what clients see must fit together all the same.

use taffrail_e2e::chance::Chance;
use taffrail_e2e::checker;
use taffrail_e2e::cluster::Plain;
use taffrail_e2e::history::{History, Recorder};
use taffrail_e2e::load::{Load, Settings};

const SEED: u64 = 1;
const REVISIONS: i64 = 500;

#[tokio::test]
async fn three_members_keep_every_promise() {
    let cluster = Plain::three().await;
    let folder = tempfile::tempdir().expect("a temp folder can be made");
    let path = folder.path().join("history.jsonl");
    let recorder = Recorder::create(&path).expect("the temp folder is writable");

    let load = Load::start(cluster.client_urls(), recorder, &Chance::new(SEED), Settings::default());
    let shared = load.shared.clone();
    taffrail_e2e::wait::until("enough writes", async || (shared.newest() > REVISIONS).then_some(())).await;
    load.finish().await.expect("the members take a last write");

    let report = checker::check(&History::read(&path).expect("the history was written"));
    assert!(report.is_clean(), "{report}");
}
