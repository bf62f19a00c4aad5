//! A crash between any two steps, with un-synced sectors and names kept or lost in many ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::memory_disk::{Fate, MemoryDisk};
use super::{Model, Op, append, entry, open, position, run, story};

/// A repeatable coin.
struct Coin(u64);

impl Coin {
    fn toss(&mut self) -> bool {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 40 & 1 == 1
    }
}

fn crash_at(disk: &MemoryDisk, last_step: usize) -> Arc<AtomicUsize> {
    let steps = Arc::new(AtomicUsize::new(0));
    let count = steps.clone();
    disk.judged(move |_| {
        let step = count.fetch_add(1, Ordering::Relaxed);
        if step == last_step { Fate::Crashes } else { Fate::Works }
    });
    steps
}

/// Tells the story until the crash. Returns how many ops were acknowledged and the states before and after each op
/// that was begun.
async fn tell_until_crash(disk: &MemoryDisk) -> (usize, Vec<Model>) {
    let (mut states, mut model) = (vec![Model::default()], Model::default());
    let Ok(log) = open(disk) else { return (0, states) };
    for (acknowledged, op) in story().iter().enumerate() {
        model.apply(op);
        states.push(model.clone());
        let result = match op {
            Op::Append(entries) => {
                let told = append(&log, entries.clone()).await;
                let flushed = log.flush().await;
                assert_eq!(*told.lock().unwrap(), Some(flushed.is_ok()));
                flushed
            }
            op => run(&log, op).await,
        };
        if result.is_err() {
            return (acknowledged, states);
        }
    }
    (states.len() - 1, states)
}

fn check(disk: &MemoryDisk, acknowledged: usize, states: &[Model], what: &str) {
    let log = open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = Model::of(&log);
    assert!(
        states[acknowledged..].contains(&found),
        "{what}: {acknowledged} acknowledged, found {found:?}"
    );
}

#[tokio::test]
async fn whatever_was_acknowledged_survives_a_crash_at_any_step() {
    let disk = MemoryDisk::default();
    let steps = crash_at(&disk, usize::MAX);
    tell_until_crash(&disk).await;
    let steps = steps.load(Ordering::Relaxed);
    assert!(steps > 50);
    for step in 0..steps {
        let disk = MemoryDisk::default();
        crash_at(&disk, step);
        let (acknowledged, states) = tell_until_crash(&disk).await;
        for names_kept in 0..4 {
            let mut ways: Vec<(String, Box<dyn FnMut() -> bool>)> =
                vec![("none".into(), Box::new(|| false)), ("all".into(), Box::new(|| true))];
            for seed in 0..16 {
                let mut coin = Coin(seed * 7919 + step as u64);
                ways.push((format!("seed {seed}"), Box::new(move || coin.toss())));
            }
            for (way, keeps) in ways {
                let found = disk.after_crash(names_kept, keeps);
                check(
                    &found,
                    acknowledged,
                    &states,
                    &format!("step {step}, {names_kept} names, {way}"),
                );
            }
        }
    }
}

/// Every prefix and every suffix of the sectors of one large write.
#[tokio::test]
async fn a_large_write_may_tear_between_any_two_sectors() {
    for kept in 0..8_usize {
        for from_the_end in [false, true] {
            let disk = MemoryDisk::default();
            let log = open(&disk).unwrap();
            run(&log, &Op::Append(vec![entry(1, 1, 40)])).await.unwrap();
            let durable = Model::of(&log);
            let before = crash_at(&disk, 1);
            let told = append(&log, vec![entry(1, 2, 700), entry(1, 3, 1000), entry(1, 4, 900)]).await;
            assert!(log.flush().await.is_err());
            assert_eq!(*told.lock().unwrap(), Some(false));
            assert_eq!(
                before.load(Ordering::Relaxed),
                2,
                "one write, one sync that the crash prevents"
            );
            let whole = Model::of(&log);
            let mut sector = 0;
            let found = disk.after_crash(0, || {
                sector += 1;
                if from_the_end {
                    sector > 6 - kept.min(6)
                } else {
                    sector <= kept
                }
            });
            check(
                &found,
                0,
                &[durable, whole],
                &format!("{kept} sectors, from the end {from_the_end}"),
            );
        }
    }
}

/// A log that recovered from a torn tail goes on as if nothing had been there.
#[tokio::test]
async fn crash_after_crash_loses_nothing_acknowledged() {
    for seed in 0..60 {
        let mut coin = Coin(seed);
        let (mut disk, mut model) = (MemoryDisk::default(), Model::default());
        for round in 0..8 {
            let log = open(&disk).unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
            model = {
                let found = Model::of(&log);
                assert!(found.entries.len() >= model.entries.len(), "seed {seed}, round {round}");
                found
            };
            crash_at(&disk, 3 + (seed as usize * 5 + round * 3) % 23);
            let mut next = model.last.index + 1;
            loop {
                let entries: Vec<_> = (next..next + 3).map(|index| entry(1, index, 200)).collect();
                next += 3;
                let _told = append(&log, entries.clone()).await;
                if log.flush().await.is_err() {
                    break;
                }
                model.apply(&Op::Append(entries));
            }
            disk = disk.after_crash(round % 3, || coin.toss());
        }
    }
}

/// A segment whose name became durable before anything was in it.
#[tokio::test]
async fn a_segment_that_was_never_written_is_dropped() {
    let (disk, states) = super::told().await;
    let last = disk.names().pop().unwrap();
    let next = format!("{:016x}.log", u64::from_str_radix(&last[..16], 16).unwrap() + 1);
    disk.overwrite(&next, vec![0; 4096]);
    let log = open(&disk).unwrap();
    assert_eq!(Some(&Model::of(&log)), states.last());
    assert!(!disk.names().contains(&next));
    run(&log, &Op::Append((40..90).map(|index| entry(2, index, 90)).collect()))
        .await
        .unwrap();
    assert_eq!(open(&disk).unwrap().state().last, position(2, 89));
}
