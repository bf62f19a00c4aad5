//! Parts of requests as text that fits a line.

use std::fmt::Write;

use taffrail_proto::etcdserverpb::RequestOp;
use taffrail_proto::etcdserverpb::request_op::Request;

/// Of a key or a value so much is shown.
const SHOWN_BYTES_MAX: usize = 64;
/// Of a list so many.
pub const LIST_MAX: usize = 16;

/// Printable bytes as they are, others escaped, and how many there are in all if some are left out.
pub fn bytes_text(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    let mut text = format!("\"{}\"", shown.escape_ascii());
    if bytes.len() > SHOWN_BYTES_MAX {
        // A string takes whatever is written to it.
        let _ = write!(text, "... {} bytes", bytes.len());
    }
    text
}

/// Ids as etcd's tools write them.
pub fn id(id: u64) -> String {
    format!("{id:x}")
}

pub fn range(key: &[u8], end: &[u8]) -> Vec<(&'static str, String)> {
    let mut details = vec![("key", bytes_text(key))];
    match end {
        [] => {}
        [0] => details.push(("range-end", "none".to_owned())),
        end => details.push(("range-end", bytes_text(end))),
    }
    details
}

/// The operations of one branch of a transaction.
pub fn operations(operations: &[RequestOp]) -> String {
    let mut texts: Vec<String> = operations.iter().take(LIST_MAX).map(operation).collect();
    if operations.len() > LIST_MAX {
        texts.push(format!("... {} in all", operations.len()));
    }
    format!("[{}]", texts.join("; "))
}

fn operation(operation: &RequestOp) -> String {
    let joined = |kind: &str, parts: Vec<(&str, String)>| {
        let parts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
        format!("{kind} {}", parts.join(" "))
    };
    match &operation.request {
        Some(Request::RequestRange(read)) => joined("range", range(&read.key, &read.range_end)),
        Some(Request::RequestPut(put)) => format!("put {} {}", bytes_text(&put.key), bytes_text(&put.value)),
        Some(Request::RequestDeleteRange(delete)) => joined("delete", range(&delete.key, &delete.range_end)),
        Some(Request::RequestTxn(txn)) => format!(
            "txn {} {}",
            self::operations(&txn.success),
            self::operations(&txn.failure)
        ),
        None => "nothing".to_owned(),
    }
}
