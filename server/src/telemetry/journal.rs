//! Lines for systemd's journal, in its own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::Level;

const SOCKET: &str = "/run/systemd/journal/socket";

/// Where there is no journal, lines go to the standard error, as in etcd.
pub struct Journal(Option<UnixDatagram>);

impl Journal {
    pub fn connect() -> Self {
        Journal(connected(Path::new(SOCKET)).ok())
    }

    pub fn send(&self, line: &[u8], level: Level) -> io::Result<()> {
        let sent = self.0.as_ref().map(|socket| socket.send(&record(line, level)));
        match sent {
            Some(Ok(_)) => Ok(()),
            _ => io::stderr().write_all(line),
        }
    }
}

fn connected(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(socket)
}

fn record(line: &[u8], level: Level) -> Vec<u8> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let priority = priority(level);
    let mut record = format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER=taffrail\nMESSAGE\n").into_bytes();
    // With its length in front a message may contain anything.
    record.extend((line.len() as u64).to_le_bytes());
    record.extend(line);
    record.push(b'\n');
    record
}

/// syslog's numbers.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_arrives_as_a_record() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("socket");
        let journal = UnixDatagram::bind(&path).expect("bound");
        Journal(connected(&path).ok()).send(b"{}\n", Level::WARN).expect("sent");
        let mut record = [0; 256];
        let bytes = journal.recv(&mut record).expect("arrived");
        let expected = b"PRIORITY=4\nSYSLOG_IDENTIFIER=taffrail\nMESSAGE\n\x02\0\0\0\0\0\0\0{}\n";
        assert_eq!(&record[..bytes], expected);
    }
}
