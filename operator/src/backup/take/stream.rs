//! The snapshot on its way from the member into the store: looked at, packed, sent in parts; memory does not grow.

use std::time::Duration;

use age::x25519::Recipient;
use jiff::Timestamp;

use super::member::Source;
use super::point::Point;
use crate::backup::pack::{Packed, Packer};
use crate::backup::request::Take;
use crate::backup::run::{Stop, told};
use crate::backup::snapshot::{Seen, Watcher};
use crate::backup::store::{Store, Upload};
use crate::backup::{Failure, Reason};
use crate::etcd::{DataError, EtcdError, Snapshot};

/// S3 takes no smaller parts but the last.
const PART_BYTES_MIN: usize = 5 << 20;
/// What part sizes are rounded up to.
const PART_STEP_BYTES: u64 = 1 << 20;
/// S3 takes 10,000 parts; the rest is for what compression and encryption may add.
const PARTS_MAX: u64 = 9_000;

/// What went into the store.
pub struct Streamed {
    pub object: Packed,
    pub seen: Seen,
    pub taken_at: Timestamp,
}

#[derive(Debug)]
pub enum StreamError {
    /// The point was compacted before the snapshot began: it would not be found in it.
    Compacted,
    Failed(Failure),
}

impl From<Failure> for StreamError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// # Errors
/// Nothing is in the store then.
pub async fn stream(
    store: &Store,
    request: &Take,
    source: &Source,
    point: &Point,
    (key, recipients): (&str, &[Recipient]),
    stop: Stop,
) -> Result<Streamed, StreamError> {
    let taken_at = Timestamp::now();
    let part_bytes = part_bytes(request.part_bytes, source.facts.db_size_bytes);
    let packer = Packer::new(request.compression, recipients, part_bytes)?;
    let mut upload = store.upload(key).await?;
    let stall = Duration::from_secs(request.stall_seconds.max(1));
    let done = tokio::select! {
        done = pour(source, point, (packer, part_bytes), &mut upload, stall) => done,
        () = told(stop) => Err(stopped().into()),
    };
    match done {
        Ok((object, seen)) => Ok(Streamed { object, seen, taken_at }),
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

/// Large enough that the largest database fits into as many parts as there may be.
fn part_bytes(wanted: usize, db_size_bytes: i64) -> usize {
    let database = u64::try_from(db_size_bytes).unwrap_or(0);
    let needed = (database / PARTS_MAX).next_multiple_of(PART_STEP_BYTES);
    wanted
        .max(PART_BYTES_MIN)
        .max(usize::try_from(needed).unwrap_or(usize::MAX))
}

async fn pour(
    source: &Source,
    point: &Point,
    (mut packer, part_bytes): (Packer, usize),
    upload: &mut Upload,
    stall: Duration,
) -> Result<(Packed, Seen), StreamError> {
    let mut snapshot = source
        .quick
        .snapshot(&source.access, &source.at)
        .await
        .map_err(|error| broke_off(&error, 0))?;
    let mut watcher = Watcher::default();
    let mut began = false;
    while let Some(piece) = next(&mut snapshot, &watcher, stall).await? {
        if !began {
            still_there(source, point).await?;
            began = true;
        }
        watcher.see(&piece);
        packer.write(&piece)?;
        while let Some(part) = packer.part() {
            upload.send(part).await?;
        }
    }
    let seen = watcher.sealed()?;
    let (mut last, object) = packer.finish()?;
    while last.len() > part_bytes {
        upload.send(last.split_to(part_bytes)).await?;
    }
    upload.complete(last).await?;
    Ok((object, seen))
}

async fn next(snapshot: &mut Snapshot, watcher: &Watcher, stall: Duration) -> Result<Option<bytes::Bytes>, Failure> {
    snapshot
        .next(stall)
        .await
        .map_err(|error| broke_off(&error, watcher.bytes()))
}

/// The member has pinned what it sends. If the point can be read after that, it could be read in it.
async fn still_there(source: &Source, point: &Point) -> Result<(), StreamError> {
    match source.quick.can_read(&source.access, &source.at, point.revision).await {
        Ok(()) => Ok(()),
        Err(DataError::Compacted) => Err(StreamError::Compacted),
        Err(DataError::Etcd(error)) => Err(broke_off(&error, 0).into()),
        Err(error @ DataError::Future) => Err(Failure::new(Reason::MemberBehind, error.to_string()).into()),
    }
}

fn broke_off(error: &EtcdError, bytes: u64) -> Failure {
    let reason = match error {
        EtcdError::TimedOut(_) => Reason::Stalled,
        EtcdError::Denied(_) | EtcdError::Tls(_) => Reason::MemberDenied,
        _ if bytes > 0 => Reason::Truncated,
        _ => Reason::NoMember,
    };
    Failure::new(
        reason,
        format!("the member broke the snapshot off after {bytes} bytes: {error}"),
    )
}

fn stopped() -> Failure {
    Failure::new(
        Reason::Stopped,
        "the pod was told to end before the backup was done; nothing of it was kept",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_database_fits_into_as_many_parts_as_there_may_be() {
        assert_eq!(part_bytes(8 << 20, 1 << 30), 8 << 20);
        assert_eq!(part_bytes(1, -1), PART_BYTES_MIN);
        let terabyte = part_bytes(8 << 20, 1 << 40) as u64;
        assert!(terabyte * 10_000 > (1 << 40) + (1 << 36));
    }
}
