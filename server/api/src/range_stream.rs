//! KV.RangeStream, which etcd has since 3.7: one range in pieces, all of one revision.
//!
//! A piece is an ordinary range of this member, asked for when the client has taken the one before. So nothing is
//! held for a client that is slow, and a compaction that overtakes it ends the stream.

use futures::Stream;
use prost::Message;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use tonic::Status;

use crate::errand::Errand;
use crate::status::{NO_CUSTOM_ORDER, NO_REVISION_FILTERS, Refusal};

/// etcd's first guess (v3_server.go).
const FIRST_PIECE_KEYS: i64 = 10;
/// However small keys and values are.
const PIECE_KEYS_MAX: i64 = 10_000;

/// The first release that has it.
pub(crate) const SINCE: &str = "3.7";

/// Only what comes in the order of keys can come in pieces.
pub(crate) fn check(request: &pb::RangeRequest) -> Result<(), Refusal> {
    let by_key = request.sort_target() == SortTarget::Key && request.sort_order() == SortOrder::Ascend;
    if request.sort_order() != SortOrder::None && !by_key {
        return Err(NO_CUSTOM_ORDER);
    }
    let bounds = [
        request.min_mod_revision,
        request.max_mod_revision,
        request.min_create_revision,
        request.max_create_revision,
    ];
    if bounds.iter().any(|bound| *bound != 0) {
        return Err(NO_REVISION_FILTERS);
    }
    Ok(())
}

/// `request` has been checked; pieces have about `piece_bytes`.
pub(crate) fn pieces(
    errand: Errand,
    request: pb::RangeRequest,
    piece_bytes: usize,
) -> impl Stream<Item = Result<pb::RangeStreamResponse, Status>> {
    let pieces = Pieces {
        errand,
        limit: request.limit,
        request,
        piece_bytes,
        piece_keys: FIRST_PIECE_KEYS,
        sent_keys: 0,
        header: None,
    };
    futures::stream::unfold(Some(pieces), |pieces| async {
        let mut pieces = pieces?;
        match pieces.next().await {
            Ok(Piece::Last(response)) => Some((Ok(wrap(response)), None)),
            Ok(Piece::More(response)) => Some((Ok(wrap(response)), Some(pieces))),
            Err(status) => Some((Err(status), None)),
        }
    })
}

fn wrap(response: pb::RangeResponse) -> pb::RangeStreamResponse {
    pb::RangeStreamResponse {
        range_response: Some(response),
    }
}

struct Pieces {
    errand: Errand,
    /// What is left of it.
    request: pb::RangeRequest,
    /// Keys the client wants; 0 is all.
    limit: i64,
    piece_bytes: usize,
    piece_keys: i64,
    sent_keys: i64,
    /// Of the first piece: the stream tells the state from which it started.
    header: Option<pb::ResponseHeader>,
}

enum Piece {
    More(pb::RangeResponse),
    Last(pb::RangeResponse),
}

impl Pieces {
    async fn next(&mut self) -> Result<Piece, Status> {
        self.request.limit = self.wanted_keys();
        let found = self.errand.range(self.request.clone()).await?;
        let count = self.sent_keys + found.count;
        self.sent_keys += found.kvs.len() as i64;
        let header = *self.header.get_or_insert(found.header.unwrap_or_default());
        let end = found.kvs.last().filter(|_| found.more && !self.is_enough());
        let Some(last) = end.map(|kv| kv.key.clone()) else {
            return Ok(Piece::Last(pb::RangeResponse {
                header: Some(header),
                count,
                ..found
            }));
        };
        self.go_on_behind(&last, header.revision);
        self.adapt(found.encoded_len());
        Ok(Piece::More(pb::RangeResponse {
            kvs: found.kvs,
            ..Default::default()
        }))
    }

    fn wanted_keys(&self) -> i64 {
        if self.limit > 0 {
            self.piece_keys.min(self.limit - self.sent_keys)
        } else {
            self.piece_keys
        }
    }

    fn is_enough(&self) -> bool {
        self.limit > 0 && self.sent_keys >= self.limit
    }

    /// What is pinned by its revision has been waited for already.
    fn go_on_behind(&mut self, last: &[u8], newest: i64) {
        self.request.key = [last, b"\0"].concat().into();
        self.request.serializable = true;
        if self.request.revision <= 0 {
            self.request.revision = newest;
        }
    }

    fn adapt(&mut self, bytes: usize) {
        if bytes < self.piece_bytes / 2 {
            self.piece_keys = (self.piece_keys * 2).min(PIECE_KEYS_MAX);
        } else if bytes > self.piece_bytes * 2 {
            self.piece_keys = (self.piece_keys / 2).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_order_of_keys_can_be_streamed() {
        let sorted = |order: SortOrder, target: SortTarget| {
            check(&pb::RangeRequest {
                sort_order: order.into(),
                sort_target: target.into(),
                ..Default::default()
            })
        };
        assert!(sorted(SortOrder::None, SortTarget::Mod).is_ok());
        assert!(sorted(SortOrder::Ascend, SortTarget::Key).is_ok());
        assert_eq!(sorted(SortOrder::Descend, SortTarget::Key), Err(NO_CUSTOM_ORDER));
        assert_eq!(sorted(SortOrder::Ascend, SortTarget::Mod), Err(NO_CUSTOM_ORDER));
        let filtered = pb::RangeRequest {
            min_mod_revision: 1,
            ..Default::default()
        };
        assert_eq!(check(&filtered), Err(NO_REVISION_FILTERS));
    }
}
