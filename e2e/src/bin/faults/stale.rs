//! A leader that was asleep does not tell old data when it wakes up.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::join_all;
use taffrail_e2e::cluster;
use taffrail_e2e::load::{Settings, Shared};

use crate::args::Rounds;
use crate::injector::Injector;
use crate::stand::{Bench, RECOVERY_PATIENCE};
use crate::trial::Trial;

/// Revisions that pass while the old leader sleeps.
const REVISIONS_MISSED: i64 = 50;
const READERS: usize = 32;
const READS: usize = 10;

pub async fn run(rounds: Rounds) -> Result<ExitCode> {
    let network = match cluster::in_a_world(rounds.members).await? {
        Ok(network) => network,
        Err(code) => return Ok(code),
    };
    let bench = Bench::set_up(rounds.stand, network, rounds.members).await?;
    let settings = Settings {
        operations_per_second: 300,
        old_reads_in_txns: false,
        ..Settings::default()
    };
    let mut trial = Trial::begin(bench, settings);
    let mut answered = 0;
    for _ in 0..rounds.rounds {
        answered += one_round(&mut trial.injector).await?;
    }
    let rounds = rounds.rounds;
    let remark = format!("\n{rounds} rounds, {answered} reads answered by leaders just woken up");
    trial.end(&remark).await
}

async fn one_round(injector: &mut Injector) -> Result<usize> {
    let old = injector.bench.cluster.wait_for_leader(RECOVERY_PATIENCE).await?;
    let readers: Vec<_> = (0..READERS).map(|_| injector.shared.reader(old)).collect();
    let mut readers = join_all(readers).await;
    injector.bench.cluster.pause(old);
    injector.shared.figures.count_fault();
    injector
        .bench
        .cluster
        .wait_for_leader(RECOVERY_PATIENCE)
        .await
        .context("the others elect a leader")?;
    injector.wait_for_writes(REVISIONS_MISSED).await;
    // Requests that wait in its sockets are the first thing it sees.
    let shared = injector.shared.clone();
    let reading = join_all(readers.iter_mut().map(|reader| hammer(&shared, reader)));
    let resumed = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        injector.bench.cluster.resume(old);
    };
    let (answered, ()) = tokio::join!(reading, resumed);
    injector.recover().await?;
    Ok(answered.into_iter().sum())
}

/// How many reads were answered.
async fn hammer(shared: &Shared, reader: &mut taffrail_e2e::load::Reader) -> usize {
    let mut answered = 0;
    for _ in 0..READS {
        answered += usize::from(reader.read(shared).await);
    }
    answered
}
