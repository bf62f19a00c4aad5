//! A cluster under load, up to the verdict: what every kind of run does around its faults.

use std::process::ExitCode;

use anyhow::Result;
use taffrail_e2e::chance::Chance;
use taffrail_e2e::load::{Load, Settings};

use crate::injector::Injector;
use crate::progress::{self, Progress};
use crate::stand::Bench;

pub struct Trial {
    pub injector: Injector,
    load: Load,
    progress: Progress,
}

impl Trial {
    pub fn begin(bench: Bench, settings: Settings) -> Self {
        let chance = bench.chance.clone();
        Self::begin_by(&chance, bench, settings)
    }

    /// With a load that has chance of its own.
    pub fn begin_by(chance: &Chance, bench: Bench, settings: Settings) -> Self {
        let load = Load::start(bench.cluster.client_urls(), bench.recorder.clone(), chance, settings);
        Self {
            progress: Progress::start(load.shared.clone()),
            injector: Injector::new(bench, load.shared.clone()),
            load,
        }
    }

    /// Waits until everybody has heard everything, says what there was, and judges it.
    pub async fn end(self, remark: &str) -> Result<ExitCode> {
        let Self {
            mut injector,
            load,
            progress,
        } = self;
        let shared = load.finish().await?;
        println!("{}{remark}", progress::line(&shared, progress.leader_changes()));
        injector.look_for_ends()?;
        injector.bench.verdict()
    }
}
