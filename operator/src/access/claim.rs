//! Whose a name in etcd is. Pure.

use std::collections::BTreeSet;

use kube::ResourceExt;
use taffrail_crds::{ACCESS_MAX, ADOPT, AccessRecord, KeptAccess};

use super::declared::{Declared, Kind};
use super::record;
use crate::problem::Problem;

/// Others of the same kind in the namespace.
#[derive(Clone, Debug, Default)]
pub struct Others {
    /// Of all objects that are there, readable or not.
    pub uids: BTreeSet<String>,
    /// The eldest that declares the same name of the same cluster.
    pub eldest: Option<KeptAccess>,
}

impl Others {
    /// `readable`: those of all that could be decoded.
    pub fn of<K: Declared>(object: &K, uids: BTreeSet<String>, readable: &[K]) -> Self {
        let same = |one: &&K| {
            one.is_alive() && one.cluster_name() == object.cluster_name() && one.name_in_etcd() == object.name_in_etcd()
        };
        let age = |one: &&K| (one.creation_timestamp(), one.uid());
        let eldest = readable.iter().filter(same).min_by_key(age);
        Self {
            uids,
            eldest: eldest.map(Declared::entry),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is written down as this object's.
    Held,
    /// It has to be written down first.
    Write(AccessRecord),
    Refused(Problem),
}

/// What the record alone says: held, or held with another policy. None: others have to be looked at.
pub fn held(record: &AccessRecord, kind: Kind, mine: &KeptAccess) -> Option<Claim> {
    let holder = record::holder(record, kind, &mine.name)?;
    match (holder.uid == mine.uid, holder == mine) {
        (true, true) => Some(Claim::Held),
        (true, false) => Some(Claim::Write(record::with(record.clone(), kind, mine.clone()))),
        (false, _) => None,
    }
}

/// A name that is not this object's. `there`: etcd has it; `adopts`: it may be taken over then.
pub fn claim(
    record: &AccessRecord,
    kind: Kind,
    mine: &KeptAccess,
    others: &Others,
    (there, adopts): (bool, bool),
) -> Claim {
    let (word, name) = (kind.word(), &mine.name);
    let refused = |reason, message| Claim::Refused(Problem::new(reason, message));
    if let Some(holder) = record::holder(record, kind, name) {
        return match others.uids.contains(&holder.uid) {
            true => refused("Conflict", format!("{} keeps the {word} {name}", holder.object)),
            false => refused(
                "BeingRemoved",
                format!(
                    "the {word} {name} of {}, which has gone, is removed first",
                    holder.object
                ),
            ),
        };
    }
    if let Some(elder) = others.eldest.as_ref().filter(|one| one.uid != mine.uid) {
        let message = format!("{} is older and declares the {word} {name} too", elder.object);
        return refused("Conflict", message);
    }
    if there && !adopts {
        let message = format!(
            "etcd has a {word} {name} that nobody declared: remove it, or let this object take it over with the \
             annotation {ADOPT}=true, which makes it what is declared"
        );
        return refused("Exists", message);
    }
    if record::entries(record, kind).len() >= ACCESS_MAX {
        return refused(
            "TooMany",
            format!("there are {ACCESS_MAX} {word}s of this cluster already"),
        );
    }
    Claim::Write(record::with(record.clone(), kind, mine.clone()))
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;
