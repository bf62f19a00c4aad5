//! Backups and restores on a real Kubernetes, with a store of objects beside it.

mod deaths;
mod faults;
mod large;
mod peak;
mod restores;
mod roll_back;
mod shelf;
