//! Rows of `system`: each of a known kind and of the form of its kind; users' roles exist.

use fjall::Readable;

use super::CheckReport;
use crate::mvcc::Rows;
use crate::pinned::Pinned;
use crate::schema::{
    alarm, attachment, attributes, auth, chunk, cleaned, complete, damaged, installed, lease, membership, state, tag,
};
use crate::{StoreFailure, View};

const SYSTEM: &str = "system";

pub(super) fn check(pinned: &Pinned, view: &View, report: &mut CheckReport) -> Result<(), StoreFailure> {
    for row in Rows::new(pinned.snapshot.iter(&pinned.engine.system)) {
        let (key, value) = row?;
        report.system_rows += 1;
        if let Err(why) = parse(&key, value, report) {
            report.damage(SYSTEM, &key, why.to_string());
        }
    }
    roles(view, report);
    Ok(())
}

fn parse(key: &[u8], value: bytes::Bytes, report: &mut CheckReport) -> Result<(), StoreFailure> {
    match *key.first().ok_or_else(|| damaged("system key", "it is empty"))? {
        tag::STATE => state::StateRow::parse(&value).map(drop),
        tag::CHUNK => chunk::parse_key(key).and_then(|_| chunk::parse_value(&value)).map(drop),
        tag::COMPLETE => complete::parse(&value).map(drop),
        tag::LEASE => lease::parse(key, &value).map(drop),
        tag::ATTACHMENT => attachment::parse_key(key).map(drop),
        tag::ALARM => alarm::parse_key(key).map(drop),
        tag::ATTRIBUTES => attributes::parse(key, value).map(drop),
        tag::VERSION => attributes::parse_version(value).map(drop),
        tag::DOWNGRADE => attributes::parse_downgrade(value).map(drop),
        tag::USER => {
            report.users += 1;
            auth::parse_user(key, value).map(drop)
        }
        tag::ROLE => {
            report.roles += 1;
            auth::parse_role(key, value).map(drop)
        }
        tag::AUTH => auth::parse_state(&value).map(drop),
        tag::MEMBERSHIP => membership::parse(&value).map(drop),
        tag::CLEANED => cleaned::parse(&value).map(drop),
        tag::INSTALLED => installed::parse(&value).map(drop),
        other => Err(damaged("system key", &format!("kind {other:#x} is not known"))),
    }
}

/// A role takes its name out of its users when it goes.
fn roles(view: &View, report: &mut CheckReport) {
    let auth = view.auth();
    for user in auth.users() {
        for role in &user.roles {
            if !auth.roles().any(|known| known.name == role.as_bytes()) {
                let why = format!("the user has the role {role:?}, which does not exist");
                report.damage(SYSTEM, &auth::user_key(&user.name), why);
            }
        }
    }
}
