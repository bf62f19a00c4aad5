//! From which member: the first that answers, is sound, and has everything that was acknowledged.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::backup::places::Places;
use crate::backup::request::{MemberAddress, Take};
use crate::backup::{Failure, Reason};
use crate::etcd::{Access, AlarmKind, DataError, Endpoint, Etcd, EtcdClient, EtcdError, MemberFacts};

/// For an answer about which nothing has to be computed.
const QUICK: Duration = Duration::from_secs(10);
/// For a count or a hash of all keys.
const LONG: Duration = Duration::from_secs(600);
/// How long a member may take to come as far as the others were when they were asked.
const CATCH_UP: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The member that a backup is taken from.
pub struct Source {
    pub name: String,
    pub at: Endpoint,
    pub access: Access,
    pub facts: MemberFacts,
    /// All members: a learner does not hash.
    pub everybody: Vec<Endpoint>,
    pub quick: EtcdClient,
    pub long: EtcdClient,
}

/// # Errors
/// If no member will do; the message says why of each.
pub async fn choose(request: &Take, places: &Places) -> Result<Source, Failure> {
    let first = request
        .members
        .first()
        .ok_or_else(|| Failure::new(Reason::NoMember, "the cluster has no member"))?;
    let access = places.access(&first.url)?;
    let (quick, long) = (EtcdClient::new(QUICK), EtcdClient::new(LONG));
    let everybody: Vec<Endpoint> = request.members.iter().map(endpoint).collect();
    let newest = quick
        .newest_revision(&access, &everybody)
        .await
        .map_err(|error| no_revision(&error))?;
    let corrupt = corrupt(&quick, &access, &everybody).await?;
    let mut unfit = Vec::new();
    for member in &request.members {
        let at = endpoint(member);
        match fit(&quick, &access, &at, newest, &corrupt).await {
            Ok(facts) => {
                tracing::info!(
                    member = member.name,
                    revision = facts.revision,
                    version = facts.version,
                    "is the source"
                );
                return Ok(Source {
                    name: member.name.clone(),
                    at,
                    access,
                    facts,
                    everybody,
                    quick,
                    long,
                });
            }
            Err(why) => {
                tracing::warn!(member = member.name, %why, "is passed over");
                unfit.push((member.name.clone(), why));
            }
        }
    }
    Err(nobody(&unfit))
}

fn endpoint(member: &MemberAddress) -> Endpoint {
    Endpoint {
        url: member.url.clone(),
        server_name: member.server_name.clone(),
    }
}

/// Why a member is passed over.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("{0}")]
    Error(EtcdError),
    #[error("its revision {has} is behind {newest}")]
    Behind { has: i64, newest: i64 },
    #[error("its data are corrupt, says the alarm")]
    Corrupt,
    #[error("it belongs to no cluster yet")]
    Young,
}

/// Members whose alarm CORRUPT is raised; 0 stands for all of them.
async fn corrupt(client: &EtcdClient, access: &Access, through: &[Endpoint]) -> Result<Vec<u64>, Failure> {
    let alarms = client
        .alarms(access, through)
        .await
        .map_err(|error| no_revision(&error))?;
    Ok(alarms
        .into_iter()
        .filter(|alarm| alarm.kind == AlarmKind::Corrupt)
        .map(|alarm| alarm.member_id)
        .collect())
}

async fn fit(
    client: &EtcdClient,
    access: &Access,
    at: &Endpoint,
    newest: i64,
    corrupt: &[u64],
) -> Result<MemberFacts, Unfit> {
    let facts = client.facts(access, at).await.map_err(Unfit::Error)?;
    if facts.cluster_id == 0 {
        return Err(Unfit::Young);
    }
    if corrupt.iter().any(|member| [0, facts.member_id].contains(member)) {
        return Err(Unfit::Corrupt);
    }
    caught_up(client, access, at, newest).await?;
    Ok(facts)
}

/// Its own keys are asked for their revision: it has applied that.
async fn caught_up(client: &EtcdClient, access: &Access, at: &Endpoint, newest: i64) -> Result<(), Unfit> {
    let end = Instant::now() + CATCH_UP;
    loop {
        let has = match client.revision_of(access, at).await {
            Ok(has) => has,
            Err(DataError::Etcd(error)) => return Err(Unfit::Error(error)),
            Err(error) => return Err(Unfit::Error(EtcdError::Refused(error.to_string()))),
        };
        match has >= newest {
            true => return Ok(()),
            false if Instant::now() >= end => return Err(Unfit::Behind { has, newest }),
            false => sleep(LOOK_AGAIN).await,
        }
    }
}

fn no_revision(error: &EtcdError) -> Failure {
    let (reason, hint) = match error {
        EtcdError::Denied(_) => (Reason::MemberDenied, "give the pod root's name and password"),
        EtcdError::Tls(_) => (Reason::MemberDenied, "give the pod a certificate that members accept"),
        EtcdError::Refused(said) if said == "corrupt cluster" => (
            Reason::CorruptMember,
            "the alarm CORRUPT is raised: replace the member that has it first",
        ),
        EtcdError::NoQuorum(_) | EtcdError::TimedOut(_) => (
            Reason::NoQuorum,
            "nobody can tell what was acknowledged last: bring the quorum back first",
        ),
        _ => (Reason::NoMember, "no member can be asked"),
    };
    Failure::new(reason, format!("{hint} ({error})"))
}

fn nobody(unfit: &[(String, Unfit)]) -> Failure {
    let all: Vec<String> = unfit.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    let has = |wanted: fn(&Unfit) -> bool| unfit.iter().any(|(_, why)| wanted(why));
    let reason = match () {
        () if has(|why| matches!(why, Unfit::Behind { .. })) => Reason::MemberBehind,
        () if has(|why| matches!(why, Unfit::Corrupt)) => Reason::CorruptMember,
        () if has(|why| matches!(why, Unfit::Error(EtcdError::Denied(_)))) => Reason::MemberDenied,
        () => Reason::NoMember,
    };
    Failure::new(reason, format!("no member is fit to be backed up: {}", all.join("; ")))
}
