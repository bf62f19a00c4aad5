//! Methods that answer with a stream: a line of JSON for each message, half-duplex for those that also hear one.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http_body_util::StreamBody;
use prost_reflect::MessageDescriptor;
use tokio::sync::oneshot;
use tonic::Status;

use super::answers::Answers;
use super::documents::Documents;
use super::end::End;
use super::routes::Route;
use super::{Gateway, Outgoing, error, success, text};

impl Gateway {
    /// The head is sent with the first message, because only then it is known how the call goes.
    pub(super) async fn stream(&self, route: &Route, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let (refuse, refused) = oneshot::channel();
        let outgoing = if route.client_streams {
            self.many(route, body, refuse)
        } else {
            match self.only(route, body).await {
                Ok(outgoing) => outgoing,
                Err(status) => return error::response(&status),
            }
        };
        let mut lines = Lines {
            answers: self.send(route, &head.headers, outgoing).await,
            descriptor: route.response.clone(),
            refused: Some(refused),
        };
        match lines.next().await {
            None => success(Body::empty()),
            Some(Err(status)) => error::stream_response(&status),
            Some(Ok(first)) => success(lines.body(first)),
        }
    }

    fn many(&self, route: &Route, body: Body, refuse: oneshot::Sender<Status>) -> Outgoing {
        let documents = Documents {
            body,
            descriptor: route.request.clone(),
            document_bytes_max: self.document_bytes_max,
            refuse: Some(refuse),
            buffer: BytesMut::new(),
            end: End::default(),
        };
        Outgoing::new(StreamBody::new(futures::stream::unfold(documents, Documents::next)))
    }
}

struct Lines {
    answers: Answers,
    descriptor: MessageDescriptor,
    /// Why the request's stream came to a bad end; none once it cannot any more.
    refused: Option<oneshot::Receiver<Status>>,
}

impl Lines {
    async fn next(&mut self) -> Option<Result<String, Status>> {
        let answer = tokio::select! {
            biased;
            status = refusal(&mut self.refused) => Err(status),
            answer = self.answers.next() => answer?,
        };
        let line = answer.and_then(|message| text(&self.descriptor, message));
        Some(line.map(|text| format!("{{\"result\":{text}}}\n")))
    }

    /// Everything from `first` on. An error is the last line.
    fn body(self, first: String) -> Body {
        let rest = futures::stream::unfold(Some(self), |lines| async {
            let mut lines = lines?;
            match lines.next().await? {
                Ok(line) => Some((line, Some(lines))),
                Err(status) => Some((error::line(&status), None)),
            }
        });
        let lines = futures::stream::once(std::future::ready(first)).chain(rest);
        Body::from_stream(lines.map(|line| Ok::<_, std::convert::Infallible>(Bytes::from(line))))
    }
}

/// Resolves only if there is one.
async fn refusal(refused: &mut Option<oneshot::Receiver<Status>>) -> Status {
    if let Some(receiver) = refused {
        if let Ok(status) = receiver.await {
            *refused = None;
            return status;
        }
        *refused = None;
    }
    std::future::pending().await
}
