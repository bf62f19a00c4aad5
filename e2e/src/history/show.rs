//! Operations as a person reads them in a report.

use std::fmt::{Display, Formatter, Result};

use super::{
    Answer, Body, Compare, Delete, Event, Key, Operation, Outcome, Pair, Put, Range, Request, Span, Step, Txn,
};

/// Microseconds as seconds.
pub struct Seconds(pub u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl Display for Operation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (from, to) = (Seconds(self.invoked), Seconds(self.returned));
        let (id, client, member) = (self.id, self.client, self.member);
        write!(
            f,
            "[op {id}, client {client} at m{member}, {from} to {to}: {} -> {}]",
            self.request, self.outcome
        )
    }
}

impl Display for Request {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Put(put) => put.fmt(f),
            Self::Delete(delete) => delete.fmt(f),
            Self::Range(range) => range.fmt(f),
            Self::Txn(txn) => txn.fmt(f),
            Self::Compact { revision } => write!(f, "compact {revision}"),
            Self::Grant { lease, ttl } => write!(f, "grant lease {lease} for {ttl} s"),
            Self::KeepAlive { lease } => write!(f, "keep lease {lease} alive"),
            Self::Revoke { lease } => write!(f, "revoke lease {lease}"),
            Self::Hash { revision } => write!(f, "hash at revision {revision}"),
        }
    }
}

impl Display for Put {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "put {} = {}", self.key, self.value)?;
        if self.lease != 0 {
            write!(f, " with lease {}", self.lease)
        } else {
            Ok(())
        }
    }
}

impl Display for Delete {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "delete {}", self.span)
    }
}

impl Display for Range {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let kind = if self.serializable { "serializable " } else { "" };
        write!(f, "{kind}get {}", self.span)?;
        if self.revision != 0 {
            write!(f, " at revision {}", self.revision)
        } else {
            Ok(())
        }
    }
}

impl Display for Txn {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(
            f,
            "txn if {} then {} else {}",
            list(&self.compares),
            list(&self.success),
            list(&self.failure)
        )
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Put(put) => put.fmt(f),
            Self::Delete(delete) => delete.fmt(f),
            Self::Range(range) => range.fmt(f),
        }
    }
}

impl Display for Compare {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} {:?} {:?}", self.key, self.relation, self.target)
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "k{}", self.0)
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.width() == 1 {
            self.from.fmt(f)
        } else {
            write!(f, "{}..{}", self.from, self.to)
        }
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Ok(answer) => answer.fmt(f),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Unknown(reason) => write!(f, "outcome unknown: {reason}"),
        }
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "revision {}, {}", self.revision, self.body)
    }
}

impl Display for Body {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Put { prev: None } | Self::Done => write!(f, "done"),
            Self::Put { prev: Some(prev) } => write!(f, "before {prev}"),
            Self::Delete { count, prev } => write!(f, "deleted {count} {}", list(prev)),
            Self::Range { pairs, count, more } => write!(
                f,
                "{count} keys {}{}",
                list(pairs),
                if *more { " and more" } else { "" }
            ),
            Self::Txn { succeeded, steps } => write!(f, "succeeded {succeeded} {}", list(steps)),
            Self::Lease { ttl } => write!(f, "TTL {ttl} s"),
            Self::Hash { hash, compacted } => write!(f, "hash {hash:08x}, compacted at {compacted}"),
        }
    }
}

impl Display for Pair {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self {
            key,
            value,
            created,
            modified,
            version,
            lease,
        } = self;
        write!(
            f,
            "{key}={value}@{modified}(created {created}, version {version}, lease {lease})"
        )
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let kind = if self.put { "put" } else { "delete" };
        write!(f, "{kind} {}", self.pair)?;
        self.prev.map_or(Ok(()), |prev| write!(f, " before {prev}"))
    }
}

pub fn list<T: Display>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(T::to_string).collect();
    format!("({})", items.join("; "))
}
