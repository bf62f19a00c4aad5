//! Which of several operators acts: the one that holds a Lease.
//!
//! Clocks are never compared: a Lease has run out when it has not changed for its whole duration by one's own clock.
//! Who cannot renew in time stops at once; every step is safe under two actors nevertheless, because no lease fences
//! a call that is on its way.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};

/// How long a Lease holds, how long renewing is tried, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub lease: Duration,
    pub renew: Duration,
    pub retry: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// One who would hold the Lease.
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    me: String,
    terms: Terms,
    /// The version of the Lease that was seen last, and when it was first seen.
    seen: Option<(String, Instant)>,
}

/// What is to be done about a Lease.
#[derive(Debug, PartialEq, Eq)]
enum Move {
    /// It is ours: renew it.
    Renew,
    /// It is nobody's, or its holder was not heard of for long enough.
    Take,
    Wait,
}

impl Candidate {
    pub fn new(client: Client, namespace: &str, name: &str, me: String, terms: Terms) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.into(),
            me,
            terms,
            seen: None,
        }
    }

    /// Comes back once the Lease is held. Errors are logged and tried again.
    pub async fn acquire(&mut self) {
        loop {
            match self.attempt().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the Lease cannot be had"),
            }
            tokio::time::sleep(self.terms.retry).await;
        }
    }

    /// Renews for as long as it can; comes back when the Lease is lost, or may be.
    pub async fn hold(&mut self) {
        let mut renewed = Instant::now();
        while renewed.elapsed() < self.terms.renew {
            tokio::time::sleep(self.terms.retry).await;
            let began = Instant::now();
            match self.attempt().await {
                Ok(true) => renewed = began,
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "the Lease cannot be renewed"),
            }
        }
    }

    /// Lets the next one in without a wait. If it fails, the Lease runs out.
    pub async fn release(&mut self) {
        let let_go = async {
            let lease = self.api.get(&self.name).await?;
            if holder(&lease) == Some(self.me.as_str()) {
                self.write(lease, "").await?;
            }
            Ok::<_, kube::Error>(())
        };
        if let Ok(Err(error)) = tokio::time::timeout(self.terms.retry, let_go).await {
            tracing::warn!(%error, "the Lease was not released; it runs out");
        }
    }

    /// Whether the Lease is held now. An answer that takes longer than the pause between two attempts is none.
    async fn attempt(&mut self) -> Result<bool, AttemptError> {
        let terms = self.terms;
        tokio::time::timeout(terms.retry, self.ask())
            .await
            .map_err(|_| AttemptError::Late(terms.retry))?
            .map_err(AttemptError::Kube)
    }

    async fn ask(&mut self) -> Result<bool, kube::Error> {
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            return won(self.api.create(&PostParams::default(), &self.first()).await);
        };
        match self.decide(&lease, Instant::now()) {
            Move::Wait => Ok(false),
            Move::Renew | Move::Take => {
                let me = self.me.clone();
                won(self.write(lease, &me).await)
            }
        }
    }

    fn decide(&mut self, lease: &Lease, now: Instant) -> Move {
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let since = match &self.seen {
            Some((seen, since)) if *seen == version => *since,
            _ => now,
        };
        self.seen = Some((version, since));
        match holder(lease) {
            None => Move::Take,
            Some(holder) if holder == self.me => Move::Renew,
            Some(_) if now.duration_since(since) >= self.lasts(lease) => Move::Take,
            Some(_) => Move::Wait,
        }
    }

    /// As its holder said, who may run with other terms.
    fn lasts(&self, lease: &Lease) -> Duration {
        let said = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        let said = said.and_then(|seconds| u64::try_from(seconds).ok());
        said.map_or(self.terms.lease, |seconds| {
            self.terms.lease.max(Duration::from_secs(seconds))
        })
    }

    fn first(&self) -> Lease {
        Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(self.spec(&LeaseSpec::default(), &self.me)),
        }
    }

    /// The API server refuses it if somebody else wrote in between.
    async fn write(&self, mut lease: Lease, holder: &str) -> Result<Lease, kube::Error> {
        let before = lease.spec.take().unwrap_or_default();
        lease.spec = Some(self.spec(&before, holder));
        self.api.replace(&self.name, &PostParams::default(), &lease).await
    }

    fn spec(&self, before: &LeaseSpec, holder: &str) -> LeaseSpec {
        let now = Some(MicroTime(Timestamp::now()));
        let same = before.holder_identity.as_deref() == Some(holder);
        let changes = before.lease_transitions.unwrap_or_default();
        LeaseSpec {
            holder_identity: Some(holder.into()),
            lease_duration_seconds: i32::try_from(self.terms.lease.as_secs().max(1)).ok(),
            renew_time: now.clone(),
            acquire_time: if same { before.acquire_time.clone() } else { now },
            lease_transitions: Some(if same { changes } else { changes.saturating_add(1) }),
            ..before.clone()
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum AttemptError {
    #[error(transparent)]
    Kube(kube::Error),
    #[error("no answer within {0:?}")]
    Late(Duration),
}

fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref()?;
    Some(holder).filter(|holder| !holder.is_empty())
}

/// Whoever was refused because somebody else was first has not won, and nothing is wrong.
fn won(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "leader_tests.rs"]
mod tests;
