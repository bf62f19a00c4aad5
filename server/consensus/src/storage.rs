//! openraft's view of the log.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt};
use openraft::entry::EntryPayload;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader};
use taffrail_store::{Content, Entry};

use crate::log::{Ballot, Log};
use crate::membership;
use crate::shared::Shared;
use crate::types::{LogId, RaftEntry, Request, TypeConfig, Vote, log_id, position, position_or_none};

/// Bytes of entries in one message to a peer: far below any message limit, whatever the number of entries.
const REPLICATION_BYTES_MAX: usize = 4 << 20;
/// Bytes of entries on their way to the state machine.
const APPLY_BYTES_MAX: usize = 4 << 20;

#[derive(Clone)]
pub(crate) struct LogStorage {
    pub log: Log,
    pub shared: Arc<Shared>,
}

impl LogStorage {
    fn read(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<RaftEntry>> {
        // openraft counts from 0.
        let entries = self
            .log
            .read(start.saturating_add(1)..end.saturating_add(1), bytes_max)?;
        entries.into_iter().map(into_raft).collect()
    }
}

impl RaftLogReader<TypeConfig> for LogStorage {
    async fn try_get_log_entries<R>(&mut self, range: R) -> io::Result<Vec<RaftEntry>>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        self.read(start, end, usize::MAX)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<RaftEntry>> {
        self.read(start, end, REPLICATION_BYTES_MAX)
    }

    /// Reads on as the entries are consumed: after a restart the range may be far larger than memory should hold.
    async fn entries_stream<R>(&mut self, range: R) -> impl Stream<Item = io::Result<RaftEntry>> + OptionalSend
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        let log = self.clone();
        let parts = futures::stream::try_unfold(start, move |next| {
            let part = log.read(next, end, APPLY_BYTES_MAX);
            async move {
                let part = part?;
                let after = next + part.len() as u64;
                Ok::<_, io::Error>((!part.is_empty()).then_some((part, after)))
            }
        });
        parts
            .map_ok(|part| futures::stream::iter(part).map(Ok))
            .try_flatten()
            .boxed()
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.log.state().ballot.map(into_vote))
    }
}

impl RaftLogStorage<TypeConfig> for LogStorage {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let state = self.log.state();
        Ok(LogState {
            last_purged_log_id: log_id(state.purged),
            last_log_id: log_id(state.last),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let leader = vote.leader_id();
        let ballot = Ballot {
            term: leader.term,
            voted_for: leader.voted_for,
            committed: vote.is_committed(),
        };
        self.log.save_ballot(ballot).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let committed = position_or_none(committed.as_ref());
        self.shared.committed(committed);
        self.log.hint_committed(committed);
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(log_id(self.log.state().committed))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries.into_iter().map(from_raft).collect::<io::Result<Vec<Entry>>>()?;
        self.log
            .append(entries, Box::new(|result| callback.io_completed(result)))
            .await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        self.log.truncate_after(position_or_none(last.as_ref())).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.log.purge(position(&upto)).await
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

pub fn from_raft(entry: RaftEntry) -> io::Result<Entry> {
    let position = position(&entry.log_id);
    let content = match entry.payload {
        EntryPayload::Blank => Content::Blank,
        EntryPayload::Normal(Request(bytes)) => Content::Request(bytes),
        EntryPayload::Membership(membership) => {
            Content::Membership(membership::encode(&membership).map_err(io::Error::other)?)
        }
    };
    Ok(Entry { position, content })
}

pub fn into_raft(entry: Entry) -> io::Result<RaftEntry> {
    let log_id = log_id(entry.position).ok_or_else(|| io::Error::other("an entry without an index"))?;
    let payload = match entry.content {
        Content::Blank => EntryPayload::Blank,
        Content::Request(bytes) => EntryPayload::Normal(Request(bytes)),
        Content::Membership(bytes) => EntryPayload::Membership(membership::decode(&bytes).map_err(io::Error::other)?),
    };
    Ok(RaftEntry { log_id, payload })
}

fn into_vote(ballot: Ballot) -> Vote {
    let Ballot {
        term,
        voted_for,
        committed,
    } = ballot;
    let leader_id = openraft::impls::leader_id_std::LeaderId { term, voted_for };
    Vote { leader_id, committed }
}
