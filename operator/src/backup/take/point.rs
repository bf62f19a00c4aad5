//! At which revision: one that was the newest not long ago, that the member has applied, and what is there at it.

use super::member::Source;
use crate::backup::{Failure, Reason};
use crate::etcd::{DataError, Hashed};

/// A revision and what is to be found there after a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub revision: i64,
    pub keys: i64,
    pub hashed: Hashed,
}

/// Why there is none.
#[derive(Debug)]
pub enum PointError {
    /// In the meantime: ask for another.
    Compacted,
    Failed(Failure),
}

impl From<DataError> for PointError {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Compacted => Self::Compacted,
            error => {
                let message = format!("the member cannot say what it has: {error}");
                Self::Failed(Failure::new(Reason::NoMember, message))
            }
        }
    }
}

/// # Errors
/// See [`PointError`].
pub async fn find(source: &Source) -> Result<Point, PointError> {
    let revision = source.quick.revision_of(&source.access, &source.at).await?;
    let counted = source.long.count(&source.access, &source.at, revision).await?;
    Ok(Point {
        revision,
        keys: counted.keys,
        hashed: hash(source, revision).await?,
    })
}

/// A learner does not hash, but what a voter says of the same revision is as good.
async fn hash(source: &Source, revision: i64) -> Result<Hashed, PointError> {
    if !source.facts.is_learner {
        return Ok(source.long.hash_kv(&source.access, &source.at, revision).await?);
    }
    let mut last = None;
    for at in source.everybody.iter().filter(|at| **at != source.at) {
        match source.long.hash_kv(&source.access, at, revision).await {
            Ok(hashed) => return Ok(hashed),
            Err(DataError::Compacted) => return Err(PointError::Compacted),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or(DataError::Future).into())
}
