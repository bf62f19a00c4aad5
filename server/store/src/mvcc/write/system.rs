//! Rows of `system` on their way, and what the log has come to.

use bytes::Bytes;
use fjall::Readable;

use super::Writer;
use crate::mvcc::overlay::{Merged, Row, Rows};
use crate::schema::{lease, log, revision};
use crate::{Lease, StoreFailure};

impl Writer {
    pub(crate) fn set_system(&mut self, key: impl Into<Bytes>, value: Option<Bytes>) {
        self.pending.system.insert(key.into(), value);
    }

    pub(crate) fn lease(&self, id: i64) -> Result<Option<Lease>, StoreFailure> {
        let key = lease::key(id);
        let value = match self.pending.system.get(&key[..]) {
            Some(decided) => decided.clone(),
            None => self
                .committed
                .snapshot
                .get(&self.committed.engine.system, key)?
                .map(Bytes::from),
        };
        value.map(|value| lease::parse(&key, &value)).transpose()
    }

    /// Rows of `system` whose key starts so.
    pub(crate) fn system_rows(&self, prefix: &[u8]) -> impl Iterator<Item = Row> {
        let bounds = fjall::util::prefix_to_range(prefix);
        let bounds = (bounds.0.map(Bytes::from), bounds.1.map(Bytes::from));
        let below = Rows::new(
            self.committed
                .snapshot
                .range(&self.committed.engine.system, bounds.clone()),
        );
        Merged::new(below, &self.pending.system, bounds)
    }

    /// Logical bytes of history up to and including main revision `main`.
    pub(crate) fn log_bytes_at(&self, main: i64) -> Result<u64, StoreFailure> {
        let pending = self.pending.log.partition_point(|row| row.at.main <= main);
        if let Some(last) = pending.checked_sub(1) {
            return Ok(self.pending.log[last].bytes_so_far);
        }
        let after = revision::first_of(main + 1);
        let last = self
            .committed
            .snapshot
            .range(&self.committed.engine.log, ..after)
            .next_back();
        let last = last.map(|guard| log::Row::parse(guard.value()?.into())).transpose()?;
        // The rows below the floor may be gone, but what they amounted to is known.
        Ok(last
            .map_or(0, |row| row.bytes_so_far)
            .max(self.pending.state.floor_bytes))
    }
}
