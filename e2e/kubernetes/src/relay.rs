//! A way to a server that passes, holds or cuts what goes over it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::cluster::PATIENCE;

const CHUNK_BYTES: usize = 64 << 10;
const LOOK_PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Hold,
    Cut,
}

#[derive(Default)]
struct Passed {
    up_bytes: AtomicU64,
    down_bytes: AtomicU64,
}

/// It is shut for good when this is dropped.
pub struct Relay {
    pub address: String,
    mode: watch::Sender<Mode>,
    passed: Arc<Passed>,
}

impl Relay {
    /// From a free port of `host`.
    ///
    /// # Errors
    /// If there is none.
    pub async fn begin(host: &str, to: String) -> io::Result<Self> {
        let door = TcpListener::bind((host, 0)).await?;
        let address = door.local_addr()?.to_string();
        let (mode, watched) = watch::channel(Mode::Pass);
        let passed = Arc::<Passed>::default();
        tokio::spawn(accept(door, to, watched, passed.clone()));
        Ok(Self { address, mode, passed })
    }

    pub fn passes(&self) {
        self.mode.send_replace(Mode::Pass);
    }

    /// Connections stay, and nothing comes through.
    pub fn holds(&self) {
        self.mode.send_replace(Mode::Hold);
    }

    /// Every connection ends, and so does every new one.
    pub fn cuts(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Returns in the middle of something: when so many more bytes went to the server. Holds what follows.
    pub async fn holds_after_sending(&self, bytes: u64) {
        self.holds_after(&self.passed.up_bytes, bytes).await;
    }

    /// The same the other way.
    pub async fn holds_after_fetching(&self, bytes: u64) {
        self.holds_after(&self.passed.down_bytes, bytes).await;
    }

    async fn holds_after(&self, counter: &AtomicU64, bytes: u64) {
        let goal = counter.load(Ordering::Relaxed) + bytes;
        let start = std::time::Instant::now();
        while counter.load(Ordering::Relaxed) < goal {
            assert!(start.elapsed() < PATIENCE, "nothing went over the relay");
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        self.holds();
    }
}

async fn accept(door: TcpListener, to: String, mode: watch::Receiver<Mode>, passed: Arc<Passed>) {
    let mut end = mode.clone();
    loop {
        let accepted = tokio::select! {
            accepted = door.accept() => accepted,
            // The relay was dropped.
            _ = wait_gone(&mut end) => return,
        };
        let Ok((near, _)) = accepted else { continue };
        tokio::spawn(relay(near, to.clone(), mode.clone(), passed.clone()));
    }
}

async fn wait_gone(mode: &mut watch::Receiver<Mode>) {
    while mode.changed().await.is_ok() {}
}

/// Until one side ends, or the relay cuts.
async fn relay(mut near: TcpStream, to: String, mut mode: watch::Receiver<Mode>, passed: Arc<Passed>) {
    let Ok(mut far) = TcpStream::connect(to).await else {
        return;
    };
    let (up_mode, down_mode) = (mode.clone(), mode.clone());
    let (mut near_read, mut near_write) = near.split();
    let (mut far_read, mut far_write) = far.split();
    let up = copy(&mut near_read, &mut far_write, up_mode, &passed.up_bytes);
    let down = copy(&mut far_read, &mut near_write, down_mode, &passed.down_bytes);
    tokio::select! {
        _ = up => {}
        _ = down => {}
        _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut mode: watch::Receiver<Mode>,
    passed: &AtomicU64,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk).await?;
        if count == 0 {
            return Ok(());
        }
        let open = mode.wait_for(|mode| *mode != Mode::Hold).await;
        open.map_err(|_| io::ErrorKind::ConnectionAborted)?;
        to.write_all(&chunk[..count]).await?;
        passed.fetch_add(count as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> String {
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = door.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut one, _)) = door.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = one.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn it_passes_holds_and_cuts() {
        let relay = Relay::begin("127.0.0.1", echo().await).await.unwrap();
        let mut client = TcpStream::connect(&relay.address).await.unwrap();
        let mut heard = [0; 4];
        client.write_all(b"word").await.unwrap();
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"word");

        relay.holds();
        client.write_all(b"more").await.unwrap();
        let silent = tokio::time::timeout(Duration::from_millis(100), client.read_exact(&mut heard)).await;
        assert!(silent.is_err());
        relay.passes();
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"more");

        relay.cuts();
        assert_eq!(client.read(&mut heard).await.unwrap_or(0), 0);
        let mut next = TcpStream::connect(&relay.address).await.unwrap();
        assert_eq!(next.read(&mut heard).await.unwrap_or(0), 0);
    }
}
