//! What clients of several members may rely on: a file per promise.

mod promises;
mod serving;
