//! What stands around a cluster: how its first members find each other, and what stands before them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod discovery;
mod discovery_guarded;
mod founder;
mod gateway;
mod names;
mod proxied;
mod proxy;
mod proxy_guarded;
mod proxy_namespace;
mod proxy_watch;
