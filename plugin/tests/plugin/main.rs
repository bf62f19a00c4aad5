//! `kubectl taffrail` before an API server in memory.

// A helper that fails is a test that fails.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod commands;
mod double;
mod report;
