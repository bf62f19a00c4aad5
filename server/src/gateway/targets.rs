//! Members with what is known of them: who did not answer is left alone for a while.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::net::TcpStream;

use super::pick::{Target, pick};

/// How long a member may take to accept.
const DIAL_MAX: Duration = Duration::from_secs(10);

pub struct Targets {
    all: Vec<Target>,
    dead: Vec<AtomicBool>,
    turn: AtomicU64,
    chance: RandomState,
    retry_delay: Duration,
}

impl Targets {
    pub fn new(all: Vec<Target>, retry_delay: Duration) -> Arc<Self> {
        Arc::new(Targets {
            dead: all.iter().map(|_| AtomicBool::new(false)).collect(),
            all,
            turn: AtomicU64::new(0),
            chance: RandomState::new(),
            retry_delay,
        })
    }

    /// A connection to a member that takes it; none if nobody does.
    pub async fn dial(&self) -> Option<TcpStream> {
        loop {
            let picked = self.pick()?;
            match connect(&self.all[picked].address).await {
                Ok(stream) => return Some(stream),
                Err(error) => self.lost(picked, &error),
            }
        }
    }

    fn pick(&self) -> Option<usize> {
        let turn = self.turn.fetch_add(1, Relaxed);
        let mut chance = self.chance.build_hasher();
        chance.write_u64(turn);
        pick(&self.all, |each| !self.dead[each].load(Relaxed), turn, chance.finish())
    }

    fn lost(&self, which: usize, error: &io::Error) {
        self.dead[which].store(true, Relaxed);
        let (address, interval) = (&self.all[which].address, self.interval());
        tracing::warn!(address, interval, %error, "deactivated endpoint");
    }

    /// Dials who is dead, again and again.
    pub async fn revive(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.retry_delay).await;
            let dead = (0..self.all.len()).filter(|each| self.dead[*each].load(Relaxed));
            futures::future::join_all(dead.map(|each| self.try_again(each))).await;
        }
    }

    async fn try_again(&self, which: usize) {
        let address = &self.all[which].address;
        match connect(address).await {
            Ok(_) => {
                self.dead[which].store(false, Relaxed);
                tracing::info!(address, "activated");
            }
            Err(error) => {
                let interval = self.interval();
                tracing::warn!(address, interval, %error, "failed to activate endpoint (stay inactive for another interval)");
            }
        }
    }

    fn interval(&self) -> String {
        format!("{:?}", self.retry_delay)
    }
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time"));
    let stream = tokio::time::timeout(DIAL_MAX, TcpStream::connect(address)).await;
    let stream = stream.unwrap_or_else(late)?;
    // Without this every small message waits for the acknowledgement of the last one.
    stream.set_nodelay(true)?;
    Ok(stream)
}
