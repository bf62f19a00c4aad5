//! Which fault comes next. Pure chance: what is done about it is the injector's matter.

use std::fmt::{Display, Formatter};
use std::time::Duration;

use taffrail_e2e::chance::Chance;

use crate::args::Kind;

/// Members are slots.
#[derive(Debug, Clone)]
pub enum Fault {
    Kill(Vec<usize>),
    Pause(usize),
    PauseLeader,
    Partition(Vec<usize>, Vec<usize>),
    OneWay(usize, usize),
    Isolate(usize),
    IsolateLeader,
    RollingRestart,
    Replace(usize),
    FillDisk(usize),
    Compactions,
}

const KINDS: [Kind; 7] = [
    Kind::Kill,
    Kind::Pause,
    Kind::Partition,
    Kind::Restart,
    Kind::Replace,
    Kind::Disk,
    Kind::Compaction,
];

pub struct Schedule {
    chance: Chance,
    members: usize,
    kinds: Vec<(u64, Kind)>,
}

impl Schedule {
    pub fn new(chance: Chance, members: usize, wanted: &[Kind]) -> Self {
        let wanted = if wanted.is_empty() {
            KINDS.to_vec()
        } else {
            wanted.to_vec()
        };
        let kinds = wanted.into_iter().map(|kind| (weight(kind), kind)).collect();
        Self { chance, members, kinds }
    }

    pub fn next_fault(&mut self) -> Fault {
        match self.chance.weighted(&self.kinds) {
            Kind::Kill => self.kill(),
            Kind::Pause if self.chance.percent(50) => Fault::PauseLeader,
            Kind::Pause => Fault::Pause(self.member()),
            Kind::Partition => self.partition(),
            Kind::Restart => Fault::RollingRestart,
            Kind::Replace => Fault::Replace(self.member()),
            Kind::Disk => Fault::FillDisk(self.member()),
            Kind::Compaction => Fault::Compactions,
        }
    }

    /// A second fault while another lasts, if there is to be one.
    pub fn overlapping(&mut self) -> Option<Fault> {
        if !self.chance.percent(35) {
            return None;
        }
        let fault = self.next_fault();
        matches!(
            fault,
            Fault::Kill(_)
                | Fault::Pause(_)
                | Fault::PauseLeader
                | Fault::OneWay(..)
                | Fault::Partition(..)
                | Fault::Compactions
        )
        .then_some(fault)
    }

    /// How long a fault lasts: around and above the election timeout of a second. A full disk needs time to hurt.
    pub fn duration(&mut self, fault: &Fault) -> Duration {
        let (from, to) = if matches!(fault, Fault::FillDisk(_)) {
            (5_000, 20_000)
        } else {
            (300, 5_000)
        };
        Duration::from_millis(self.chance.between(from, to))
    }
    pub fn calm(&mut self) -> Duration {
        Duration::from_millis(self.chance.between(200, 3_000))
    }
    /// Now and then the next fault does not wait for recovery.
    pub fn is_patient(&mut self) -> bool {
        self.chance.percent(75)
    }

    fn member(&mut self) -> usize {
        self.chance.below(self.members as u64) as usize
    }

    fn kill(&mut self) -> Fault {
        let majority = self.members / 2 + 1;
        let count = self.chance.weighted(&[(5, 1), (2, majority), (2, self.members)]);
        Fault::Kill(self.some(count))
    }

    fn some(&mut self, count: usize) -> Vec<usize> {
        let mut members: Vec<_> = (0..self.members).collect();
        self.chance.shuffle(&mut members);
        members.truncate(count);
        members
    }

    fn partition(&mut self) -> Fault {
        let (one, other) = (self.member(), self.member());
        match self.chance.below(4) {
            0 if one != other => Fault::OneWay(one, other),
            0 | 1 => Fault::IsolateLeader,
            2 => Fault::Isolate(one),
            _ => {
                let mut members = self.some(self.members);
                let rest = members.split_off(self.members.div_ceil(2));
                Fault::Partition(members, rest)
            }
        }
    }
}

fn weight(kind: Kind) -> u64 {
    match kind {
        Kind::Kill | Kind::Partition => 6,
        Kind::Pause => 5,
        Kind::Compaction => 3,
        Kind::Restart | Kind::Replace | Kind::Disk => 2,
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let names = |members: &[usize]| {
            members
                .iter()
                .map(|member| format!("m{}", member + 1))
                .collect::<Vec<_>>()
                .join(" ")
        };
        match self {
            Self::Kill(members) => write!(f, "kill -9 of {}", names(members)),
            Self::Pause(member) => write!(f, "pause of m{}", member + 1),
            Self::PauseLeader => write!(f, "pause of the leader"),
            Self::Partition(one, other) => write!(f, "partition of {} from {}", names(one), names(other)),
            Self::OneWay(from, to) => write!(f, "nothing gets from m{} to m{}", from + 1, to + 1),
            Self::Isolate(member) => write!(f, "m{} loses its peers", member + 1),
            Self::IsolateLeader => write!(f, "the leader loses its peers"),
            Self::RollingRestart => write!(f, "rolling restart"),
            Self::Replace(member) => write!(f, "replacement of m{}", member + 1),
            Self::FillDisk(member) => write!(f, "full disk of m{}", member + 1),
            Self::Compactions => write!(f, "compactions"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(seed: u64, wanted: &[Kind]) -> Vec<String> {
        let mut schedule = Schedule::new(Chance::new(seed), 3, wanted);
        (0..200).map(|_| schedule.next_fault().to_string()).collect()
    }

    #[test]
    fn a_schedule_follows_from_its_seed() {
        assert_eq!(faults(5, &[]), faults(5, &[]));
        assert_ne!(faults(5, &[]), faults(6, &[]));
    }

    #[test]
    fn only_the_wanted_kinds_of_faults_come() {
        assert!(
            faults(1, &[Kind::Kill])
                .iter()
                .all(|fault| fault.starts_with("kill -9 of"))
        );
        let everything = faults(1, &[]).join("\n");
        for kind in [
            "kill",
            "pause",
            "partition",
            "rolling",
            "replacement",
            "full disk",
            "compactions",
            "nothing gets",
        ] {
            assert!(everything.contains(kind), "{kind} is missing");
        }
    }
}
