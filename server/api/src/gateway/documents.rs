//! The JSON documents of a request body, as messages.

use axum::body::Body;
use bytes::{Buf, Bytes, BytesMut};
use http_body::Frame;
use http_body_util::BodyExt;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use tokio::sync::oneshot;
use tonic::Status;

use super::end::End;
use super::{framed, json};

/// How much of a body that is too large is still taken off the wire, so that its sender gets to read the answer.
const DISCARDED_BYTES_MAX: usize = 64 << 20;

fn too_large(bytes_max: usize) -> Status {
    Status::resource_exhausted(format!(
        "grpc: received message larger than max ({bytes_max} bytes of JSON)"
    ))
}

fn malformed(error: json::ReadError) -> Status {
    Status::invalid_argument(error.0)
}

fn unreadable(error: axum::Error) -> Status {
    Status::invalid_argument(error.to_string())
}

/// The whole body, if it is not larger than `bytes_max`.
pub(super) async fn whole(mut body: Body, bytes_max: usize) -> Result<BytesMut, Status> {
    let mut text = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(unreadable)?.into_data() else {
            continue;
        };
        if text.len() + data.len() > bytes_max {
            discard(body).await;
            return Err(too_large(bytes_max));
        }
        text.extend_from_slice(&data);
    }
    Ok(text)
}

async fn discard(mut body: Body) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await
        && bytes < DISCARDED_BYTES_MAX
    {
        bytes += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// The first document of a body; no document at all stands for an empty message.
pub(super) fn only(descriptor: &MessageDescriptor, text: &[u8]) -> Result<DynamicMessage, Status> {
    match json::document(text).map_err(malformed)? {
        Some((document, _)) => json::message(descriptor, document).map_err(malformed),
        None if text.iter().all(u8::is_ascii_whitespace) => Ok(DynamicMessage::new(descriptor.clone())),
        None => Err(Status::invalid_argument("unexpected EOF")),
    }
}

/// One document after another, as they arrive.
pub(super) struct Documents {
    pub body: Body,
    pub descriptor: MessageDescriptor,
    pub document_bytes_max: usize,
    /// Tells the answering side why there will be no more.
    pub refuse: Option<oneshot::Sender<Status>>,
    pub buffer: BytesMut,
    pub end: End,
}

impl Documents {
    /// The next message in its frame.
    pub async fn next(mut self) -> Option<(Result<Frame<Bytes>, Status>, Self)> {
        self.refuse.as_ref()?;
        let next = self.message().await.transpose()?;
        let next = next.map(|message| Frame::data(framed(&message)));
        if let Err(status) = &next
            && let Some(refuse) = self.refuse.take()
        {
            // Nobody to tell means nobody to answer.
            let _ = refuse.send(status.clone());
        }
        Some((next, self))
    }

    async fn message(&mut self) -> Result<Option<DynamicMessage>, Status> {
        loop {
            if let Some(end) = self.end.find(&self.buffer) {
                let document = self.buffer.split_to(end);
                self.end = End::default();
                return only(&self.descriptor, &document).map(Some);
            }
            if self.buffer.len() > self.document_bytes_max {
                return Err(too_large(self.document_bytes_max));
            }
            match self.body.frame().await {
                Some(frame) => self.take(&frame.map_err(unreadable)?),
                None if self.buffer.has_remaining() => return Err(Status::invalid_argument("unexpected EOF")),
                None => return Ok(None),
            }
        }
    }

    /// Blanks between documents are not kept.
    fn take(&mut self, frame: &Frame<Bytes>) {
        let Some(data) = frame.data_ref() else { return };
        if self.buffer.is_empty() {
            self.buffer.extend_from_slice(data.trim_ascii_start());
        } else {
            self.buffer.extend_from_slice(data);
        }
    }
}
