//! The hash of what another member holds.

use taffrail_proto::etcdserverpb::{HashKvRequest, HashKvResponse, ResponseHeader};
use taffrail_proto::taffrailpb::question::Question as Asked;
use taffrail_proto::taffrailpb::reply::Reply as Told;
use taffrail_store::HashKv;

use super::{Unanswered, refusal};
use crate::{Member, ReadError};

impl Member {
    /// Reads everything, away from the async workers.
    pub(super) async fn answer_hash(&self, asked: HashKvRequest) -> Result<HashKvResponse, ReadError> {
        let (revision, found) = self.hash_kv(asked.revision).await?;
        let header = ResponseHeader {
            revision,
            ..Default::default()
        };
        Ok(HashKvResponse {
            header: Some(header),
            hash: found.hash,
            compact_revision: found.compact_revision,
            hash_revision: found.hash_revision,
        })
    }

    /// Where the other member is, and its hash up to `revision`.
    pub(crate) async fn ask_hash(&self, member: u64, revision: i64) -> Result<(i64, HashKv), Unanswered> {
        let asked = Asked::HashKv(HashKvRequest { revision });
        match self.ask(member, asked, self.config().request_timeout).await? {
            Told::HashKv(told) => Ok(from_wire(&told)),
            _ => Err(Unanswered::Refused(refusal::not_understood())),
        }
    }
}

fn from_wire(told: &HashKvResponse) -> (i64, HashKv) {
    let revision = told.header.as_ref().map_or(0, |header| header.revision);
    let hash = HashKv {
        hash: told.hash,
        compact_revision: told.compact_revision,
        hash_revision: told.hash_revision,
    };
    (revision, hash)
}
