//! What members and the cluster say about themselves. Nothing here changes keys.

use std::sync::Arc;

use prost::Message;
use taffrail_proto::membershippb::{ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest};

use crate::mvcc::Writer;
use crate::schema::attributes;
use crate::state::Facts;
use crate::{Answer, Response};

pub(super) fn set_version(writer: &mut Writer, request: ClusterVersionSetRequest) -> Answer {
    writer.set_system(&attributes::VERSION_KEY[..], Some(request.ver.clone().into()));
    facts(writer).cluster_version = Some(request.ver);
    Ok(Response::Nothing)
}

pub(super) fn set(writer: &mut Writer, request: ClusterMemberAttrSetRequest) -> Answer {
    let mut attributes = request.member_attributes.unwrap_or_default();
    attributes.incarnation = incarnation(writer, request.member_id, attributes.incarnation);
    let key = attributes::key(request.member_id).to_vec();
    writer.set_system(key, Some(attributes.encode_to_vec().into()));
    facts(writer).attributes.insert(request.member_id, attributes);
    Ok(Response::Nothing)
}

/// The first one told stays: a member that comes back without what it had must not pass for the one it was.
fn incarnation(writer: &Writer, member: u64, told: u64) -> u64 {
    let known = writer.state().facts.attributes.get(&member);
    known
        .map(|known| known.incarnation)
        .filter(|known| *known != 0)
        .unwrap_or(told)
}

pub(super) fn set_downgrade(writer: &mut Writer, request: DowngradeInfoSetRequest) -> Answer {
    writer.set_system(&attributes::DOWNGRADE_KEY[..], Some(request.encode_to_vec().into()));
    facts(writer).downgrade = Some(request);
    Ok(Response::Nothing)
}

fn facts(writer: &mut Writer) -> &mut Facts {
    Arc::make_mut(&mut writer.state_mut().facts)
}
