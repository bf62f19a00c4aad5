//! What clients of several members may rely on: a file per promise.

mod changes;
mod joining;
mod learner;
mod leaving;
mod promises;
mod serving;
