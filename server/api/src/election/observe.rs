//! Election.Observe: whoever leads now, then each change.

use futures::Stream;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::mvccpb::KeyValue;
use taffrail_proto::mvccpb::event::EventType;
use taffrail_proto::v3electionpb::LeaderResponse;
use tonic::Status;

use crate::errand::{Errand, Events};
use crate::queue::Line;
use crate::status;

/// Ends with an error, if at all.
pub(super) fn leaders(errand: Errand, line: Line) -> impl Stream<Item = Result<LeaderResponse, Status>> {
    let observer = Observer {
        errand,
        line,
        following: Following::Nobody,
    };
    futures::stream::unfold(Some(observer), |observer| async {
        let mut observer = observer?;
        match observer.next().await.map_err(status::as_unknown) {
            Ok(response) => Some((Ok(response), Some(observer))),
            Err(status) => Some((Err(status), None)),
        }
    })
}

/// Follows an election from leader to leader.
struct Observer {
    errand: Errand,
    line: Line,
    following: Following,
}

enum Following {
    Nobody,
    /// Nobody leads: whoever comes first will.
    Anybody(Events),
    /// What the leader says next, until its key is deleted.
    Leader(Events),
}

impl Observer {
    async fn next(&mut self) -> Result<LeaderResponse, Status> {
        loop {
            let (events, anybody) = match &mut self.following {
                Following::Nobody => match self.look().await? {
                    Some(response) => return Ok(response),
                    None => continue,
                },
                Following::Anybody(events) => (events, true),
                Following::Leader(events) => (events, false),
            };
            let Some(heard) = events.next().await? else {
                self.following = Following::Nobody;
                continue;
            };
            match (heard.event.r#type(), heard.event.kv) {
                (EventType::Put, Some(kv)) if anybody => return self.first(heard.header, kv).await,
                (EventType::Put, kv) => {
                    return Ok(LeaderResponse {
                        header: heard.header,
                        kv,
                    });
                }
                (EventType::Delete, _) => self.following = Following::Nobody,
            }
        }
    }

    /// Who leads now; if nobody does, whoever comes is waited for.
    async fn look(&mut self) -> Result<Option<LeaderResponse>, Status> {
        let answer = self.errand.range(self.line.first()).await?;
        let since = answer.header.as_ref().map_or(0, |header| header.revision) + 1;
        let Some(kv) = answer.kvs.into_iter().next() else {
            self.following = Following::Anybody(self.errand.watch(vec![self.line.watch(since)]).await?);
            return Ok(None);
        };
        self.follow(&kv, since).await?;
        Ok(Some(LeaderResponse {
            header: answer.header,
            kv: Some(kv),
        }))
    }

    /// The first to come after nobody led. The header tells its revision: others may have come since.
    async fn first(&mut self, header: Option<pb::ResponseHeader>, kv: KeyValue) -> Result<LeaderResponse, Status> {
        self.follow(&kv, kv.mod_revision + 1).await?;
        let header = header.map(|header| pb::ResponseHeader {
            revision: kv.mod_revision,
            ..header
        });
        Ok(LeaderResponse { header, kv: Some(kv) })
    }

    async fn follow(&mut self, kv: &KeyValue, since: i64) -> Result<(), Status> {
        let watch = pb::WatchCreateRequest {
            key: kv.key.clone(),
            start_revision: since,
            ..Default::default()
        };
        self.following = Following::Leader(self.errand.watch(vec![watch]).await?);
        Ok(())
    }
}
