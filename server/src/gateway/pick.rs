//! Whose turn it is: the best priority that is alive, by weight, or in turn where there are no weights (RFC 2782).

/// A place to go to, with what its SRV record says; both zero without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host and port.
    pub address: String,
    pub priority: u16,
    pub weight: u16,
}

/// One in so many goes to a target without weight beside some that have one.
const WEIGHTLESS_ONE_IN: u64 = 100;

/// `turn` counts the picks; `chance` is any number. None if nobody is alive.
pub fn pick(targets: &[Target], alive: impl Fn(usize) -> bool, turn: u64, chance: u64) -> Option<usize> {
    let best = (0..targets.len())
        .filter(|each| alive(*each))
        .map(|each| targets[each].priority)
        .min()?;
    let usable = (0..targets.len()).filter(|each| alive(*each) && targets[*each].priority == best);
    let (weighty, light): (Vec<usize>, Vec<usize>) = usable.partition(|each| targets[*each].weight > 0);
    if !light.is_empty() && (weighty.is_empty() || chance % WEIGHTLESS_ONE_IN == 1) {
        return Some(light[(turn % light.len() as u64) as usize]);
    }
    let total: u64 = weighty.iter().map(|each| u64::from(targets[*each].weight)).sum();
    let mut left = chance % total.max(1);
    weighty.into_iter().find(|each| {
        let weight = u64::from(targets[*each].weight);
        let hit = left < weight;
        left = left.saturating_sub(weight);
        hit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(priority: u16, weight: u16) -> Target {
        Target {
            address: String::new(),
            priority,
            weight,
        }
    }

    #[test]
    fn without_weights_everybody_has_a_turn() {
        let targets = [target(0, 0), target(0, 0), target(0, 0)];
        let picked: Vec<_> = (0..4).map(|turn| pick(&targets, |_| true, turn, 0)).collect();
        assert_eq!(picked, [Some(0), Some(1), Some(2), Some(0)]);
        let picked: Vec<_> = (0..2).map(|turn| pick(&targets, |each| each != 1, turn, 0)).collect();
        assert_eq!(picked, [Some(0), Some(2)]);
        assert_eq!(pick(&targets, |_| false, 0, 0), None);
    }

    #[test]
    fn a_worse_priority_waits_until_the_better_is_dead() {
        let targets = [target(1, 0), target(0, 0)];
        assert_eq!(pick(&targets, |_| true, 0, 0), Some(1));
        assert_eq!(pick(&targets, |each| each == 0, 0, 0), Some(0));
    }

    #[test]
    fn weights_are_shares() {
        let targets = [target(0, 3), target(0, 1), target(0, 0)];
        let count = |which| {
            (0..400)
                .filter(|chance| pick(&targets, |_| true, 0, *chance) == Some(which))
                .count()
        };
        assert_eq!(count(2), 4);
        assert!((295..=300).contains(&count(0)), "{}", count(0));
        assert!((95..=100).contains(&count(1)), "{}", count(1));
    }
}
