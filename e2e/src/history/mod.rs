//! What clients asked of a cluster and what they were told.
//!
//! Enters: requests before they are sent, answers and watch responses when they arrive. Leaves: a file of JSON
//! lines, and the same in memory for the checker. Always holds: times are microseconds of one monotonic clock, a
//! request is timed before it is sent and an answer after it arrived; every value is written by one request only.

mod key;
mod operation;
mod recorder;
pub mod show;
mod since;
mod table;
mod value;
mod watch;

pub use key::{Key, Span};
pub use operation::{
    Answer, Body, Compare, Delete, Operation, Outcome, Pair, Put, Range, Relation, Request, Step, Target, Txn,
};
pub use recorder::{Clock, History, Recorder};
pub use table::Table;
pub use value::{CORRUPT, bytes, parse};
pub use watch::{Event, Heard, News, Record, Watch};
