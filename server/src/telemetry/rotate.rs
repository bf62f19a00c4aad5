//! A log file that makes room for itself (etcd --enable-log-rotation; the files are named as lumberjack names them).
//!
//! Enters: whole lines. Leaves: `name.ext`, and older files `name-2006-01-02T15-04-05.000.ext`, maybe with `.gz`.
//! Always holds: a line is in exactly one file and whole; a file has at most the size that was asked for, unless one
//! line alone is longer; where a file cannot be put aside, lines go on into it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow, ensure};
use serde::Deserialize;
use serde_json::error::Category;

use super::backups::Backups;

const MEGABYTE: u64 = 1 << 20;
/// lumberjack's, where none is told.
const SIZE_DEFAULT_MEGABYTES: u64 = 100;

/// When a file is put aside, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    pub size_max_bytes: u64,
    /// None is for ever.
    pub age_max: Option<Duration>,
    /// None is any number.
    pub backups_max: Option<usize>,
    /// Names tell this machine's time instead of UTC.
    pub local_time: bool,
    pub compress: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    maxsize: i64,
    maxage: i64,
    maxbackups: i64,
    localtime: bool,
    compress: bool,
}

impl Rotation {
    /// # Errors
    /// In etcd's words: what is no JSON, or of another type.
    pub fn parse(json: &str) -> Result<Self> {
        let told: Told = serde_json::from_str(json).map_err(|error| match error.classify() {
            Category::Syntax | Category::Eof => anyhow!("improperly formatted log rotation config: {error}"),
            Category::Data => anyhow!("invalid log rotation config: {error}"),
            Category::Io => anyhow!("fail to unmarshal log rotation config: {error}"),
        })?;
        let number = |name, value: i64| {
            ensure!(value >= 0, "invalid log rotation config: {name} is negative");
            Ok(value.unsigned_abs())
        };
        let megabytes = match number("maxsize", told.maxsize)? {
            0 => SIZE_DEFAULT_MEGABYTES,
            megabytes => megabytes,
        };
        let days = number("maxage", told.maxage)?;
        let backups = number("maxbackups", told.maxbackups)?;
        Ok(Rotation {
            size_max_bytes: megabytes.saturating_mul(MEGABYTE),
            age_max: (days > 0).then(|| Duration::from_secs(days.saturating_mul(24 * 3600))),
            backups_max: (backups > 0).then_some(usize::try_from(backups)?),
            local_time: told.localtime,
            compress: told.compress,
        })
    }
}

pub struct Rotated {
    rotation: Rotation,
    backups: Backups,
    file: File,
    file_bytes: u64,
    /// Wakes whoever removes and compresses.
    sweeper: SyncSender<()>,
}

impl Rotated {
    pub fn open(path: PathBuf, rotation: Rotation) -> io::Result<Self> {
        let backups = Backups::new(path, rotation);
        if let Some(folder) = backups.path().parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = append(&backups)?;
        let file_bytes = file.metadata()?.len();
        Ok(Rotated {
            rotation,
            sweeper: sweep(backups.clone())?,
            backups,
            file,
            file_bytes,
        })
    }

    pub fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let bytes = line.len() as u64;
        if self.file_bytes > 0 && self.file_bytes + bytes > self.rotation.size_max_bytes {
            self.rotate();
        }
        self.file.write_all(line)?;
        self.file_bytes += bytes;
        Ok(())
    }

    fn rotate(&mut self) {
        let next = self
            .backups
            .put_aside(SystemTime::now())
            .and_then(|()| append(&self.backups));
        // The log cannot tell of itself here; lines go on into the file that is open, whatever its name.
        let Ok(next) = next else { return };
        self.file = next;
        self.file_bytes = 0;
        // One that has not begun yet will see this file too.
        let _ = self.sweeper.try_send(());
    }
}

fn append(backups: &Backups) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(backups.path())
}

/// Removes and compresses on a thread of its own, so that no line waits for it. Once at the beginning: the process
/// may have ended before it was done.
fn sweep(backups: Backups) -> io::Result<SyncSender<()>> {
    let (sweeper, wake) = sync_channel(1);
    let _ = sweeper.try_send(());
    let work = move || {
        while wake.recv().is_ok() {
            if let Err(error) = backups.sweep(SystemTime::now()) {
                tracing::warn!(%error, "old log files cannot be swept");
            }
        }
    };
    std::thread::Builder::new().name("log-sweeper".to_owned()).spawn(work)?;
    Ok(sweeper)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(size_max_bytes: u64) -> Rotation {
        Rotation {
            size_max_bytes,
            ..Rotation::parse("{}").expect("valid")
        }
    }

    #[test]
    fn a_rotation_is_read_as_etcd_reads_it() {
        let json = r#"{"maxsize": 2, "maxage": 1, "maxbackups": 3, "localtime": true, "compress": true, "other": 1}"#;
        let expected = Rotation {
            size_max_bytes: 2 * MEGABYTE,
            age_max: Some(Duration::from_secs(86_400)),
            backups_max: Some(3),
            local_time: true,
            compress: true,
        };
        assert_eq!(Rotation::parse(json).expect("valid"), expected);
        assert_eq!(
            small(100 * MEGABYTE),
            Rotation::parse(r#"{"maxsize": 0}"#).expect("valid")
        );
        for (json, text) in [
            ("{", "improperly formatted log rotation config"),
            ("", "improperly formatted log rotation config"),
            (r#"{"maxsize": "a"}"#, "invalid log rotation config"),
            (r#"{"maxsize": -1}"#, "invalid log rotation config"),
        ] {
            let error = Rotation::parse(json).expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn every_line_is_in_one_file_and_no_file_is_too_large() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut rotated = Rotated::open(dir.path().join("a.log"), small(100)).expect("writable");
        for line in 0..200 {
            rotated.write_line(format!("{line}\n").as_bytes()).expect("written");
        }
        let files = std::fs::read_dir(dir.path()).expect("readable");
        let contents: Vec<_> = files
            .map(|file| std::fs::read_to_string(file.expect("a file").path()))
            .collect();
        let contents: Vec<String> = contents.into_iter().map(|text| text.expect("text")).collect();
        assert!(contents.iter().all(|text| text.len() <= 100) && contents.len() > 5);
        let mut lines: Vec<u32> = contents
            .iter()
            .flat_map(|text| text.lines())
            .map(|line| line.parse().expect("a number"))
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn a_line_that_is_longer_than_a_file_may_be_is_written_all_the_same() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.log");
        let mut rotated = Rotated::open(path.clone(), small(10)).expect("writable");
        rotated.write_line(&[b'x'; 50]).expect("written");
        rotated.write_line(b"y\n").expect("written");
        assert_eq!(std::fs::read_to_string(path).expect("text"), "y\n");
    }

    #[test]
    fn lines_go_on_into_the_file_that_cannot_be_put_aside() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.log");
        let mut rotated = Rotated::open(path.clone(), small(2)).expect("writable");
        std::fs::remove_file(&path).expect("removed");
        rotated.write_line(b"a\n").expect("written");
        rotated.write_line(b"b\n").expect("written");
    }
}
