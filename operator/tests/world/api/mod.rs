//! A kube-apiserver in memory: enough of its rules that production code cannot tell it apart.
//!
//! Enters: HTTP requests of a `kube::Client`. Leaves: what the real one would answer. Watches are not served.

mod apply;
mod check;
mod kinds;
mod path;
mod rights;
mod select;
mod serve;
mod store;

pub use kinds::{KINDS, Kind, kind_named};
pub use path::Target;
pub use serve::client;
pub use store::{Key, Store};

use serde_json::{Value, json};

/// Why a request was refused: code, reason, message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
}

impl Refusal {
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
        }
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(404, "NotFound", format!("{what} not found"))
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "Conflict", message)
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(422, "Invalid", message)
    }

    /// As a `Status` object.
    pub fn body(&self) -> Value {
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
               "message": self.message, "reason": self.reason, "code": self.code})
    }
}

/// What one request was: the rows of a Role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seen {
    pub verb: &'static str,
    pub group: &'static str,
    pub resource: &'static str,
    pub subresource: Option<String>,
    pub namespace: Option<String>,
    pub name: Option<String>,
}
