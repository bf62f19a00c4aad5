//! Backups and restores on a real Kubernetes, with a store of objects beside it.

mod faults;
mod large;
mod restores;
mod roll_back;
mod shelf;
