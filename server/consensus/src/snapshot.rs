//! A raft snapshot on its way from one member to another: a head, then the state in pieces that check themselves.
//!
//! Both ends hold a few pieces at a time, however large the state is. Nothing of it is visible at the receiver until
//! all of it is there, verified and durable.

use std::io;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use taffrail_proto::taffrailpb::snapshot_part::Part;
use taffrail_proto::taffrailpb::{SnapshotHead, SnapshotPart};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::membership;
use crate::peer::wire;
use crate::recorder::Recorder;
use crate::state::{Chunks, Finished, Receiving, State};
use crate::types::{RaftSnapshot, SnapshotData, SnapshotMeta, Vote, log_id};

/// Pieces read ahead of the network.
const PIECES_AHEAD_MAX: usize = 4;

/// What the sender puts on the wire. Should the state become unreadable half-way, the stream ends early and the
/// receiver misses its closing piece.
pub fn parts(vote: &Vote, snapshot: RaftSnapshot) -> io::Result<impl Stream<Item = SnapshotPart> + Send + use<>> {
    let SnapshotData::Here(pinned) = snapshot.snapshot else {
        return Err(io::Error::other("a received snapshot is not sent on"));
    };
    let pinned = pinned.ok_or_else(|| io::Error::other("this state cannot be sent"))?;
    let head = SnapshotHead {
        vote: Some(wire::vote(vote)),
        position: Some(wire::log_place(snapshot.meta.last_log_id.as_ref())),
    };
    let (pieces, stream) = mpsc::channel(PIECES_AHEAD_MAX);
    tokio::task::spawn_blocking(move || read(pinned(), &pieces));
    let head = futures::stream::once(async move { part(Part::Head(head)) });
    Ok(head.chain(ReceiverStream::new(stream).map(|chunk| part(Part::Chunk(chunk)))))
}

fn part(part: Part) -> SnapshotPart {
    SnapshotPart { part: Some(part) }
}

fn read(chunks: Chunks, pieces: &mpsc::Sender<Bytes>) {
    for chunk in chunks {
        match chunk {
            Ok(chunk) => {
                if pieces.blocking_send(chunk).is_err() {
                    // Nobody takes it any more.
                    return;
                }
            }
            Err(error) => return tracing::error!(%error, "the state cannot be read for a raft snapshot"),
        }
    }
}

/// Takes a whole snapshot from the wire; what is left of a broken one is removed.
pub async fn receive(
    state: &dyn State,
    parts: &mut Streaming<SnapshotPart>,
    recorder: &dyn Recorder,
) -> Result<(Vote, RaftSnapshot), Status> {
    let Some(Part::Head(head)) = next(parts).await? else {
        return Err(Status::invalid_argument("a snapshot begins with its head"));
    };
    let vote = wire::read_vote(head.vote)?;
    tracing::info!(position = ?wire::read_place(head.position), "receiving a raft snapshot");
    let mut receiving = state.receive().map_err(|error| Status::internal(error.to_string()))?;
    while let Some(part) = next(parts).await? {
        let Part::Chunk(chunk) = part else {
            return Err(Status::invalid_argument("a snapshot has one head"));
        };
        receiving = blocking(move || write(receiving, &chunk)).await?;
    }
    let started = std::time::Instant::now();
    let Finished {
        position,
        membership,
        state,
    } = blocking(move || receiving.finish()).await?;
    recorder.snapshot_durable(started.elapsed());
    let meta = SnapshotMeta {
        last_log_id: log_id(position),
        last_membership: membership::stored(membership).map_err(Status::data_loss)?,
    };
    let snapshot = SnapshotData::Received(state);
    Ok((vote, RaftSnapshot { meta, snapshot }))
}

async fn next(parts: &mut Streaming<SnapshotPart>) -> Result<Option<Part>, Status> {
    Ok(parts.message().await?.and_then(|part| part.part))
}

fn write(mut receiving: Box<dyn Receiving>, chunk: &[u8]) -> Result<Box<dyn Receiving>, String> {
    receiving.write(chunk)?;
    Ok(receiving)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|lost| Status::internal(lost.to_string()))?
        .map_err(Status::data_loss)
}
