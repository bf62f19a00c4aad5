//! The promises of a node, tried with a state that remembers.

mod cluster;
mod cost;
mod fake;
mod node;
