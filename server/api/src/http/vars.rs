//! `/debug/vars`: what etcd's process tells about itself as JSON (etcdhttp/debug.go). `memstats` are Go's and missing;
//! what the kernel knows of the process's memory stands under `process`.

use axum::extract::State;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use taffrail_member::Member;

use crate::Api;
use crate::metrics::Process;

pub(super) async fn vars(State(api): State<Api>, method: Method) -> Response {
    if method != Method::GET {
        return super::probes::method_not_allowed();
    }
    let process = Process::read();
    let vars = json!({
        "cmdline": std::env::args().collect::<Vec<_>>(),
        "file_descriptor_limit": process.max_fds as u64,
        "process": {
            "resident_bytes": process.resident_bytes as u64,
            "virtual_bytes": process.virtual_bytes as u64,
            "threads": process.threads as u64,
            "open_fds": process.open_fds as u64,
        },
        "raft.status": raft_status(api.member()),
    });
    let text = serde_json::to_string_pretty(&vars).unwrap_or_default() + "\n";
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], text).into_response()
}

/// etcd's names; whom this member voted for is its log's secret.
fn raft_status(member: &Member) -> serde_json::Value {
    let progress = member.progress();
    let state = match (member.is_leader(), member.leader()) {
        (true, _) => "StateLeader",
        (false, Some(_)) => "StateFollower",
        (false, None) => "StateCandidate",
    };
    json!({
        "id": format!("{:x}", member.config().member_id),
        "term": progress.term,
        "commit": progress.committed_index,
        "lead": format!("{:x}", member.leader().unwrap_or(0)),
        "raftState": state,
        "applied": progress.applied_index,
    })
}
