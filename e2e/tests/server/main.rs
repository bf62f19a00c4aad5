//! What a client of one member may rely on: a file per promise.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backup_restore;
mod bad_input;
mod compaction;
mod crashers;
mod election;
mod errors;
mod errors_of_state;
mod gateway;
mod gateway_streams;
mod http_access;
mod http_pages;
mod kill_nine;
mod kv;
mod lease;
mod library;
mod lock;
mod logs;
mod maintenance;
mod metrics;
mod offline;
mod profiles;
mod range_stream;
mod restart;
mod slow;
mod tls;
mod tls_files;
mod traces;
mod transfer;
mod txn;
mod watch;
mod watch_streams;
mod watchers;
