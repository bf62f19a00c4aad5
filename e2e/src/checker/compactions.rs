//! What had been compacted, at least and at most, at a moment.

use crate::history::{History, Request};

pub struct Compactions {
    /// Time of the acknowledgement and highest revision acknowledged until then.
    acknowledged: Vec<(u64, i64)>,
    /// Time of the request and highest revision asked for until then.
    asked: Vec<(u64, i64)>,
}

impl Compactions {
    pub fn gather(history: &History) -> Self {
        let (mut acknowledged, mut asked) = (Vec::new(), Vec::new());
        for operation in &history.operations {
            let Request::Compact { revision } = operation.request else {
                continue;
            };
            if operation.refusal().is_none() {
                asked.push((operation.invoked, revision));
            }
            if operation.answer().is_some() {
                acknowledged.push((operation.returned, revision));
            }
        }
        Self {
            acknowledged: rising(acknowledged),
            asked: rising(asked),
        }
    }

    /// Reads below this cannot be answered any more after this moment.
    pub fn floor_before(&self, time: u64) -> i64 {
        highest_before(&self.acknowledged, time)
    }

    /// Reads from here on must be answered until this moment.
    pub fn highest_asked_by(&self, time: u64) -> i64 {
        highest_before(&self.asked, time)
    }
}

fn rising(mut moments: Vec<(u64, i64)>) -> Vec<(u64, i64)> {
    moments.sort_unstable();
    let mut highest = 0;
    for (_, revision) in &mut moments {
        highest = highest.max(*revision);
        *revision = highest;
    }
    moments
}

fn highest_before(moments: &[(u64, i64)], time: u64) -> i64 {
    let earlier = moments.partition_point(|&(at, _)| at < time);
    earlier.checked_sub(1).map_or(0, |last| moments[last].1)
}
