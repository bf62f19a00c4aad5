//! bbolt files, as etcd keeps and hands out its data.
//!
//! Enters: sorted entries, bucket after bucket ([`Writer`]), or an opened file ([`Reader`]). Leaves: a file that
//! bbolt opens, or the entries of one in order. Always holds: memory is bounded by the height of the tree and the
//! largest entry, never by the size of the file; a file from outside is believed in nothing, so a malformed one is
//! an error and not a panic.

mod format;
mod node;
mod page;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::{Bucket, Entries, ReadError, Reader};
pub use write::{WriteError, Writer};
