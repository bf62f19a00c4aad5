//! A distribution in buckets that double, counted without locks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How often values fell into each bucket. The last bucket has no upper bound.
#[derive(Debug)]
pub struct Histogram {
    first_bound: f64,
    counts: Box<[AtomicU64]>,
    /// The bits of a float.
    sum: AtomicU64,
}

/// What a histogram had counted at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Upper bounds, and how many values were not above them.
    pub buckets: Vec<(f64, u64)>,
    pub count: u64,
    pub sum: f64,
}

impl Histogram {
    /// Bounds at `first_bound`, twice that, and so on.
    pub fn new(first_bound: f64, bounds: usize) -> Self {
        Histogram {
            first_bound,
            counts: (0..=bounds).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    pub fn observe(&self, value: f64) {
        self.counts[self.place(value)].fetch_add(1, Relaxed);
        let add = |sum| Some((f64::from_bits(sum) + value).to_bits());
        // Never refused: the closure always has an answer.
        let _ = self.sum.fetch_update(Relaxed, Relaxed, add);
    }

    fn place(&self, value: f64) -> usize {
        let mut bound = self.first_bound;
        let mut place = 0;
        while value > bound && place + 1 < self.counts.len() {
            bound *= 2.0;
            place += 1;
        }
        place
    }

    pub fn get(&self) -> Distribution {
        let mut bound = self.first_bound;
        let mut count = 0;
        let mut buckets = Vec::with_capacity(self.counts.len());
        for counted in &self.counts {
            count += counted.load(Relaxed);
            buckets.push((bound, count));
            bound *= 2.0;
        }
        buckets.pop();
        Distribution {
            buckets,
            count,
            sum: f64::from_bits(self.sum.load(Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_its_bucket_and_in_all_above() {
        let histogram = Histogram::new(0.001, 3);
        for value in [0.0, 0.001, 0.0015, 0.004, 9.0] {
            histogram.observe(value);
        }
        let Distribution { buckets, count, sum } = histogram.get();
        assert_eq!(buckets, [(0.001, 2), (0.002, 3), (0.004, 4)]);
        assert_eq!(count, 5);
        assert!((sum - 9.0065).abs() < 1e-9);
    }
}
