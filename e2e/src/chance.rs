//! Chance that can be played again: every choice of a run follows from its seed.

/// A generator of the splitmix64 kind; small, and the same on every machine and version.
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator of its own for one part of the run, so that parts do not disturb each other's choices.
    pub fn split(&self, part: u64) -> Self {
        let mut child = Self::new(self.state ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17));
        child.number();
        child
    }

    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// From 0 to `bound`, without it. A bound of 0 counts as 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound.max(1)
    }

    /// Between both ends, without the upper one.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from))
    }

    /// True `percent` times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of them; there must be one.
    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len() as u64) as usize]
    }

    /// An item of a table of weights.
    pub fn weighted<T: Copy>(&mut self, table: &[(u64, T)]) -> T {
        let mut left = self.below(table.iter().map(|(weight, _)| weight).sum());
        for &(weight, item) in table {
            if left < weight {
                return item;
            }
            left -= weight;
        }
        table[0].1
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_choices() {
        let choices = |seed| {
            let mut chance = Chance::new(seed);
            (0..20).map(|_| chance.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(choices(7), choices(7));
        assert_ne!(choices(7), choices(8));
    }

    #[test]
    fn weights_of_zero_are_never_chosen() {
        let mut chance = Chance::new(1);
        assert!((0..1000).all(|_| chance.weighted(&[(0, 'a'), (3, 'b'), (0, 'c')]) == 'b'));
    }
}
