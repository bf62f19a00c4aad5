//! One cluster.

pub mod auth;
pub mod certificates;
