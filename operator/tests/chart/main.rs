//! The charts: they hold what the operator is, take what the kinds take, and ask for metrics that there are.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod generated;
mod monitoring;
mod support;
mod values;
