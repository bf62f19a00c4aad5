//! What the members say themselves.

use futures::future::join_all;
use taffrail_crds::{EtcdCluster, MemberSummary};
use taffrail_proto::etcdserverpb::{StatusRequest, StatusResponse};

use super::glance::{Glance, Live};
use crate::failure::Failure;
use crate::member::{Keys, connect, said};
use crate::session::Session;

/// All at once. One that does not answer is shown with the reason.
///
/// # Errors
/// If the certificates cannot be had.
pub async fn ask(
    session: &Session,
    cluster: &EtcdCluster,
    glance: &mut Glance,
    secret: Option<&str>,
) -> Result<(), Failure> {
    let keys = Keys::read(session, cluster, secret).await?;
    let each = glance
        .members
        .iter()
        .map(|member| status(session, &member.seen, keys.as_ref()));
    let answers = join_all(each).await;
    for (member, answer) in glance.members.iter_mut().zip(answers) {
        member.live = Some(answer.map_or_else(unreached, heard));
    }
    let alarms = glance
        .members
        .iter()
        .flat_map(|member| member.live.iter().flat_map(|live| &live.errors));
    let alarms: Vec<_> = alarms.filter_map(|error| alarm(error)).collect();
    glance.alarms.extend(alarms);
    glance.alarms.sort();
    glance.alarms.dedup();
    Ok(())
}

async fn status(session: &Session, member: &MemberSummary, keys: Option<&Keys>) -> Result<StatusResponse, Failure> {
    let mut client = connect(session, member, keys).await?;
    let answer = client.status(StatusRequest {}).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|refused| said(&member.name, &refused))
}

fn unreached(why: Failure) -> Live {
    Live {
        unreached: Some(why.to_string()),
        ..Live::default()
    }
}

fn heard(status: StatusResponse) -> Live {
    let header = status.header.unwrap_or_default();
    Live {
        revision: header.revision,
        db_size_bytes: status.db_size,
        db_size_in_use_bytes: status.db_size_in_use,
        raft_term: status.raft_term,
        raft_index: status.raft_index,
        raft_applied_index: status.raft_applied_index,
        leads: status.leader == header.member_id,
        errors: status.errors,
        unreached: None,
    }
}

/// etcd tells alarms among its errors: `memberID:10276657743932975437 alarm:NOSPACE`.
fn alarm(error: &str) -> Option<String> {
    let (_, name) = error.split_once("alarm:")?;
    name.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_found_among_errors() {
        assert_eq!(alarm("memberID:1 alarm:NOSPACE ").as_deref(), Some("NOSPACE"));
        assert_eq!(alarm("etcdserver: no leader"), None);
    }
}
