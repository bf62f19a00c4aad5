//! What has to change in etcd for a user to be as its EtcdUser says.

use std::collections::BTreeSet;

use taffrail_crds::EtcdUser;

use super::content::{Content, Plan};
use super::declared::Declared;
use super::password::{self, Password};
use super::place::Place;
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
        let before = user.told().and_then(|status| status.password_hash.clone());
        let password_hash = match &found.password {
            Ok(password) => password.as_ref().map(|password| password.digest.clone()),
            Err(_) => before.clone(),
        };
        Plan {
            changes: changes(user, found, fresh),
            problem: problem(found),
            made: found.password.is_ok() || (found.roles.is_some() && !fresh),
            declared_anew: before != password_hash,
            password_hash,
        }
    }
}

fn changes(user: &EtcdUser, found: &Found, fresh: bool) -> Vec<AccessChange> {
    let delete = AccessChange::DeleteUser {
        name: user.name_in_etcd(),
    };
    match (&found.roles, &found.password) {
        (None, Err(_)) => Vec::new(),
        (None, Ok(password)) => anew(user, found, password.as_ref()),
        // Of what it was made of nothing is known: it may have another password, or none.
        (Some(_), Ok(password)) if fresh => {
            let anew = anew(user, found, password.as_ref());
            std::iter::once(delete).chain(anew).collect()
        }
        (Some(roles), password) => {
            let another = password.as_ref().ok().and_then(Option::as_ref);
            let another = another
                .filter(|_| !found.in_force)
                .map(|password| AccessChange::ChangePassword {
                    name: user.name_in_etcd(),
                    password: password.text.clone(),
                });
            let surplus = surplus(user, roles).into_iter();
            surplus.chain(another).chain(grants(user, found, Some(roles))).collect()
        }
    }
}

fn anew(user: &EtcdUser, found: &Found, password: Option<&Password>) -> Vec<AccessChange> {
    let add = AccessChange::AddUser {
        name: user.name_in_etcd(),
        password: password.map(|password| password.text.clone()),
    };
    std::iter::once(add).chain(grants(user, found, None)).collect()
}

fn grants(user: &EtcdUser, found: &Found, granted: Option<&BTreeSet<String>>) -> Vec<AccessChange> {
    let there = ungranted(user, granted).filter(|role| !found.absent.contains(role));
    let grant = |role| AccessChange::GrantRole {
        user: user.name_in_etcd(),
        role,
    };
    there.map(grant).collect()
}

/// The password's first: without it there may be no user.
fn problem(found: &Found) -> Option<Problem> {
    let absent = (!found.absent.is_empty()).then(|| role_missing(&found.absent));
    found.password.as_ref().err().cloned().or(absent)
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
