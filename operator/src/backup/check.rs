//! A throw-away member that was started from a backup is compared with what was written down when it was taken.

use std::time::Duration;

use jiff::Timestamp;
use taffrail_crds::{Artifact, Verification};
use tokio::time::{Instant, sleep};

use super::places::Places;
use super::request::Check;
use super::{Failure, Outcome, Reason};
use crate::etcd::{Access, DataError, Endpoint, Etcd, EtcdClient, EtcdError, Hashed};

const QUICK: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(600);
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// # Errors
/// If the member does not serve, cannot be asked, or has something else.
pub async fn check(request: &Check, places: &Places) -> Result<Outcome, Failure> {
    let access = places.access(&request.url)?;
    let at = Endpoint {
        url: request.url.clone(),
        server_name: "localhost".into(),
    };
    let served = served(&access, &at, Duration::from_secs(request.patience_seconds)).await?;
    let found = look(&access, &at, request.artifact.revision, served).await?;
    let message = compare(&request.artifact, &found).map_err(|why| Failure::new(Reason::Different, why))?;
    let verification = Verification {
        verified_at: Some(Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        revision: found.revision,
        keys: found.keys,
        hash_kv: i64::from(found.hashed.hash),
        message: Some(message),
    };
    Ok(Outcome::Checked { verification })
}

/// What a member has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    /// Its newest.
    revision: i64,
    /// At the revision of the backup.
    keys: i64,
    hashed: Hashed,
}

/// Its revision once it serves: with a quorum of itself.
async fn served(access: &Access, at: &Endpoint, patience: Duration) -> Result<i64, Failure> {
    let (client, end) = (EtcdClient::new(QUICK), Instant::now() + patience);
    loop {
        let error = match client.newest_revision(access, std::slice::from_ref(at)).await {
            Ok(revision) => return Ok(revision),
            Err(EtcdError::Denied(said)) => return Err(denied(&said)),
            Err(error) => error,
        };
        if Instant::now() >= end {
            let seconds = patience.as_secs();
            let message = format!("the restored member did not serve within {seconds} s: look at its log ({error})");
            return Err(Failure::new(Reason::NoMember, message));
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn look(access: &Access, at: &Endpoint, asked: i64, revision: i64) -> Result<Found, Failure> {
    let client = EtcdClient::new(LONG);
    if revision < asked {
        let why = format!("the restored member is at revision {revision}, the backup was taken at {asked}");
        return Err(Failure::new(Reason::Different, why));
    }
    let counted = client
        .count(access, at, asked)
        .await
        .map_err(|error| unanswered(&error, asked))?;
    let hashed = client
        .hash_kv(access, at, asked)
        .await
        .map_err(|error| unanswered(&error, asked))?;
    let corrupt = client.alarms(access, std::slice::from_ref(at)).await;
    match corrupt
        .unwrap_or_default()
        .iter()
        .find(|alarm| alarm.kind == crate::etcd::AlarmKind::Corrupt)
    {
        Some(_) => Err(Failure::new(
            Reason::Different,
            "the restored member raises the alarm CORRUPT",
        )),
        None => Ok(Found {
            revision,
            keys: counted.keys,
            hashed,
        }),
    }
}

/// What agrees, or what does not.
fn compare(artifact: &Artifact, found: &Found) -> Result<String, String> {
    let Artifact {
        revision,
        keys,
        hash_kv,
        compact_revision,
        ..
    } = artifact;
    if found.keys != *keys {
        return Err(format!(
            "at revision {revision} there were {keys} keys, and {} were restored",
            found.keys
        ));
    }
    // -1 and 0 both say: never.
    let (then, now) = ((*compact_revision).max(0), found.hashed.compact_revision.max(0));
    if then != now {
        return Ok(format!(
            "revision and {keys} keys agree; HashKV was not compared, because of compaction to {now} instead of {then}"
        ));
    }
    match i64::from(found.hashed.hash) == *hash_kv {
        true => Ok(format!("revision {revision}, {keys} keys and HashKV {hash_kv} agree")),
        false => Err(format!(
            "HashKV at revision {revision} was {hash_kv}, and is {}",
            found.hashed.hash
        )),
    }
}

fn unanswered(error: &DataError, revision: i64) -> Failure {
    match error {
        DataError::Compacted => {
            let message = format!("revision {revision} of the backup cannot be read in it: it has been compacted");
            Failure::new(Reason::Different, message)
        }
        DataError::Etcd(EtcdError::Denied(said)) => denied(said),
        error => Failure::new(
            Reason::NoMember,
            format!("the restored member does not answer: {error}"),
        ),
    }
}

fn denied(said: &str) -> Failure {
    let message = format!(
        "the backup has users, and root's password of now is not the one in it: it cannot be looked into ({said})"
    );
    Failure::new(Reason::MemberDenied, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact() -> Artifact {
        Artifact {
            revision: 9,
            keys: 5,
            hash_kv: 77,
            compact_revision: -1,
            ..Default::default()
        }
    }

    fn found(keys: i64, hash: u32, compact_revision: i64) -> Found {
        Found {
            revision: 11,
            keys,
            hashed: Hashed { hash, compact_revision },
        }
    }

    #[test]
    fn nothing_but_the_same_keys_and_hash_agrees() {
        assert!(compare(&artifact(), &found(5, 77, 0)).is_ok());
        assert!(compare(&artifact(), &found(4, 77, 0)).is_err());
        assert!(compare(&artifact(), &found(5, 78, 0)).is_err());
    }

    #[test]
    fn a_hash_over_other_revisions_is_not_compared_and_that_is_said() {
        let message = compare(&artifact(), &found(5, 78, 4)).unwrap();
        assert!(message.contains("was not compared"), "{message}");
        assert!(compare(&artifact(), &found(6, 77, 4)).is_err());
    }
}
