//! Where log lines go. Every output gets every line, whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Mutex;

use anyhow::{Context, Result, bail, ensure};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::journal::Journal;
use super::rotate::{Rotated, Rotation};
use crate::args::Settings;
use crate::config;

const DEFAULT: &str = "default";
const JOURNAL: &str = "systemd/journal";
/// etcd's sentence (embed/config.go).
const ONE_FILE: &str = "--log-outputs requires a single file path when --log-rotate-config-json is defined";

/// Outputs that were asked for, by name.
#[derive(Debug, PartialEq, Eq)]
struct Names(Vec<String>);

impl Names {
    /// etcd's rules (embed/config_logging.go).
    fn new(text: &str, rotated: bool) -> Result<Self> {
        let mut names: Vec<String> = Vec::new();
        for name in text.split(',').filter(|name| !name.is_empty()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        if names.is_empty() {
            names.push(DEFAULT.to_owned());
        }
        let several = names.len() > 1;
        for name in names.iter().filter(|_| several) {
            ensure!(name != DEFAULT, "multi logoutput for {DEFAULT:?} is not supported yet");
            ensure!(
                name != JOURNAL,
                "running with {JOURNAL} but other '--log-outputs' values ({names:?}) are configured"
            );
        }
        let files = names.iter().filter(|name| is_file(name)).count();
        ensure!(!rotated || files == 1 || (files == 0 && several), ONE_FILE);
        Ok(Names(names))
    }
}

fn is_file(name: &str) -> bool {
    !matches!(name, DEFAULT | "stderr" | "stdout" | JOURNAL)
}

enum Output {
    Stderr,
    Stdout,
    /// In append mode: a line is one write, and the kernel keeps writes apart.
    File(File),
    Rotated(Mutex<Rotated>),
    Journal(Journal),
}

pub struct Outputs(Vec<Output>);

impl Outputs {
    /// # Errors
    /// Outputs that do not go together, a rotation that cannot be, or a file that cannot be written.
    pub fn new(settings: &Settings) -> Result<Self> {
        match settings.get("logger") {
            "zap" => {}
            "capnslog" => bail!("--logger=capnslog is removed in v3.5"),
            other => bail!("unknown logger option {other:?}"),
        }
        let rotated = config::switch(settings, "enable-log-rotation")?;
        let Names(names) = Names::new(settings.get("log-outputs"), rotated)?;
        let rotation = rotated.then(|| Rotation::parse(settings.get("log-rotation-config-json")));
        let rotation = rotation.transpose()?;
        let outputs: Result<_> = names.iter().map(|name| Output::new(name, rotation)).collect();
        Ok(Outputs(outputs?))
    }
}

impl Output {
    fn new(name: &str, rotation: Option<Rotation>) -> Result<Self> {
        let unwritable = || format!("--log-outputs={name} cannot be written");
        Ok(match (name, rotation) {
            (DEFAULT | "stderr", _) => Output::Stderr,
            ("stdout", _) => Output::Stdout,
            (JOURNAL, _) => Output::Journal(Journal::connect()),
            (path, Some(rotation)) => {
                let rotated = Rotated::open(path.into(), rotation).with_context(unwritable)?;
                Output::Rotated(Mutex::new(rotated))
            }
            (path, None) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                Output::File(file.with_context(unwritable)?)
            }
        })
    }

    fn write_line(&self, line: &[u8], level: Level) -> io::Result<()> {
        match self {
            Output::Stderr => io::stderr().write_all(line),
            Output::Stdout => io::stdout().write_all(line),
            Output::File(file) => (&mut &*file).write_all(line),
            Output::Rotated(rotated) => {
                let mut rotated = rotated.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                rotated.write_line(line)
            }
            Output::Journal(journal) => journal.send(line, level),
        }
    }
}

/// One event's line, on its way to all outputs.
pub struct LineWriter<'a> {
    outputs: &'a [Output],
    level: Level,
}

impl<'a> MakeWriter<'a> for Outputs {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter {
            outputs: &self.0,
            level: Level::INFO,
        }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> LineWriter<'a> {
        LineWriter {
            outputs: &self.0,
            level: *event.level(),
        }
    }
}

impl Write for LineWriter<'_> {
    /// Takes a whole line. One output that fails keeps no other from it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut result = Ok(line.len());
        for output in self.outputs {
            if let Err(error) = output.write_line(line, self.level) {
                result = Err(error);
            }
        }
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, rotated: bool) -> Result<Vec<String>> {
        Names::new(text, rotated).map(|Names(names)| names)
    }

    #[test]
    fn outputs_are_named_once() {
        assert_eq!(names("", false).expect("valid"), ["default"]);
        assert_eq!(
            names("stdout,/a.log,stdout", false).expect("valid"),
            ["stdout", "/a.log"]
        );
    }

    #[test]
    fn outputs_that_do_not_go_together_are_refused_in_etcds_words() {
        for (text, rotated, sentence) in [
            (
                "default,stderr",
                false,
                "multi logoutput for \"default\" is not supported yet",
            ),
            (
                "systemd/journal,stderr",
                false,
                "running with systemd/journal but other",
            ),
            ("stderr", true, ONE_FILE),
            ("/a.log,/b.log", true, ONE_FILE),
        ] {
            let error = names(text, rotated).expect_err(sentence).to_string();
            assert!(error.contains(sentence), "{error}");
        }
        assert!(names("stderr,/a.log", true).is_ok());
    }
}
