//! A process of the program under test that is no member: a gateway, a proxy.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::{Exit, program, wait};

/// Killed when it is dropped.
pub struct Aside {
    child: Child,
    folder: TempDir,
}

impl Aside {
    /// Starts `taffrail WORDS` without waiting for anything.
    pub fn start(words: &[String]) -> Self {
        Self::of(Command::new(program::taffrail()).args(words))
    }

    /// The same with a command of the caller's.
    pub fn of(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().expect("the temp folder is writable");
        let log = File::create(folder.path().join("log")).expect("the temp folder is writable");
        let errors = log.try_clone().expect("a file handle can be doubled");
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let child = command.spawn().expect("the program under test can be run");
        Aside { child, folder }
    }

    pub async fn until_logged(&self, words: &str) {
        wait::until(words, async || self.log().contains(words).then_some(())).await;
    }

    pub fn log(&self) -> String {
        let log = std::fs::read(self.folder.path().join("log"));
        log.map_or(String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    /// Waits until it has ended by itself.
    pub async fn exit(mut self) -> Exit {
        let child = &mut self.child;
        let status = wait::until("the process to end", async || child.try_wait().ok()?).await;
        Exit {
            code: status.code(),
            log: self.log(),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- log of the process ----\n{}", self.log());
        }
    }
}
