//! What the entry's caller may do at the moment at which it is applied: since it was proposed, users and roles may
//! have changed.

use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::{AlarmRequest, InternalRaftRequest};

use super::lease;
use crate::auth::{Auth, AuthError, Caller, Guard, PermitError, Permitted};
use crate::mvcc::Writer;
use crate::{ApplyError, StoreFailure};

/// The last of the guards: a corrupt or full cluster says so to everybody.
pub(super) fn check(writer: &Writer, request: &InternalRaftRequest) -> Result<Result<(), ApplyError>, StoreFailure> {
    let auth = &writer.state().facts.auth;
    if !auth.enabled() {
        return Ok(Ok(()));
    }
    match permit(writer, auth, &caller(request), request) {
        Ok(()) => Ok(Ok(())),
        Err(PermitError::Auth(refused)) => Ok(Err(refused.into())),
        Err(PermitError::Failure(why)) => Err(why),
    }
}

fn caller(request: &InternalRaftRequest) -> Caller {
    request.header.as_ref().map_or_else(Caller::default, |header| Caller {
        user: header.username.clone(),
        auth_revision: header.auth_revision,
    })
}

/// Each kind of request has its line here: one that has none does not compile.
fn permit(writer: &Writer, auth: &Auth, caller: &Caller, request: &InternalRaftRequest) -> Permitted {
    let guard = || Ok::<_, AuthError>(Guard::new(auth.access(caller)?, |id| lease::attached(writer, id)));
    let InternalRaftRequest {
        header: _,
        id: _,
        put,
        delete_range,
        txn,
        compaction,
        lease_grant,
        lease_revoke,
        alarm,
        auth_enable,
        auth_disable,
        auth_user_add,
        auth_user_delete,
        auth_user_change_password,
        auth_user_grant_role,
        auth_user_revoke_role,
        auth_role_add,
        auth_role_delete,
        auth_role_grant_permission,
        auth_role_revoke_permission,
        // Whoever comes to say who it is cannot be known yet.
        authenticate: _,
        // Members speak here, about themselves.
        lease_checkpoint: _,
        cluster_version_set: _,
        cluster_member_attr_set: _,
        downgrade_info_set: _,
        downgrade_version_test: _,
        // Questions, which the log does not answer.
        range: _,
        auth_status: _,
        auth_user_get: _,
        auth_user_list: _,
        auth_role_get: _,
        auth_role_list: _,
    } = request;
    if let Some(put) = put {
        return guard()?.put(put);
    }
    if let Some(delete) = delete_range {
        return guard()?.delete_range(delete);
    }
    if let Some(txn) = txn {
        return guard()?.txn(txn);
    }
    if let Some(revoke) = lease_revoke {
        return permit_revoke(auth, caller, || guard()?.lease(revoke.id, true));
    }
    if lease_grant.is_some() || alarm.as_ref().is_some_and(only_asks) {
        return Ok(auth.permit_user(caller)?);
    }
    if compaction.is_some() || alarm.is_some() {
        return permit_upkeep(auth, caller);
    }
    let changes_auth = auth_enable.is_some()
        || auth_disable.is_some()
        || auth_user_add.is_some()
        || auth_user_delete.is_some()
        || auth_user_change_password.is_some()
        || auth_user_grant_role.is_some()
        || auth_user_revoke_role.is_some()
        || auth_role_add.is_some()
        || auth_role_delete.is_some()
        || auth_role_grant_permission.is_some()
        || auth_role_revoke_permission.is_some();
    if changes_auth {
        auth.permit_admin(caller)?;
    }
    Ok(())
}

/// An administrator may at any auth revision: so does the member that revokes what has expired, in the name of root.
fn permit_revoke(auth: &Auth, caller: &Caller, every_key: impl FnOnce() -> Permitted) -> Permitted {
    match auth.permit_admin(caller) {
        Ok(()) => Ok(()),
        Err(_) => every_key(),
    }
}

fn only_asks(alarm: &AlarmRequest) -> bool {
    alarm.action == AlarmAction::Get as i32
}

/// Members compact and raise alarms on their own account, which is nobody's; clients get so far only by name.
fn permit_upkeep(auth: &Auth, caller: &Caller) -> Permitted {
    if caller.is_nobody() {
        return Ok(());
    }
    Ok(auth.permit_admin(caller)?)
}
