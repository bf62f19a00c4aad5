//! One request and its outcome.

use serde::{Deserialize, Serialize};

use super::{Key, Span};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Operation {
    pub id: u64,
    pub client: u32,
    /// The member asked, by its slot.
    pub member: usize,
    pub invoked: u64,
    pub returned: u64,
    pub request: Request,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    Put(Put),
    Delete(Delete),
    Range(Range),
    Txn(Txn),
    Compact { revision: i64 },
    Grant { lease: i64, ttl: i64 },
    KeepAlive { lease: i64 },
    Revoke { lease: i64 },
    Hash { revision: i64 },
}

/// Asks for the previous pair if `prev`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Put {
    pub key: Key,
    pub value: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lease: i64,
    pub prev: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delete {
    pub span: Span,
    pub prev: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Range {
    pub span: Span,
    /// 0 is the newest.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: i64,
    pub serializable: bool,
    /// 0 is no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub limit: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Txn {
    pub compares: Vec<Compare>,
    pub success: Vec<Step>,
    pub failure: Vec<Step>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Step {
    Put(Put),
    Delete(Delete),
    Range(Range),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compare {
    pub key: Key,
    pub relation: Relation,
    pub target: Target,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Relation {
    Equal,
    NotEqual,
    Greater,
    Less,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    Modified(i64),
    Created(i64),
    Version(i64),
    Value(u64),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Outcome {
    Ok(Answer),
    /// The member said that nothing was done.
    Refused(String),
    /// It may have been done, or may still be.
    Unknown(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Of the response header.
    pub revision: i64,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    Put { prev: Option<Pair> },
    Delete { count: i64, prev: Vec<Pair> },
    Range { pairs: Vec<Pair>, count: i64, more: bool },
    Txn { succeeded: bool, steps: Vec<Body> },
    Lease { ttl: i64 },
    Hash { hash: u32, compacted: i64 },
    Done,
}

/// A key with its value and everything that etcd tells about it. In the file it is a row, for most of the file is pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct Pair {
    pub key: Key,
    pub value: u64,
    pub created: i64,
    pub modified: i64,
    pub version: i64,
    pub lease: i64,
}

type Row = (Key, u64, i64, i64, i64, i64);

impl From<Row> for Pair {
    fn from((key, value, created, modified, version, lease): Row) -> Self {
        Self {
            key,
            value,
            created,
            modified,
            version,
            lease,
        }
    }
}

impl From<Pair> for Row {
    fn from(pair: Pair) -> Self {
        let Pair {
            key,
            value,
            created,
            modified,
            version,
            lease,
        } = pair;
        (key, value, created, modified, version, lease)
    }
}

impl Operation {
    pub fn answer(&self) -> Option<&Answer> {
        match &self.outcome {
            Outcome::Ok(answer) => Some(answer),
            Outcome::Refused(_) | Outcome::Unknown(_) => None,
        }
    }
    pub fn is_unknown(&self) -> bool {
        matches!(self.outcome, Outcome::Unknown(_))
    }
    /// Why it was refused, if it was.
    pub fn refusal(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Refused(reason) => Some(reason),
            Outcome::Ok(_) | Outcome::Unknown(_) => None,
        }
    }
    /// Whether the answer says that the store changed, which then happened at the answer's revision.
    pub fn changed_something(&self) -> bool {
        let Some(answer) = self.answer() else { return false };
        match (&self.request, &answer.body) {
            (Request::Txn(txn), Body::Txn { succeeded, steps }) => txn
                .branch(*succeeded)
                .iter()
                .zip(steps)
                .any(|(_, body)| body.changed_something()),
            (_, body) => body.changed_something(),
        }
    }
    /// The puts that it makes if it is carried out, in either branch.
    pub fn puts(&self) -> Vec<&Put> {
        match &self.request {
            Request::Put(put) => vec![put],
            Request::Txn(txn) => txn.success.iter().chain(&txn.failure).filter_map(Step::put).collect(),
            _ => Vec::new(),
        }
    }
    /// Whether it may change keys.
    pub fn is_write(&self) -> bool {
        match &self.request {
            Request::Put(_) | Request::Delete(_) => true,
            Request::Txn(txn) => txn
                .success
                .iter()
                .chain(&txn.failure)
                .any(|step| !matches!(step, Step::Range(_))),
            _ => false,
        }
    }
}

impl Body {
    fn changed_something(&self) -> bool {
        match self {
            Self::Put { .. } => true,
            Self::Delete { count, .. } => *count > 0,
            _ => false,
        }
    }
}

impl Txn {
    pub fn branch(&self, succeeded: bool) -> &[Step] {
        if succeeded { &self.success } else { &self.failure }
    }
}

impl Step {
    fn put(&self) -> Option<&Put> {
        match self {
            Self::Put(put) => Some(put),
            Self::Delete(_) | Self::Range(_) => None,
        }
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}
