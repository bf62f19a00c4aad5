//! Connections to one member.

use std::sync::Weak;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use taffrail_proto::taffrailpb::peer_client::PeerClient;
use tonic::transport::{Channel, Endpoint, Uri};

use super::book::PeerBook;

pub type Client = PeerClient<Channel>;

/// What one message may take: an entry is bounded by what the leader lets in, a batch by where the log is read.
pub const MESSAGE_BYTES_MAX: usize = 512 << 20;
/// What may be on the way unread on one line.
const WINDOW_BYTES: u32 = 16 << 20;

/// Connections to one member, apart so that a full one holds up no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    Entries,
    /// Heartbeats, votes, pings.
    Beat,
    Snapshot,
    /// Forwarded proposals, read indexes, questions.
    Talk,
}

/// How quickly a dead connection must be noticed.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub heartbeat: Duration,
    pub election: Duration,
}

/// A line that dials at its first use, and again whenever it has broken.
pub fn open(book: Weak<PeerBook>, id: u64, pace: Pace) -> Client {
    let connect = tower::service_fn(move |_: Uri| {
        let book = book.upgrade();
        async move {
            let book = book.ok_or_else(|| std::io::Error::other("the node has stopped"))?;
            book.dial(id).await.map(TokioIo::new)
        }
    });
    // The address is the connector's business; a request still needs one.
    let channel = Endpoint::from_static("http://peer")
        .connect_timeout(pace.election)
        .http2_keep_alive_interval(pace.election / 4)
        .keep_alive_timeout(pace.election * 3 / 4)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(2 * WINDOW_BYTES)
        .connect_with_connector_lazy(connect);
    PeerClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}
