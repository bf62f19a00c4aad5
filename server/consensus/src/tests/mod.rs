//! The promises of a node, tried with a state that remembers.

mod cost;
mod fake;
mod node;
