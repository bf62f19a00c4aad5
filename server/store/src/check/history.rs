//! Rows of `history`: each leads to a change that replaced the very version it tells of.

use fjall::Readable;

use super::CheckReport;
use crate::mvcc::{Revision, Rows};
use crate::pinned::Pinned;
use crate::schema::log::Row;
use crate::schema::{complete, history, revision};
use crate::{StoreFailure, View};

const HISTORY: &str = "history";

pub(super) fn check(pinned: &Pinned, _: &View, report: &mut CheckReport) -> Result<(), StoreFailure> {
    let upto = pinned.snapshot.get(&pinned.engine.system, complete::KEY)?;
    let upto = upto.and_then(|value| complete::parse(&value).ok());
    for row in Rows::new(pinned.snapshot.iter(&pinned.engine.history)) {
        let (key, value) = row?;
        report.history_rows += 1;
        let parsed = history::split_key(&key).and_then(|(prefix, at)| Ok((history::user_key(prefix)?, at)));
        match parsed {
            Err(why) => report.damage(HISTORY, &key, why.to_string()),
            Ok((user_key, at)) => {
                if let Some(why) = wrong(pinned, &user_key, at, &value, upto)? {
                    report.damage(HISTORY, &key, why);
                }
            }
        }
    }
    Ok(())
}

/// Rows at or below the floor lead nowhere, and nobody follows them.
fn wrong(
    pinned: &Pinned,
    key: &[u8],
    at: Revision,
    value: &[u8],
    upto: Option<Revision>,
) -> Result<Option<&'static str>, StoreFailure> {
    if at.main <= pinned.state.floor {
        return Ok(None);
    }
    if upto.is_some_and(|upto| at > upto) {
        return Ok(Some("it is beyond the mark up to which rows are written"));
    }
    let Ok(mod_revision) = history::parse_value(value) else {
        return Ok(Some("its value cannot be parsed"));
    };
    let logged = pinned.snapshot.get(&pinned.engine.log, revision::key(at))?;
    let row = logged.and_then(|raw| Row::parse(raw.into()).ok());
    let replaced = row.filter(|row| row.key == key).and_then(|row| row.replaced);
    Ok(match replaced {
        Some(record) if record.mod_revision() == mod_revision => None,
        Some(_) => Some("the log has another version there"),
        None => Some("the log has no such change"),
    })
}
