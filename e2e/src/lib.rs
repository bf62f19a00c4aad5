//! Promises, tested from outside.
//!
//! Enters: the built `taffrail` program, or any other that `TAFFRAIL_BIN` names (etcd itself, to check the tests).
//! Leaves: running members on free loopback ports, clients of theirs, and what they wrote to their logs. Always
//! holds: a test waits for conditions and never for time; a member dies with the test that started it.

pub mod aside;
pub mod calls;
pub mod certificates;
pub mod chance;
pub mod checker;
pub mod client;
pub mod cluster;
pub mod collector;
pub mod history;
pub mod http;
pub mod load;
pub mod member;
pub mod ports;
pub mod program;
pub mod requests;
pub mod restore;
pub mod users;
pub mod wait;

pub use client::Client;
pub use member::{Exit, Member, MemberBuilder};
