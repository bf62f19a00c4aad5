//! What is looked at and decided on its own way for users and for roles.

use std::future::Future;

use super::declared::Declared;
use super::place::Place;
use crate::cluster::Error;
use crate::context::Context;
use crate::etcd::AccessChange;
use crate::problem::Problem;

/// What etcd has of a kind, and how it comes to what is declared.
pub trait Content: Declared {
    /// What etcd has.
    type Found: Send + Sync;

    fn is_there(context: &Context, place: &Place, name: &str) -> impl Future<Output = Result<bool, Error>> + Send;
    fn read(context: &Context, place: &Place, object: &Self)
    -> impl Future<Output = Result<Self::Found, Error>> + Send;
    /// Pure. `fresh`: it was never made in this etcd, as far as is known.
    fn plan(object: &Self, found: &Self::Found, fresh: bool) -> Plan;
}

/// What is done, and what is true afterwards.
#[derive(Default)]
pub struct Plan {
    pub changes: Vec<AccessChange>,
    /// What keeps it from being as declared even then.
    pub problem: Option<Problem>,
    /// It is in etcd afterwards, and is what the object says it is.
    pub made: bool,
    pub password_hash: Option<String>,
    /// The Secret is another than before: what changes is no drift.
    pub declared_anew: bool,
}
