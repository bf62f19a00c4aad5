//! Any sequence of operations gives what plain values give, before and after reopening.

use proptest::prelude::*;
use taffrail_store::Position;

use super::super::memory_disk::MemoryDisk;
use super::super::{Ballot, entry_bytes};
use super::{Model, Op, entry, open, run};

#[derive(Debug, Clone)]
enum Plan {
    Append {
        sizes: Vec<usize>,
        newer_term: bool,
    },
    /// A share of the entries, in percent.
    Truncate(u64),
    Purge(u64),
    PurgeBeyond(u64),
    Ballot {
        voted_for: u64,
        committed: bool,
    },
    Reopen,
    Read {
        from: u64,
        count: u64,
        bytes_max: usize,
    },
}

fn plan() -> impl Strategy<Value = Plan> {
    prop_oneof![
        6 => (prop::collection::vec(0..700_usize, 1..8), prop::bool::weighted(0.2))
            .prop_map(|(sizes, newer_term)| Plan::Append { sizes, newer_term }),
        1 => (0..100_u64).prop_map(Plan::Truncate),
        2 => (0..=100_u64).prop_map(Plan::Purge),
        1 => (1..9_u64).prop_map(Plan::PurgeBeyond),
        1 => (1..4_u64, any::<bool>()).prop_map(|(voted_for, committed)| Plan::Ballot { voted_for, committed }),
        1 => Just(Plan::Reopen),
        3 => (0..60_u64, 1..30_u64, 0..3000_usize)
            .prop_map(|(from, count, bytes_max)| Plan::Read { from, count, bytes_max }),
    ]
}

impl Plan {
    /// What it means for this log; nothing for a plan that changes nothing.
    fn op(&self, model: &Model, term: &mut u64) -> Option<Op> {
        let share = |percent: u64| model.purged.index + (model.last.index - model.purged.index) * percent / 100;
        match self {
            Plan::Append { sizes, newer_term } => {
                *term += u64::from(*newer_term);
                let indexes = model.last.index + 1..;
                Some(Op::Append(
                    indexes
                        .zip(sizes)
                        .map(|(index, bytes)| entry(*term, index, *bytes))
                        .collect(),
                ))
            }
            Plan::Truncate(percent) => Some(Op::Truncate(at(model, share(*percent)))),
            Plan::Purge(percent) => Some(Op::Purge(at(model, share(*percent)))),
            Plan::PurgeBeyond(by) => Some(Op::Purge(Position {
                term: *term,
                index: model.last.index + by,
            })),
            Plan::Ballot { voted_for, committed } => Some(Op::Ballot(Ballot {
                term: *term,
                voted_for: *voted_for,
                committed: *committed,
            })),
            Plan::Reopen | Plan::Read { .. } => None,
        }
    }
}

fn at(model: &Model, index: u64) -> Position {
    let found = model
        .entries
        .iter()
        .map(|(position, _)| *position)
        .find(|position| position.index == index);
    found.unwrap_or(model.purged)
}

fn check_read(log: &super::Log, model: &Model, from: u64, count: u64, bytes_max: usize) {
    let read = log.read(from..from + count, bytes_max).unwrap();
    let wanted: Vec<_> = model
        .entries
        .iter()
        .filter(|(at, _)| (from..from + count).contains(&at.index))
        .collect();
    let found: Vec<_> = read.iter().map(|entry| entry.position).collect();
    assert_eq!(
        found,
        wanted.iter().take(found.len()).map(|(at, _)| *at).collect::<Vec<_>>()
    );
    assert!(wanted.is_empty() || !found.is_empty(), "at least one");
    let bytes: usize = read.iter().map(entry_bytes).sum();
    assert!(read.len() <= 1 || bytes <= bytes_max, "no more than asked for");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_what_was_written_to_it(plans in prop::collection::vec(plan(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let disk = MemoryDisk::default();
            let (mut log, mut model, mut term) = (open(&disk).unwrap(), Model::default(), 1);
            for plan in &plans {
                if let Some(op) = plan.op(&model, &mut term) {
                    run(&log, &op).await.unwrap();
                    model.apply(&op);
                }
                match plan {
                    Plan::Reopen => log = open(&disk).unwrap(),
                    Plan::Read { from, count, bytes_max } => check_read(&log, &model, *from, *count, *bytes_max),
                    _ => {}
                }
                assert_eq!(Model::of(&log), model);
            }
            assert_eq!(Model::of(&open(&disk).unwrap()), model);
        });
    }
}
