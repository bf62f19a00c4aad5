//! What has to change in etcd for a user to be as its EtcdUser says.

use std::collections::BTreeSet;

use taffrail_crds::EtcdUser;

use super::declared::Declared;
use super::password::{self, Password};
use super::place::Place;
use super::reconcile::{Content, Plan};
use crate::cluster::Error;
use crate::context::Context;
use crate::etcd::AccessChange;
use crate::problem::Problem;

/// A user as etcd has it, and what it should have.
#[derive(Clone)]
pub struct Found {
    /// None if there is no such user.
    pub roles: Option<BTreeSet<String>>,
    /// Roles that are declared and that etcd does not have.
    pub absent: BTreeSet<String>,
    /// None for a user that comes with a certificate.
    pub password: Result<Option<Password>, Problem>,
    /// etcd has the password already.
    pub in_force: bool,
}

impl Content for EtcdUser {
    type Found = Found;

    async fn is_there(context: &Context, place: &Place, name: &str) -> Result<bool, Error> {
        Ok(context.etcd.user(&place.access, &place.through, name).await?.is_some())
    }

    async fn read(context: &Context, place: &Place, user: &Self) -> Result<Found, Error> {
        let name = user.name_in_etcd();
        let password = password::read(context, user).await?;
        let roles = context.etcd.user(&place.access, &place.through, &name).await?;
        let mut absent = BTreeSet::new();
        for role in ungranted(user, roles.as_ref()) {
            if context.etcd.role(&place.access, &place.through, &role).await?.is_none() {
                absent.insert(role);
            }
        }
        let in_force = match &password {
            Ok(Some(password)) => is_in_force(context, place, user, password, roles.is_some()).await?,
            _ => true,
        };
        Ok(Found {
            roles,
            absent,
            password,
            in_force,
        })
    }

    fn plan(user: &Self, found: &Found, fresh: bool) -> Plan {
        let name = user.name_in_etcd();
        let before = user.told().and_then(|status| status.password_hash.clone());
        let (password, hash, mut problem) = match &found.password {
            Ok(Some(password)) => (Some(Some(password.text.clone())), Some(password.digest.clone()), None),
            Ok(None) => (Some(None), None, None),
            Err(problem) => (None, before, Some(problem.clone())),
        };
        let (mut changes, mut made) = (Vec::new(), true);
        let granted = match (&found.roles, password) {
            // Of what it was made of nothing is known: it may have another password, or none.
            (Some(_), Some(password)) if fresh => {
                changes.push(AccessChange::DeleteUser { name: name.clone() });
                changes.push(AccessChange::AddUser {
                    name: name.clone(),
                    password,
                });
                Some(BTreeSet::new())
            }
            (Some(roles), password) => {
                made = !fresh;
                changes.extend(surplus(user, roles));
                if let (Some(Some(password)), false) = (password, found.in_force) {
                    let name = name.clone();
                    changes.push(AccessChange::ChangePassword { name, password });
                }
                Some(roles.clone())
            }
            (None, Some(password)) => {
                changes.push(AccessChange::AddUser {
                    name: name.clone(),
                    password,
                });
                Some(BTreeSet::new())
            }
            (None, None) => None,
        };
        made &= granted.is_some();
        if let Some(granted) = granted {
            let roles = ungranted(user, Some(&granted)).filter(|role| !found.absent.contains(role));
            let user = &name;
            changes.extend(roles.map(|role| AccessChange::GrantRole {
                user: user.clone(),
                role,
            }));
        }
        if problem.is_none() && !found.absent.is_empty() {
            problem = Some(role_missing(&found.absent));
        }
        let anew = user.told().is_some_and(|status| status.password_hash != hash);
        Plan {
            changes,
            problem,
            made,
            password_hash: hash,
            declared_anew: anew,
        }
    }
}

/// A Secret that was written anew may hold the same password: then nothing changes, and nobody has to log in again.
async fn is_in_force(
    context: &Context,
    place: &Place,
    user: &EtcdUser,
    password: &Password,
    there: bool,
) -> Result<bool, Error> {
    let before = user.told().and_then(|status| status.password_hash.as_ref());
    if !there || before == Some(&password.digest) {
        return Ok(there);
    }
    if !place.auth {
        return Ok(false);
    }
    let name = user.name_in_etcd();
    let taken = context
        .etcd
        .authenticates(&place.access, &place.through, &name, &password.text);
    // Whatever else it says, it has not taken it.
    Ok(taken.await.unwrap_or(false))
}

fn ungranted(user: &EtcdUser, granted: Option<&BTreeSet<String>>) -> impl Iterator<Item = String> {
    let has = |role: &String| granted.is_some_and(|granted| granted.contains(role));
    let lacking: BTreeSet<String> = user.spec.roles.iter().filter(|role| !has(role)).cloned().collect();
    lacking.into_iter()
}

fn surplus(user: &EtcdUser, granted: &BTreeSet<String>) -> Vec<AccessChange> {
    let revoke = |role: &String| AccessChange::RevokeRole {
        user: user.name_in_etcd(),
        role: role.clone(),
    };
    let surplus = granted.iter().filter(|role| !user.spec.roles.contains(role));
    surplus.map(revoke).collect()
}

fn role_missing(absent: &BTreeSet<String>) -> Problem {
    let names: Vec<&str> = absent.iter().map(String::as_str).collect();
    let message = format!("etcd has no role {}: it is granted once it is there", names.join(", "));
    Problem::new("RoleMissing", message)
}
