//! From one member to five and back, and everybody replaced once, while clients write.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use taffrail_e2e::cluster::{self, Entry};
use taffrail_e2e::load::Settings;

use crate::args::Grow;
use crate::injector::{Injector, well_ended};
use crate::stand::Bench;
use crate::trial::Trial;

const SLOTS: usize = 5;
/// How long a removed member may take to notice.
const GRACE: Duration = Duration::from_secs(5);
const REVISIONS_BETWEEN: i64 = 100;

#[derive(Debug, Clone, Copy)]
enum Change {
    Add(usize, Entry),
    Remove(usize),
    Replace(usize, Entry),
}

const CHANGES: [Change; 11] = [
    Change::Add(1, Entry::Learner),
    Change::Add(2, Entry::Voter),
    Change::Replace(0, Entry::Learner),
    Change::Replace(1, Entry::Learner),
    Change::Replace(2, Entry::Learner),
    Change::Add(3, Entry::Learner),
    Change::Add(4, Entry::Learner),
    Change::Replace(3, Entry::Voter),
    Change::Replace(4, Entry::Learner),
    Change::Remove(0),
    Change::Remove(1),
];

pub async fn run(grow: Grow) -> Result<ExitCode> {
    let network = match cluster::in_a_world(SLOTS).await? {
        Ok(network) => network,
        Err(code) => return Ok(code),
    };
    let bench = Bench::set_up(grow.stand, network, 1).await?;
    let settings = Settings {
        operations_per_second: grow.rate,
        old_reads_in_txns: false,
        ..Settings::default()
    };
    let mut trial = Trial::begin(bench, settings);
    for change in CHANGES {
        measure(&mut trial.injector, change).await?;
    }
    // The load ends by asking everybody, so everybody is back for it.
    for member in [0, 1] {
        measure(&mut trial.injector, Change::Add(member, Entry::Learner)).await?;
    }
    trial.end("").await
}

async fn measure(injector: &mut Injector, change: Change) -> Result<()> {
    injector.wait_for_writes(REVISIONS_BETWEEN).await;
    let shared = injector.shared.clone();
    let now = || shared.recorder.clock.now();
    let begun = now();
    shared.figures.take_longest_pause(begun);
    carry_out(injector, change).await?;
    let took = Duration::from_micros(now() - begun);
    injector.wait_for_writes(1).await;
    let pause = shared.figures.take_longest_pause(now());
    injector.bench.say(format!(
        "{change:?}: took {} ms, no write for up to {} ms",
        took.as_millis(),
        pause.as_millis()
    ));
    Ok(())
}

async fn carry_out(injector: &mut Injector, change: Change) -> Result<()> {
    let cluster = &mut injector.bench.cluster;
    let (member, ended) = match change {
        Change::Add(member, entry) => {
            cluster.wipe(member)?;
            cluster.add(member, entry).await?;
            (member, None)
        }
        Change::Remove(member) => (member, cluster.remove(member, GRACE).await?),
        Change::Replace(member, entry) => (member, cluster.replace(member, entry).await?),
    };
    if let Some(ended) = ended.filter(|ended| !well_ended(ended)) {
        injector.tell_end(member, &ended, "removed from the cluster");
    }
    injector.look_for_ends()
}
