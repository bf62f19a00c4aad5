//! A cluster that held something before, made ready for a run.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep, timeout};

use super::call;
use super::doors::Doors;
use crate::history::{Delete, Request, Span};

const PATIENCE: Duration = Duration::from_secs(30);
const CALL_PATIENCE: Duration = Duration::from_secs(4);
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Deletes the keys that runs use, and no others. Returns the revision from which a run may start.
pub async fn clear(doors: &Doors) -> Result<i64> {
    let until = Instant::now() + PATIENCE;
    loop {
        match try_to_clear(doors).await {
            Err(error) if Instant::now() > until => return Err(error.context("the cluster takes no write")),
            Err(_) => sleep(RETRY_PAUSE).await,
            Ok(base) => return Ok(base),
        }
    }
}

async fn try_to_clear(doors: &Doors) -> Result<i64> {
    let everything = Request::Delete(Delete {
        span: Span::all(),
        prev: false,
    });
    let called = timeout(CALL_PATIENCE, call::call(doors.open(0).await?, &everything)).await;
    Ok(called.context("no answer in time")??.revision)
}
