//! Files filled with zeroes before they are needed.
//!
//! Overwriting a filled file takes one fsync of data; growing one makes the file system write its own records too.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::LogOptions;
use super::disk::{Disk, DiskFile};

/// What is made at once when no spare is ready: filling a whole segment would hold up the waiting batch.
const URGENT_BYTES: u64 = 1 << 20;

pub struct Spare {
    pub name: String,
    pub bytes: u64,
    pub file: Arc<dyn DiskFile>,
}

pub struct Spares {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    ready: Option<Spare>,
    maker: Option<Maker>,
    made_at_once: u64,
}

struct Maker {
    wanted: SyncSender<()>,
    made: Receiver<io::Result<Spare>>,
    thread: JoinHandle<()>,
}

impl Spares {
    pub fn new(disk: Arc<dyn Disk>, options: &LogOptions) -> io::Result<Self> {
        let segment_bytes = options.segment_bytes;
        let maker = if options.spare_in_background {
            Some(Maker::start(disk.clone(), segment_bytes)?)
        } else {
            None
        };
        let spares = Self {
            disk,
            segment_bytes,
            ready: None,
            maker,
            made_at_once: 0,
        };
        spares.order();
        Ok(spares)
    }

    /// A file of at least this size under a name to be changed.
    pub fn take(&mut self, bytes_min: u64) -> io::Result<Spare> {
        if let Some(Ok(made)) = self.maker.as_ref().and_then(|maker| maker.made.try_recv().ok()) {
            self.ready = Some(made);
        }
        match self.ready.take_if(|spare| spare.bytes >= bytes_min) {
            Some(spare) => {
                self.order();
                Ok(spare)
            }
            None => self.make_now(bytes_min),
        }
    }

    fn make_now(&mut self, bytes_min: u64) -> io::Result<Spare> {
        let usual = if self.maker.is_some() {
            self.segment_bytes.min(URGENT_BYTES)
        } else {
            self.segment_bytes
        };
        let bytes = usual.max(bytes_min).next_multiple_of(4096);
        if self.ready.is_none() {
            self.order();
        }
        self.made_at_once += 1;
        make(&*self.disk, format!("urgent-{}.tmp", self.made_at_once), bytes)
    }

    /// Asks for one more; the one already asked for is enough.
    fn order(&self) {
        if let Some(maker) = &self.maker {
            let _ = maker.wanted.try_send(());
        }
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        if let Some(Maker { wanted, made, thread }) = self.maker.take() {
            drop((wanted, made));
            // It holds the folder open until it is done. Its panic would have been reported already.
            let _ = thread.join();
        }
    }
}

impl Maker {
    fn start(disk: Arc<dyn Disk>, bytes: u64) -> io::Result<Self> {
        let (wanted, orders) = sync_channel(1);
        let (out, made) = sync_channel(1);
        let work = move || {
            // No name twice: the one before may not have been renamed yet.
            let mut names = (1..).map(|number: u64| format!("spare-{number}.tmp"));
            while let (Ok(()), Some(name)) = (orders.recv(), names.next()) {
                if out.send(make(&*disk, name, bytes)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("log-spare".into()).spawn(work)?;
        Ok(Self { wanted, made, thread })
    }
}

fn make(disk: &dyn Disk, name: String, bytes: u64) -> io::Result<Spare> {
    let file = disk.create(&name, bytes)?;
    Ok(Spare { name, bytes, file })
}
