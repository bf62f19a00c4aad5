//! Users and roles change; what becomes of them is decided in [`crate::auth`].

use std::sync::Arc;

use taffrail_proto::etcdserverpb::{InternalAuthenticateRequest, InternalRaftRequest};

use super::{Outcome, guard};
use crate::auth::{Auth, Change, Decided};
use crate::mvcc::Writer;
use crate::schema::KEY_BYTES_MAX;
use crate::{Answer, ApplyError, Response};

/// `index` is the entry's own: who is given the token has to wait for it elsewhere.
pub(super) fn auth(writer: &mut Writer, request: InternalRaftRequest, index: u64) -> Outcome {
    let auth = &writer.state().facts.auth;
    if let Some(authenticate) = request.authenticate {
        return Ok(authenticated(auth, authenticate, index));
    }
    Ok(match decide(auth, &request) {
        Some(Ok(Some(change))) => set(writer, change),
        Some(Ok(None)) => Ok(Response::Auth),
        Some(Err(refused)) => Err(refused.into()),
        None => Err(guard::unknown(&request)),
    })
}

fn authenticated(auth: &Auth, request: InternalAuthenticateRequest, index: u64) -> Answer {
    auth.authenticate(&request)?;
    let InternalAuthenticateRequest {
        name: user,
        password: _,
        simple_token,
    } = request;
    Ok(Response::Authenticated {
        user,
        auth_revision: auth.revision(),
        simple_token,
        index,
    })
}

/// None if it is no such request.
#[rustfmt::skip]
fn decide(auth: &Auth, request: &InternalRaftRequest) -> Option<Decided> {
    type Raft = InternalRaftRequest;
    Some(match request {
        Raft { auth_enable: Some(_), .. } => auth.enable(),
        Raft { auth_disable: Some(_), .. } => auth.disable(),
        Raft { auth_user_add: Some(add), .. } => auth.add_user(add),
        Raft { auth_user_delete: Some(delete), .. } => auth.delete_user(&delete.name),
        Raft { auth_user_change_password: Some(change), .. } => auth.change_password(change),
        Raft { auth_user_grant_role: Some(grant), .. } => auth.grant_role(grant),
        Raft { auth_user_revoke_role: Some(revoke), .. } => auth.revoke_role(revoke),
        Raft { auth_role_add: Some(add), .. } => auth.add_role(&add.name),
        Raft { auth_role_delete: Some(delete), .. } => auth.delete_role(&delete.role),
        Raft { auth_role_grant_permission: Some(grant), .. } => auth.grant_permission(grant),
        Raft { auth_role_revoke_permission: Some(revoke), .. } => auth.revoke_permission(revoke),
        _ => return None,
    })
}

fn set(writer: &mut Writer, change: Change) -> Answer {
    let rows = change.rows();
    if rows.iter().any(|(key, _)| key.len() > KEY_BYTES_MAX) {
        return Err(ApplyError::Malformed(format!("name longer than {KEY_BYTES_MAX} bytes")));
    }
    for (key, value) in rows {
        writer.set_system(key, value);
    }
    let facts = Arc::make_mut(&mut writer.state_mut().facts);
    Arc::make_mut(&mut facts.auth).apply(change);
    Ok(Response::Auth)
}
