//! A stream to a peer that tells when the peer turned it away.
//!
//! In TLS 1.3 the side that dials has shaken hands before the other side has looked at its certificate: what it thinks
//! of that comes with the first read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::reject::Quota;
use super::text;

pub(super) struct Heard<S> {
    stream: S,
    url: String,
    quota: Arc<Quota>,
}

impl<S> Heard<S> {
    pub fn new(stream: S, url: String, quota: Arc<Quota>) -> Self {
        Heard { stream, url, quota }
    }
}

/// Says that this member and the one at `url` did not take each other.
pub(super) fn tell(url: &str, error: &str, quota: &Quota) {
    if let Some(unsaid) = quota.take() {
        tracing::warn!(url, error, unsaid, "could not connect with a peer by TLS");
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        Pin::new(&mut this.stream)
            .poll_read(cx, buf)
            .map_err(|error| match text::alert(&error) {
                Some(told) => {
                    tell(&this.url, &told, &this.quota);
                    io::Error::new(error.kind(), told)
                }
                None => error,
            })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
