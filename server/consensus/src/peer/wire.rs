//! Between openraft's messages and those on the wire.

use openraft::impls::leader_id_std::LeaderId;
use openraft::raft::{AppendEntriesRequest, StreamAppendError, TransferLeaderRequest, VoteRequest, VoteResponse};
use taffrail_proto::taffrailpb as pb;
use taffrail_store::{Content, Entry, Position};
use tonic::Status;

use crate::storage::{from_raft, into_raft};
use crate::types::{LogId, TypeConfig, Vote, log_id, position, position_or_none};

type AppendResult = Result<Option<LogId>, StreamAppendError<TypeConfig>>;

pub fn vote(vote: &Vote) -> pb::Vote {
    let leader = vote.leader_id();
    pb::Vote {
        term: leader.term,
        voted_for: leader.voted_for,
        committed: vote.is_committed(),
    }
}

pub fn read_vote(vote: Option<pb::Vote>) -> Result<Vote, Status> {
    let pb::Vote {
        term,
        voted_for,
        committed,
    } = vote.ok_or_else(|| missing("vote"))?;
    Ok(Vote {
        leader_id: LeaderId { term, voted_for },
        committed,
    })
}

pub fn place(position: Position) -> pb::Position {
    pb::Position {
        term: position.term,
        index: position.index,
    }
}

pub fn read_place(position: Option<pb::Position>) -> Position {
    position.map_or_else(Position::default, |pb::Position { term, index }| Position {
        term,
        index,
    })
}

pub fn log_place(id: Option<&LogId>) -> pb::Position {
    place(position_or_none(id))
}

pub fn read_log_place(position: Option<pb::Position>) -> Option<LogId> {
    log_id(read_place(position))
}

pub fn append(request: AppendEntriesRequest<TypeConfig>) -> Result<pb::AppendRequest, std::io::Error> {
    let entries = request.entries.into_iter().map(|entry| from_raft(entry).map(into_wire));
    Ok(pb::AppendRequest {
        vote: Some(vote(&request.vote)),
        previous: Some(log_place(request.prev_log_id.as_ref())),
        committed: Some(log_place(request.leader_commit.as_ref())),
        entries: entries.collect::<Result<_, _>>()?,
    })
}

fn into_wire(entry: Entry) -> pb::Entry {
    let (kind, content) = match entry.content {
        Content::Blank => (pb::entry::Kind::Blank, bytes::Bytes::new()),
        Content::Request(bytes) => (pb::entry::Kind::Request, bytes),
        Content::Membership(bytes) => (pb::entry::Kind::Membership, bytes),
    };
    pb::Entry {
        term: entry.position.term,
        kind: kind.into(),
        content,
    }
}

pub fn read_append(request: pb::AppendRequest) -> Result<AppendEntriesRequest<TypeConfig>, Status> {
    let previous = read_place(request.previous);
    let mut index = previous.index;
    let mut entries = Vec::with_capacity(request.entries.len());
    for entry in request.entries {
        index += 1;
        entries.push(read_entry(entry, index)?);
    }
    Ok(AppendEntriesRequest {
        vote: read_vote(request.vote)?,
        prev_log_id: log_id(previous),
        leader_commit: read_log_place(request.committed),
        entries,
    })
}

fn read_entry(entry: pb::Entry, index: u64) -> Result<crate::types::RaftEntry, Status> {
    let position = Position {
        term: entry.term,
        index,
    };
    let content = match pb::entry::Kind::try_from(entry.kind) {
        Ok(pb::entry::Kind::Blank) => Content::Blank,
        Ok(pb::entry::Kind::Request) => Content::Request(entry.content),
        Ok(pb::entry::Kind::Membership) => Content::Membership(entry.content),
        Err(_) => {
            return Err(Status::invalid_argument(
                "an entry of a kind that this version does not know",
            ));
        }
    };
    into_raft(Entry { position, content }).map_err(|error| Status::invalid_argument(error.to_string()))
}

pub fn append_result(result: AppendResult) -> pb::AppendReply {
    use pb::append_reply::Result as Reply;
    let reply = match result {
        Ok(matched) => Reply::Matched(log_place(matched.as_ref())),
        Err(StreamAppendError::Conflict(at)) => Reply::Conflict(place(position(&at))),
        Err(StreamAppendError::HigherVote(higher)) => Reply::Higher(vote(&higher)),
    };
    pb::AppendReply { result: Some(reply) }
}

pub fn read_append_result(reply: pb::AppendReply) -> Result<AppendResult, Status> {
    use pb::append_reply::Result as Reply;
    match reply.result {
        Some(Reply::Matched(matched)) => Ok(Ok(read_log_place(Some(matched)))),
        Some(Reply::Conflict(at)) => {
            let at = read_log_place(Some(at)).ok_or_else(|| missing("place of a conflict"))?;
            Ok(Err(StreamAppendError::Conflict(at)))
        }
        Some(Reply::Higher(higher)) => Ok(Err(StreamAppendError::HigherVote(read_vote(Some(higher))?))),
        None => Err(missing("result")),
    }
}

pub fn ballot(request: &VoteRequest<TypeConfig>, pre_vote: bool) -> pb::VoteRequest {
    pb::VoteRequest {
        vote: Some(vote(&request.vote)),
        last: Some(log_place(request.last_log_id.as_ref())),
        pre_vote,
        leadership_transfer: request.leadership_transfer,
    }
}

pub fn read_ballot(request: pb::VoteRequest) -> Result<VoteRequest<TypeConfig>, Status> {
    let mut read = VoteRequest::new(read_vote(request.vote)?, read_log_place(request.last));
    read.leadership_transfer = request.leadership_transfer;
    Ok(read)
}

pub fn ballot_reply(reply: &VoteResponse<TypeConfig>) -> pb::VoteReply {
    pb::VoteReply {
        vote: Some(vote(&reply.vote)),
        last: Some(log_place(reply.last_log_id.as_ref())),
        granted: reply.vote_granted,
    }
}

pub fn read_ballot_reply(reply: pb::VoteReply) -> Result<VoteResponse<TypeConfig>, Status> {
    let last = read_log_place(reply.last);
    Ok(VoteResponse::new(read_vote(reply.vote)?, last, reply.granted))
}

pub fn transfer(request: &TransferLeaderRequest<TypeConfig>) -> pb::TransferRequest {
    pb::TransferRequest {
        from: Some(vote(request.from_leader())),
        to: *request.to_node_id(),
        last: Some(log_place(request.last_log_id())),
    }
}

pub fn read_transfer(request: pb::TransferRequest) -> Result<TransferLeaderRequest<TypeConfig>, Status> {
    let (from, last) = (read_vote(request.from)?, read_log_place(request.last));
    Ok(TransferLeaderRequest::new(from, request.to, last))
}

fn missing(what: &str) -> Status {
    Status::invalid_argument(format!("a message between members without a {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use openraft::entry::RaftEntry as _;

    fn a_vote() -> Vote {
        Vote {
            leader_id: LeaderId { term: 3, voted_for: 7 },
            committed: true,
        }
    }

    #[test]
    fn an_append_is_read_back() {
        let entry = |index, content| {
            let position = Position { term: 3, index };
            into_raft(Entry { position, content }).unwrap()
        };
        let request = AppendEntriesRequest {
            vote: a_vote(),
            prev_log_id: None,
            leader_commit: log_id(Position { term: 2, index: 1 }),
            entries: vec![
                entry(1, Content::Blank),
                entry(2, Content::Request(Bytes::from_static(b"x"))),
            ],
        };
        let read = read_append(append(request.clone()).unwrap()).unwrap();
        assert_eq!(read.prev_log_id, None);
        assert_eq!(read.leader_commit, request.leader_commit);
        assert_eq!(read.vote, request.vote);
        let ids = |entries: &[crate::types::RaftEntry]| entries.iter().map(|e| e.log_id()).collect::<Vec<_>>();
        assert_eq!(ids(&read.entries), ids(&request.entries));
    }

    #[test]
    fn results_are_read_back() {
        let id = log_id(Position { term: 2, index: 9 }).unwrap();
        for result in [
            Ok(None),
            Ok(Some(id)),
            Err(StreamAppendError::Conflict(id)),
            Err(StreamAppendError::HigherVote(a_vote())),
        ] {
            assert_eq!(read_append_result(append_result(result.clone())).unwrap(), result);
        }
    }

    #[test]
    fn what_lacks_a_part_is_refused() {
        assert!(read_append(pb::AppendRequest::default()).is_err());
        assert!(read_append_result(pb::AppendReply::default()).is_err());
        assert!(read_ballot(pb::VoteRequest::default()).is_err());
    }
}
