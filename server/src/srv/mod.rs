//! Members by the SRV records of a domain.
//!
//! Enters: a domain. Leaves: `name=url` pairs of the first members, or endpoints for clients. Always holds: this
//! member's own record is known by the address it leads to, not by its name (etcd client/pkg/srv).

mod clients;
mod members;
mod message;
mod resolver;

pub use clients::{Clients, Endpoint};
pub use members::members;
