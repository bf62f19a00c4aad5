//! All members hold the same data.

use std::collections::HashMap;

use super::report::{Law, Report};
use crate::history::{Body, History, Operation, Request};

pub fn check(history: &History, report: &mut Report) {
    let mut hashes: HashMap<(i64, i64), (u32, &Operation)> = HashMap::new();
    for operation in &history.operations {
        let Request::Hash { revision } = operation.request else {
            continue;
        };
        let Some(Body::Hash { hash, compacted }) = operation.answer().map(|answer| &answer.body) else {
            continue;
        };
        let (first, by) = hashes.entry((revision, *compacted)).or_insert((*hash, operation));
        if first != hash {
            report.add(
                Law::MembersAgree,
                format!("different data at revision {revision}: {by} and {operation}"),
            );
        }
    }
    report.figure("hashes", hashes.len() as u64);
}
