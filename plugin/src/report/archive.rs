//! A tar file, compressed, that only its owner may read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::Value;
use tar::{Builder, Header};

use super::redact;
use crate::failure::Failure;

pub struct Archive {
    path: PathBuf,
    tar: Builder<GzEncoder<File>>,
    now: Timestamp,
}

impl Archive {
    /// # Errors
    /// If there is such a file, or it cannot be made.
    pub fn create(path: &Path, now: Timestamp) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| Failure::Wrong(format!("cannot make {}: {error}", path.display())))?;
        Ok(Self {
            path: path.to_owned(),
            tar: Builder::new(GzEncoder::new(file, Compression::default())),
            now,
        })
    }

    /// Everything comes in by here or by [`Self::text`]: nothing gets past the redaction.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn json(&mut self, name: &str, mut value: Value) -> Result<(), Failure> {
        redact::object(&mut value);
        let text = serde_json::to_string_pretty(&value).unwrap_or_else(|error| error.to_string());
        self.put(name, &text)
    }

    /// # Errors
    /// If the file cannot be written.
    pub fn text(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        self.put(name, &redact::text(text))
    }

    fn put(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.now.as_second().max(0).unsigned_abs());
        let put = self.tar.append_data(&mut header, name, text.as_bytes());
        put.map_err(|error| self.unwritten(&error))
    }

    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> Result<(), Failure> {
        let path = self.path.clone();
        let unwritten = |error: io::Error| Failure::Failed(format!("cannot write {}: {error}", path.display()));
        let file = self.tar.into_inner().and_then(GzEncoder::finish).map_err(unwritten)?;
        file.sync_all().map_err(unwritten)
    }

    fn unwritten(&self, error: &io::Error) -> Failure {
        Failure::Failed(format!("cannot write {}: {error}", self.path.display()))
    }
}
