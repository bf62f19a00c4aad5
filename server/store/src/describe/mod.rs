//! An entry of the log in words, for who looks at a stopped member.
//!
//! Enters: an encoded request. Leaves: its kind, who asked, and what, as names and texts. Always holds: passwords,
//! their hashes and tokens are not among them; keys and values are cut to a length that fits a line.

mod text;

use bytes::Bytes;
use prost::Message;
use taffrail_proto::etcdserverpb::InternalRaftRequest;
use taffrail_proto::membershippb::ClusterMemberAttrSetRequest;

use text::{bytes_text, id, operations, range};

/// A request in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    pub kind: &'static str,
    /// The user who asked; empty without access control.
    pub user: String,
    pub details: Vec<(&'static str, String)>,
    /// The member that tells its name, and the name.
    pub named: Option<(u64, String)>,
}

/// Describes what [`Content::Request`](crate::Content::Request) carries.
pub fn describe(request: &Bytes) -> Described {
    let Ok(request) = InternalRaftRequest::decode(request.clone()) else {
        return Described {
            kind: "malformed",
            details: vec![("bytes", request.len().to_string())],
            ..Described::default()
        };
    };
    let (kind, details) = data(&request)
        .or_else(|| leases(&request))
        .or_else(|| users(&request))
        .or_else(|| roles(&request))
        .or_else(|| cluster(&request))
        .unwrap_or(("other", vec![]));
    Described {
        kind,
        user: request.header.map(|header| header.username).unwrap_or_default(),
        details,
        named: request.cluster_member_attr_set.and_then(name),
    }
}

type Parts = Option<(&'static str, Vec<(&'static str, String)>)>;
type Raft = InternalRaftRequest;

fn data(request: &Raft) -> Parts {
    Some(match request {
        Raft { put: Some(put), .. } => {
            let mut details = vec![("key", bytes_text(&put.key)), ("value", bytes_text(&put.value))];
            details.extend((put.lease != 0).then(|| ("lease", id(put.lease as u64))));
            ("put", details)
        }
        Raft {
            delete_range: Some(delete),
            ..
        } => ("delete", range(&delete.key, &delete.range_end)),
        Raft { range: Some(read), .. } => ("range", range(&read.key, &read.range_end)),
        Raft { txn: Some(txn), .. } => (
            "txn",
            vec![
                ("compares", txn.compare.len().to_string()),
                ("success", operations(&txn.success)),
                ("failure", operations(&txn.failure)),
            ],
        ),
        Raft {
            compaction: Some(compaction),
            ..
        } => ("compaction", vec![("revision", compaction.revision.to_string())]),
        Raft { alarm: Some(alarm), .. } => (
            "alarm",
            vec![
                ("action", alarm.action().as_str_name().to_owned()),
                ("member", id(alarm.member_id)),
                ("alarm", alarm.alarm().as_str_name().to_owned()),
            ],
        ),
        _ => return None,
    })
}

fn leases(request: &Raft) -> Parts {
    Some(match request {
        Raft {
            lease_grant: Some(grant),
            ..
        } => (
            "lease-grant",
            vec![("lease", id(grant.id as u64)), ("ttl", grant.ttl.to_string())],
        ),
        Raft {
            lease_revoke: Some(revoke),
            ..
        } => ("lease-revoke", vec![("lease", id(revoke.id as u64))]),
        Raft {
            lease_checkpoint: Some(checkpoint),
            ..
        } => {
            let of_each = checkpoint.checkpoints.iter();
            let of_each = of_each.map(|one| format!("{}:{}", id(one.id as u64), one.remaining_ttl));
            let leases: Vec<_> = of_each.take(text::LIST_MAX).collect();
            (
                "lease-checkpoint",
                vec![
                    ("count", checkpoint.checkpoints.len().to_string()),
                    ("leases", leases.join(" ")),
                ],
            )
        }
        _ => return None,
    })
}

#[rustfmt::skip]
fn users(request: &Raft) -> Parts {
    let user = |name: &str| vec![("name", name.to_owned())];
    let with_role = |name: &str, role: &str| vec![("name", name.to_owned()), ("role", role.to_owned())];
    Some(match request {
        Raft { auth_enable: Some(_), .. } => ("auth-enable", vec![]),
        Raft { auth_disable: Some(_), .. } => ("auth-disable", vec![]),
        Raft { authenticate: Some(request), .. } => ("authenticate", user(&request.name)),
        Raft { auth_user_add: Some(request), .. } => ("user-add", user(&request.name)),
        Raft { auth_user_delete: Some(request), .. } => ("user-delete", user(&request.name)),
        Raft { auth_user_change_password: Some(request), .. } => ("user-password", user(&request.name)),
        Raft { auth_user_grant_role: Some(request), .. } => ("user-grant", with_role(&request.user, &request.role)),
        Raft { auth_user_revoke_role: Some(request), .. } => ("user-revoke", with_role(&request.name, &request.role)),
        _ => return None,
    })
}

#[rustfmt::skip]
fn roles(request: &Raft) -> Parts {
    let role = |name: &str| vec![("role", name.to_owned())];
    Some(match request {
        Raft { auth_role_add: Some(request), .. } => ("role-add", role(&request.name)),
        Raft { auth_role_delete: Some(request), .. } => ("role-delete", role(&request.role)),
        Raft { auth_role_grant_permission: Some(request), .. } => {
            let mut details = role(&request.name);
            if let Some(permission) = &request.perm {
                details.push(("permission", permission.perm_type().as_str_name().to_owned()));
                details.extend(range(&permission.key, &permission.range_end));
            }
            ("role-grant", details)
        }
        Raft { auth_role_revoke_permission: Some(request), .. } => {
            let mut details = role(&request.role);
            details.extend(range(&request.key, &request.range_end));
            ("role-revoke", details)
        }
        _ => return None,
    })
}

fn cluster(request: &Raft) -> Parts {
    Some(match request {
        Raft {
            cluster_version_set: Some(set),
            ..
        } => ("version", vec![("version", set.ver.clone())]),
        Raft {
            downgrade_info_set: Some(set),
            ..
        } => (
            "downgrade",
            vec![("enabled", set.enabled.to_string()), ("version", set.ver.clone())],
        ),
        Raft {
            cluster_member_attr_set: Some(set),
            ..
        } => {
            let attributes = set.member_attributes.clone().unwrap_or_default();
            (
                "attributes",
                vec![
                    ("member", id(set.member_id)),
                    ("name", attributes.name),
                    ("client-urls", attributes.client_urls.join(",")),
                ],
            )
        }
        _ => return None,
    })
}

fn name(set: ClusterMemberAttrSetRequest) -> Option<(u64, String)> {
    Some((set.member_id, set.member_attributes?.name))
}

#[cfg(test)]
mod tests;
