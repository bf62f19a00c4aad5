//! What hashes of members say about them. Hashes are comparable where their compactions agree.

use std::collections::BTreeMap;

use taffrail_store::HashKv;

/// What a member holds up to a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hashed {
    /// Where the member was when it computed the hash.
    pub revision: i64,
    pub hash: HashKv,
}

type Others = [(u64, Option<Hashed>)];

/// Members are taken at their word only about the same compaction; those that cannot tell are passed over.
pub(super) fn agrees(own: &Hashed, others: &Others) -> bool {
    let told = others.iter().filter_map(|(_, other)| other.as_ref());
    let mut comparable = told.filter(|other| other.hash.compact_revision == own.hash.compact_revision);
    comparable.all(|other| other.hash.hash == own.hash.hash)
}

/// The first member that is wrong beside a leader that hashed `before` the others and `after` them.
pub(super) fn suspect(leader: u64, before: &Hashed, after: &Hashed, others: &Others) -> Option<u64> {
    let same_state = before.hash.hash_revision == after.hash.hash_revision
        && before.hash.compact_revision == after.hash.compact_revision;
    if same_state && before.hash.hash != after.hash.hash {
        return Some(leader);
    }
    let is_wrong = |other: &Hashed| {
        let ahead = other.revision > after.revision || other.hash.compact_revision > after.hash.compact_revision;
        let comparable = other.hash.compact_revision == before.hash.compact_revision;
        ahead || (comparable && other.hash.hash != before.hash.hash)
    };
    let wrong = others.iter().find(|(_, other)| other.as_ref().is_some_and(is_wrong));
    wrong.map(|(id, _)| *id)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Agree,
    /// Nobody differs, but not everybody was heard.
    Unheard,
    /// These are wrong; 0 stands for not knowing who.
    Differ(Vec<u64>),
}

/// What a quorum holds is right; without one nobody knows.
pub(super) fn verdict(leader: u64, own: &Hashed, others: &Others) -> Verdict {
    let mut by_hash = BTreeMap::from([(own.hash.hash, vec![leader])]);
    let comparable = |other: &Hashed| other.hash.compact_revision == own.hash.compact_revision;
    let mut heard = 0;
    for (id, other) in others {
        if let Some(other) = other.filter(comparable) {
            heard += 1;
            by_hash.entry(other.hash.hash).or_default().push(*id);
        }
    }
    if by_hash.len() == 1 {
        return if heard == others.len() {
            Verdict::Agree
        } else {
            Verdict::Unheard
        };
    }
    let members = others.len() + 1;
    let quorum = members / 2 + 1;
    if by_hash.values().all(|ids| ids.len() < quorum) {
        return Verdict::Differ(vec![0]);
    }
    let wrong = by_hash.into_values().filter(|ids| ids.len() < quorum);
    Verdict::Differ(wrong.flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: u64 = 1;

    /// At revision 10, after a compaction at 5.
    fn hashed(hash: u32) -> Hashed {
        Hashed {
            revision: 10,
            hash: HashKv {
                hash,
                compact_revision: 5,
                hash_revision: 10,
            },
        }
    }

    fn compacted(hash: u32, compact_revision: i64) -> Hashed {
        let mut hashed = hashed(hash);
        hashed.hash.compact_revision = compact_revision;
        hashed
    }

    #[test]
    fn a_member_starts_unless_somebody_holds_something_else() {
        assert!(agrees(&hashed(7), &[(2, Some(hashed(7))), (3, None)]));
        assert!(agrees(&hashed(7), &[(2, Some(compacted(8, 6)))]));
        assert!(!agrees(&hashed(7), &[(2, Some(hashed(7))), (3, Some(hashed(8)))]));
    }

    #[test]
    fn who_differs_or_is_ahead_of_the_leader_is_wrong() {
        let find = |others: &Others| suspect(LEADER, &hashed(7), &hashed(7), others);
        assert_eq!(find(&[(2, Some(hashed(7))), (3, None)]), None);
        assert_eq!(find(&[(2, Some(hashed(7))), (3, Some(hashed(8)))]), Some(3));
        assert_eq!(find(&[(2, Some(compacted(8, 4)))]), None, "it is behind");
        assert_eq!(find(&[(2, Some(compacted(7, 6)))]), Some(2));
        let ahead = Hashed {
            revision: 11,
            ..hashed(7)
        };
        assert_eq!(find(&[(2, Some(ahead))]), Some(2));
        assert_eq!(suspect(LEADER, &hashed(7), &hashed(8), &[]), Some(LEADER));
        assert_eq!(suspect(LEADER, &hashed(7), &compacted(8, 6), &[]), None);
    }

    #[test]
    fn a_quorum_is_right_and_without_one_nobody_is() {
        use Verdict::{Agree, Differ, Unheard};
        let of = |hashes: &[Option<u32>]| {
            let others: Vec<_> = (2..).zip(hashes.iter().map(|hash| hash.map(hashed))).collect();
            verdict(LEADER, &hashed(7), &others)
        };
        for (others, expected) in [
            (&[][..], Agree),
            (&[Some(7), Some(7)], Agree),
            (&[Some(7), None], Unheard),
            (&[Some(7), Some(8)], Differ(vec![3])),
            (&[Some(8), Some(8)], Differ(vec![1])),
            (&[Some(8), None], Differ(vec![0])),
            (&[Some(8), Some(9)], Differ(vec![0])),
            (&[Some(7), Some(7), Some(8), Some(9)], Differ(vec![4, 5])),
        ] {
            assert_eq!(of(others), expected, "{others:?}");
        }
        let other_compaction = [(2, Some(compacted(8, 4)))];
        assert_eq!(verdict(LEADER, &hashed(7), &other_compaction), Unheard);
    }
}
