//! What a client of one member may rely on: a file per promise.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backup_restore;
mod bad_input;
mod compaction;
mod crashers;
mod errors;
mod http_pages;
mod kill_nine;
mod kv;
mod lease;
mod library;
mod logs;
mod maintenance;
mod metrics;
mod profiles;
mod restart;
mod slow;
mod traces;
mod transfer;
mod txn;
mod watch;
mod watch_streams;
mod watchers;
