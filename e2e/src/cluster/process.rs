//! The process of one member.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

/// How a process ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub log: PathBuf,
}

/// At most one process at a time, and the logs of all of them.
pub struct Process {
    name: String,
    logs: PathBuf,
    child: Option<Child>,
    paused: bool,
    runs: u32,
}

impl Process {
    pub fn new(name: String, logs: &Path) -> Self {
        Self {
            name,
            logs: logs.to_path_buf(),
            child: None,
            paused: false,
            runs: 0,
        }
    }

    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    pub fn spawn(&mut self, mut command: Command) -> Result<()> {
        self.runs += 1;
        let log = File::create(self.log_path()).context("the folder of logs is writable")?;
        let errors = log.try_clone()?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        self.child = Some(child.with_context(|| format!("cannot run {command:?}"))?);
        Ok(())
    }

    pub fn log_path(&self) -> PathBuf {
        self.logs.join(format!("{}-{}.log", self.name, self.runs))
    }

    /// No chance to clean up.
    pub fn kill_nine(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.paused = false;
    }

    pub fn pause(&mut self) {
        self.paused = self.signal("STOP");
    }
    pub fn resume(&mut self) {
        self.signal("CONT");
        self.paused = false;
    }
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// If it ended by itself since it was last asked.
    pub fn ended(&mut self) -> Option<Ended> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(Ended {
            status,
            log: self.log_path(),
        })
    }

    fn signal(&self, name: &str) -> bool {
        let Some(pid) = self.child.as_ref().map(Child::id) else {
            return false;
        };
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid.to_string()])
            .status();
        sent.is_ok_and(|status| status.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_nine();
    }
}
