//! What watchers heard, and the lines of a history.

use serde::{Deserialize, Serialize};

use super::{Operation, Pair, Span};

/// A line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Record {
    Operation(Operation),
    Watch(Watch),
    Heard(Heard),
    /// What was done to the cluster.
    Note {
        at: u64,
        text: String,
    },
    /// A promise that broke before the driver's eyes: a member that crashed, a watch that got stuck.
    Broken {
        at: u64,
        text: String,
    },
}

/// A watcher. One that goes on at another member is another watcher.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Watch {
    pub id: u64,
    pub member: usize,
    pub asked: u64,
    pub span: Span,
    /// 0 is the next change after the revision that confirms the watcher.
    pub start: i64,
    pub prev: bool,
}

/// One response to a watcher.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heard {
    pub watch: u64,
    pub at: u64,
    /// Of the response header.
    pub revision: i64,
    pub news: News,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum News {
    Created,
    Events(Vec<Event>),
    /// Everything up to the header's revision has been told.
    Progress,
    /// The server ended the watcher; the compaction floor is above 0 if that was the reason.
    Cancelled {
        compacted: i64,
    },
}

/// A change of a key; `put` is false for a deletion, whose pair has only key and revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub put: bool,
    pub pair: Pair,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Pair>,
}
