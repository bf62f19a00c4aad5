//! How a connection to a peer comes about. The one place that dials.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A two-way stream of bytes.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Wire for T {}

/// Opens connections to peer URLs, encrypted or not.
pub trait Dialer: Send + Sync + 'static {
    fn dial(&self, url: &str) -> BoxFuture<'static, io::Result<Box<dyn Wire>>>;
}

/// Plain TCP for `http://host:port`.
pub struct PlainDialer;

impl Dialer for PlainDialer {
    fn dial(&self, url: &str) -> BoxFuture<'static, io::Result<Box<dyn Wire>>> {
        let address = host_and_port(url);
        Box::pin(async move {
            let stream = TcpStream::connect(address?).await?;
            // Without this every small message waits for the acknowledgement of the last one.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Wire>)
        })
    }
}

fn host_and_port(url: &str) -> io::Result<String> {
    let rest = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    rest.map(str::to_owned).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::Unsupported,
            format!("cannot dial {url}: only http:// is spoken"),
        )
    })
}

/// Tries the URLs in turn, each for at most `patience`; the first that answers wins.
pub async fn dial_any(dialer: Arc<dyn Dialer>, urls: Vec<String>, patience: Duration) -> io::Result<Box<dyn Wire>> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "no peer URL is known");
    for url in urls {
        match tokio::time::timeout(patience, dialer.dial(&url)).await {
            Ok(Ok(wire)) => return Ok(wire),
            Ok(Err(error)) => last = io::Error::new(error.kind(), format!("{url}: {error}")),
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("{url}: no connection in time")),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_urls_are_dialled() {
        assert_eq!(host_and_port("http://127.0.0.1:2380/").unwrap(), "127.0.0.1:2380");
        assert!(host_and_port("https://127.0.0.1:2380").is_err());
    }

    #[tokio::test]
    async fn the_next_url_is_tried() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let urls = vec![
            "https://127.0.0.1:1".to_owned(),
            format!("http://{}", listener.local_addr().unwrap()),
        ];
        assert!(
            dial_any(Arc::new(PlainDialer), urls, Duration::from_secs(5))
                .await
                .is_ok()
        );
        assert!(
            dial_any(Arc::new(PlainDialer), vec![], Duration::from_secs(5))
                .await
                .is_err()
        );
    }
}
