//! Random faults under random load.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use taffrail_e2e::cluster;
use taffrail_e2e::load::Settings;

use crate::args::Run;
use crate::fault::Schedule;
use crate::injector::Injector;
use crate::stand::Bench;
use crate::trial::Trial;

/// Parts of a run that have chance of their own.
const LOAD: u64 = 1;
const FAULTS: u64 = 2;

pub async fn run(run: Run) -> Result<ExitCode> {
    let network = match cluster::in_a_world(run.members).await? {
        Ok(network) => network,
        Err(code) => return Ok(code),
    };
    let bench = Bench::set_up(run.stand, network, run.members).await?;
    let settings = Settings {
        operations_per_second: run.rate,
        old_reads_in_txns: !run.no_old_reads_in_txns,
        ..Settings::default()
    };
    let mut schedule = Schedule::new(bench.chance.split(FAULTS), run.members, &run.mix);
    let chance = bench.chance.split(LOAD);
    let mut trial = Trial::begin_by(&chance, bench, settings);
    let injector = &mut trial.injector;
    let end = Instant::now() + Duration::from_secs_f64(run.minutes * 60.0);
    while Instant::now() < end && !injector.members_differ {
        one_fault(injector, &mut schedule).await?;
    }
    injector.recover().await?;
    injector.bench.say("all is well again: the end begins");
    trial.end("").await
}

async fn one_fault(injector: &mut Injector, schedule: &mut Schedule) -> Result<()> {
    let fault = schedule.next_fault();
    injector.inject(&fault).await?;
    tokio::time::sleep(schedule.duration(&fault)).await;
    if let Some(another) = schedule.overlapping() {
        injector.inject(&another).await?;
        tokio::time::sleep(schedule.duration(&another)).await;
    }
    injector.relieve()?;
    if schedule.is_patient() {
        injector.recover().await?;
    }
    tokio::time::sleep(schedule.calm()).await;
    Ok(())
}
