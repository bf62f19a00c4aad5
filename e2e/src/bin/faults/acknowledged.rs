//! What was acknowledged is still there after kill -9 of many.

use std::process::ExitCode;

use anyhow::Result;
use taffrail_e2e::cluster;
use taffrail_e2e::load::Settings;

use crate::args::Rounds;
use crate::fault::Fault;
use crate::injector::Injector;
use crate::stand::Bench;
use crate::trial::Trial;

/// Acknowledged writes between two rounds, so that every kill comes while something is at stake.
const REVISIONS_PER_ROUND: i64 = 150;

pub async fn run(rounds: Rounds) -> Result<ExitCode> {
    let network = match cluster::in_a_world(rounds.members).await? {
        Ok(network) => network,
        Err(code) => return Ok(code),
    };
    let bench = Bench::set_up(rounds.stand, network, rounds.members).await?;
    let settings = Settings {
        operations_per_second: 1_000,
        old_reads_in_txns: false,
        ..Settings::default()
    };
    let mut trial = Trial::begin(bench, settings);
    for _ in 0..rounds.rounds {
        one_round(&mut trial.injector, rounds.members).await?;
    }
    trial.end(&format!("; {} rounds", rounds.rounds)).await
}

async fn one_round(injector: &mut Injector, members: usize) -> Result<()> {
    injector.wait_for_writes(REVISIONS_PER_ROUND).await;
    let chance = &mut injector.bench.chance;
    let mut victims: Vec<_> = (0..members).collect();
    chance.shuffle(&mut victims);
    victims.truncate(if chance.percent(50) { members } else { members / 2 + 1 });
    injector.inject(&Fault::Kill(victims)).await?;
    injector.recover().await
}
