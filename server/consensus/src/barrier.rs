//! Read barriers, many to one ReadIndex round.
//!
//! A round asks for the index that everything acknowledged before it has reached: the leader confirms with a quorum
//! that it still leads, anybody else asks the leader. Then the round waits until this member has applied that index.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use openraft::errors::{LinearizableReadError, RaftError};
use openraft::raft::ReadPolicy;
use taffrail_proto::taffrailpb::ReadIndexRequest;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::BarrierError;
use crate::node::{Leadership, Raft};
use crate::peer::{Line, PeerBook, within};
use crate::shared::Shared;
use crate::types::position;

/// Readers waiting for the next round.
pub const READERS_MAX: usize = 65_536;
/// Rounds under way at the same time.
const ROUNDS_MAX: usize = 2;

pub enum Reader {
    /// Waits until it may read here.
    Local(oneshot::Sender<Result<(), BarrierError>>),
    /// Another member, which waits for its own state.
    Remote(oneshot::Sender<Result<u64, BarrierError>>),
}

#[derive(Clone)]
pub struct Rounds {
    pub raft: Raft,
    pub member_id: u64,
    pub leadership: watch::Receiver<Leadership>,
    pub book: Arc<PeerBook>,
    pub shared: Arc<Shared>,
}

impl Rounds {
    /// Whoever comes while a round is under way joins the next one: the round before may have asked too early for it.
    pub async fn serve(self, mut readers: mpsc::Receiver<Reader>) {
        let mut under_way = FuturesUnordered::new();
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                count = readers.recv_many(&mut waiting, READERS_MAX), if under_way.len() < ROUNDS_MAX => match count {
                    0 => break,
                    _ => under_way.push(self.round(std::mem::take(&mut waiting))),
                },
                Some(()) = under_way.next() => {}
            }
        }
    }

    async fn round(&self, readers: Vec<Reader>) {
        let index = self.index().await;
        let mut locals = Vec::with_capacity(readers.len());
        for reader in readers {
            match reader {
                // A reader may have given up.
                Reader::Remote(tell) => drop(tell.send(index.clone())),
                Reader::Local(tell) => locals.push(tell),
            }
        }
        if locals.is_empty() {
            return;
        }
        let passed = match index {
            Ok(index) => self.shared.wait_applied(index).await.ok_or(BarrierError::Stopped),
            Err(error) => Err(error),
        };
        for tell in locals {
            let _ = tell.send(passed.clone());
        }
    }

    async fn index(&self) -> Result<u64, BarrierError> {
        let leader = self.leadership.borrow().leader;
        match leader {
            Some(id) if id == self.member_id => self.own_index().await,
            Some(id) => self.ask(id).await,
            None => Err(BarrierError::NoLeader),
        }
    }

    async fn own_index(&self) -> Result<u64, BarrierError> {
        let linearizer = self.raft.get_read_linearizer(ReadPolicy::ReadIndex).await;
        let linearizer = linearizer.map_err(|error| match error {
            RaftError::APIError(LinearizableReadError::ForwardToLeader(_)) => BarrierError::NoLeader,
            RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => BarrierError::LeaderChanged,
            RaftError::Fatal(_) => BarrierError::Stopped,
        })?;
        Ok(position(linearizer.read_log_id().log_id()).index)
    }

    async fn ask(&self, leader: u64) -> Result<u64, BarrierError> {
        let request = self.book.addressed(leader, ReadIndexRequest {});
        let mut client = self.book.line(leader, Line::Talk, &[]);
        let answer = within(self.book.pace.election, client.read_index(request)).await;
        let reply = self.book.verified(leader, answer).map_err(|_| BarrierError::NoLeader)?;
        Ok(reply.index)
    }
}
