//! Leases and the keys attached to them: each attachment has its lease, and its key names that lease.

use fjall::Readable;

use super::CheckReport;
use crate::mvcc::Rows;
use crate::pinned::Pinned;
use crate::schema::record::Record;
use crate::schema::{attachment, lease, tag};
use crate::{StoreFailure, View};

const SYSTEM: &str = "system";

pub(super) fn check(pinned: &Pinned, view: &View, report: &mut CheckReport) -> Result<(), StoreFailure> {
    let system = &pinned.engine.system;
    report.leases = pinned.snapshot.prefix(system, lease::PREFIX).count() as u64;
    for row in Rows::new(pinned.snapshot.prefix(system, [tag::ATTACHMENT])) {
        let (row_key, _) = row?;
        report.attached_keys += 1;
        // What cannot be parsed was told with the other rows.
        let Ok((lease, key)) = attachment::parse_key(&row_key) else {
            continue;
        };
        if view.lease(lease)?.is_none() {
            report.damage(SYSTEM, &row_key, format!("lease {lease:x} does not exist"));
        }
        let stored = pinned.snapshot.get(&pinned.engine.current, key)?;
        let record = stored.and_then(|raw| Record::parse(raw.into()).ok());
        if record.is_none_or(|record| record.lease() != lease) {
            report.damage(SYSTEM, &row_key, format!("the key is not one of lease {lease:x}"));
        }
    }
    Ok(())
}
