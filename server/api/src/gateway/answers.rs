//! The messages of a gRPC answer, one by one.

use axum::http::{HeaderMap, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::frame;

pub(super) struct Answers {
    body: Body,
    /// Read and not given out yet: at most one message and what came with it.
    buffer: BytesMut,
    /// How the call ended, if that is known before any message came.
    ended: Option<Status>,
}

impl Answers {
    pub fn of(response: Response<Body>) -> Self {
        let ended = Status::from_header_map(response.headers());
        Answers {
            body: response.into_body(),
            buffer: BytesMut::new(),
            ended,
        }
    }

    /// None once the call has ended well.
    pub async fn next(&mut self) -> Option<Result<Bytes, Status>> {
        loop {
            if let Some(message) = frame::take(&mut self.buffer) {
                return Some(Ok(message));
            }
            if let Some(status) = self.ended.take() {
                return (status.code() != Code::Ok).then_some(Err(status));
            }
            match self.body.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => self.buffer.extend_from_slice(&data),
                    Err(frame) => self.ended = frame.trailers_ref().map(ended),
                },
                Err(status) => return Some(Err(status)),
            }
        }
    }
}

fn ended(trailers: &HeaderMap) -> Status {
    Status::from_header_map(trailers).unwrap_or_else(|| Status::unknown("the call ended without a status"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body::Frame;
    use http_body_util::StreamBody;

    #[tokio::test]
    async fn messages_come_out_however_they_were_cut() {
        let cut: [&'static [u8]; 4] = [&[0, 0, 0, 0, 2, 7], &[8, 0, 0, 0], &[0, 0], &[0, 0, 0, 0, 1, 9]];
        let frames = cut.map(|bytes| Ok::<_, Status>(Frame::data(Bytes::from_static(bytes))));
        let body = Body::new(StreamBody::new(futures::stream::iter(frames)));
        let mut answers = Answers::of(Response::new(body));
        for expected in [&[7, 8][..], &[], &[9]] {
            assert_eq!(answers.next().await.expect("a message").expect("no error"), expected);
        }
        assert!(answers.next().await.is_none());
    }

    #[tokio::test]
    async fn a_refusal_in_the_head_is_told() {
        let mut answers = Answers::of(Status::not_found("gone").into_http());
        let status = answers.next().await.expect("an answer").expect_err("refused");
        assert_eq!((status.code(), status.message()), (Code::NotFound, "gone"));
    }
}
