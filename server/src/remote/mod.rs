//! A client of some other etcd, by whatever endpoint of it answers.
//!
//! Enters: endpoints, what proves them and us, and calls. Leaves: answers, or a status. Always holds: one connection at
//! a time; when it breaks, or its member says that it is unavailable, the next endpoint's turn has come, and calls
//! under way are not disturbed by that. A password is sent for a token, never with a call.

mod client;
mod config;
mod endpoint;
mod range;
mod road;
mod sign;

pub use client::Remote;
pub use config::{Pings, RemoteConfig, User};
pub use range::after_prefix;
