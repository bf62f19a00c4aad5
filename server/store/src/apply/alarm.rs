//! Alarms: raised by members, kept until somebody takes them back.

use std::sync::Arc;

use bytes::Bytes;
use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::{AlarmMember, AlarmRequest, AlarmResponse, AlarmType};

use super::header;
use crate::mvcc::Writer;
use crate::schema::alarm;
use crate::{Answer, Response};

/// An unknown action does nothing and answers nothing.
pub(super) fn alarm(writer: &mut Writer, request: &AlarmRequest) -> Answer {
    let member = AlarmMember {
        member_id: request.member_id,
        alarm: request.alarm,
    };
    let none = request.alarm == AlarmType::None as i32;
    let alarms = match AlarmAction::try_from(request.action) {
        Ok(AlarmAction::Get) => active(writer, request.alarm),
        Ok(AlarmAction::Activate) if !none => vec![activate(writer, member)],
        Ok(AlarmAction::Deactivate) => deactivate(writer, member),
        _ => Vec::new(),
    };
    Ok(Response::Alarm(AlarmResponse {
        header: header(writer.state().revision),
        alarms,
    }))
}

/// Of one type, or all; whose they are does not matter.
fn active(writer: &Writer, wanted: i32) -> Vec<AlarmMember> {
    let all = wanted == AlarmType::None as i32;
    let alarms = writer
        .state()
        .facts
        .alarms
        .iter()
        .filter(|(_, alarm)| all || *alarm == wanted);
    alarms
        .map(|&(member_id, alarm)| AlarmMember { member_id, alarm })
        .collect()
}

fn activate(writer: &mut Writer, member: AlarmMember) -> AlarmMember {
    Arc::make_mut(&mut writer.state_mut().facts)
        .alarms
        .insert((member.member_id, member.alarm));
    writer.set_system(alarm::key(&member), Some(Bytes::new()));
    member
}

fn deactivate(writer: &mut Writer, member: AlarmMember) -> Vec<AlarmMember> {
    let alarms = &mut Arc::make_mut(&mut writer.state_mut().facts).alarms;
    if !alarms.remove(&(member.member_id, member.alarm)) {
        return Vec::new();
    }
    writer.set_system(alarm::key(&member), None);
    vec![member]
}
