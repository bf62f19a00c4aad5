//! Who may do what: promises of authentication and access control.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ask;
mod certificates;
mod errors;
mod guarded;
mod matrix;
mod model;
mod promises;
mod tokens;
