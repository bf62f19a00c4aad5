//! The response header, filled in one place.

use taffrail_proto::etcdserverpb as pb;
use tonic::{Response, Status};

use crate::Api;

/// Responses that say who answered.
pub(crate) trait Headed {
    fn header_mut(&mut self) -> &mut Option<pb::ResponseHeader>;
}

macro_rules! headed {
    ($($response:ident),* $(,)?) => {
        $(impl Headed for pb::$response {
            fn header_mut(&mut self) -> &mut Option<pb::ResponseHeader> {
                &mut self.header
            }
        })*
    };
}

headed!(
    RangeResponse,
    PutResponse,
    DeleteRangeResponse,
    TxnResponse,
    CompactionResponse,
    LeaseGrantResponse,
    LeaseRevokeResponse,
    LeaseLeasesResponse,
    AlarmResponse,
);

impl Api {
    pub(crate) fn header(&self, revision: i64) -> pb::ResponseHeader {
        let config = self.member().config();
        pb::ResponseHeader {
            cluster_id: config.cluster_id,
            member_id: config.member_id,
            revision,
            raft_term: self.member().progress().term,
        }
    }

    /// A header with the store's own revision.
    pub(crate) fn current_header(&self) -> pb::ResponseHeader {
        self.header(self.member().view().revision())
    }

    /// Completes the header, whose revision the store has set, and sends the response.
    pub(crate) fn respond<T: Headed>(&self, mut response: T) -> Result<Response<T>, Status> {
        let header = response.header_mut();
        let revision = header.as_ref().map_or(0, |header| header.revision);
        *header = Some(self.header(revision));
        Ok(Response::new(response))
    }
}
