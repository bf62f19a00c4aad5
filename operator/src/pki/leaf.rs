//! Leaves: what is wanted of one, and whether the one that is there still is that.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::authority::canonical;
use super::{Pair, Use, check, facts, two_thirds};

/// What is wanted of a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub common_name: String,
    /// DNS names and addresses; none on those of clients.
    pub names: BTreeSet<String>,
    /// It is shown by a server too, not by clients only.
    pub serves: bool,
    pub life: Duration,
}

impl Leaf {
    /// For one who serves and asks: etcd's gateway is a client of its own listener, and members are of each other.
    pub fn server(common_name: &str, names: impl IntoIterator<Item = String>, life: Duration) -> Self {
        Self {
            common_name: common_name.into(),
            names: names.into_iter().map(|name| canonical(&name)).collect(),
            serves: true,
            life,
        }
    }

    /// For one who only asks; etcd takes the common name for the user's.
    pub fn client(common_name: &str, life: Duration) -> Self {
        Self {
            common_name: common_name.into(),
            names: BTreeSet::new(),
            serves: false,
            life,
        }
    }

    /// A change of names or of the life asked for, its age, another authority or a flaw: then a new one is needed.
    fn is(&self, pair: &Pair, authority: &Pair, now: Timestamp) -> bool {
        let Ok(read) = facts(&pair.certificate) else {
            return false;
        };
        read.common_name == self.common_name
            && read.names == self.names
            && is_by(pair, authority, now)
            && now < two_thirds(read.not_before, read.not_after)
            && now + self.life >= read.not_after
    }
}

/// Whether a leaf must be made (anew): it is not what is wanted, was signed by another authority, or is old.
pub fn needs_renewal(leaf: &Leaf, stored: Option<&Pair>, authority: &Pair, now: Timestamp) -> bool {
    !stored.is_some_and(|pair| leaf.is(pair, authority, now))
}

/// When a leaf is old enough to be made anew.
pub fn due(pair: &Pair) -> Option<Timestamp> {
    let read = facts(&pair.certificate).ok()?;
    Some(two_thirds(read.not_before, read.not_after))
}

/// Whether exactly this authority signed it, it is valid now and its key fits.
pub fn is_by(pair: &Pair, authority: &Pair, now: Timestamp) -> bool {
    check(pair, &authority.certificate, &Use::Client, now).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing::{DAY, at};
    use crate::pki::{found, issue};

    const LIFE: Duration = Duration::from_secs(90 * 86_400);

    #[test]
    fn a_leaf_is_renewed_for_age_names_and_authority_and_for_nothing_else() {
        let authority = found("a client CA", at(0), LIFE * 10).unwrap();
        let other = found("a client CA", at(0), LIFE * 10).unwrap();
        let wanted = Leaf::server("a", ["a.b".to_owned()], LIFE);
        let more = Leaf::server("a", ["a.b".to_owned(), "c.d".to_owned()], LIFE);
        let shorter = Leaf::server("a", ["a.b".to_owned()], LIFE / 3);
        let renamed = Leaf::server("b", ["a.b".to_owned()], LIFE);
        let pair = issue(&authority, &wanted, at(0)).unwrap();
        let table = [
            ("fresh", &wanted, &authority, 0, false),
            ("just before two thirds", &wanted, &authority, 59 * DAY, false),
            ("after two thirds", &wanted, &authority, 60 * DAY + 1, true),
            ("expired", &wanted, &authority, 91 * DAY, true),
            ("another name", &more, &authority, 0, true),
            ("another common name", &renamed, &authority, 0, true),
            ("a shorter life is wanted", &shorter, &authority, 0, true),
            ("another authority", &wanted, &other, 0, true),
        ];
        for (what, leaf, by, seconds, renewed) in table {
            assert_eq!(needs_renewal(leaf, Some(&pair), by, at(seconds)), renewed, "{what}");
        }
        assert!(needs_renewal(&wanted, None, &authority, at(0)));
    }

    #[test]
    fn a_leaf_whose_key_is_another_is_renewed() {
        let authority = found("a client CA", at(0), LIFE * 10).unwrap();
        let wanted = Leaf::client("root", LIFE);
        let mut pair = issue(&authority, &wanted, at(0)).unwrap();
        pair.key = issue(&authority, &wanted, at(0)).unwrap().key;
        assert!(needs_renewal(&wanted, Some(&pair), &authority, at(0)));
    }
}
