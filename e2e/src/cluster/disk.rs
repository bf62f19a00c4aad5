//! A small disk of its own for every member, that can be full.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What a full disk still takes: about nothing.
const LEFT_BYTES: u64 = 4 << 10;
const FILL_TRIES_MAX: u32 = 10;

/// A tmpfs. In a mount namespace of the driver's own it goes with the driver.
pub struct Disk {
    path: PathBuf,
    size_bytes: u64,
    full: bool,
}

impl Disk {
    pub fn mount(path: &Path, size_bytes: u64) -> Result<Self> {
        std::fs::create_dir_all(path)?;
        let disk = Self {
            path: path.to_path_buf(),
            size_bytes,
            full: false,
        };
        disk.run(&["-t", "tmpfs", "-o", &format!("size={size_bytes}"), "taffrail"])?;
        Ok(disk)
    }

    /// Shrinks the disk to what is on it, which is a ballast file that takes no memory. What is written between the
    /// look and the shrinking makes it fail, so a little more is left each time.
    pub fn fill(&mut self) -> Result<()> {
        self.full = true;
        let mut last = Ok(());
        for tries in 0..FILL_TRIES_MAX {
            let size = used_bytes(&self.path)? + (LEFT_BYTES << tries);
            last = self.run(&["-o", &format!("remount,size={size}")]);
            if last.is_ok() {
                break;
            }
        }
        last
    }

    pub fn free(&mut self) -> Result<()> {
        if std::mem::take(&mut self.full) {
            self.run(&["-o", &format!("remount,size={}", self.size_bytes)])?;
        }
        Ok(())
    }

    pub fn is_full(&self) -> bool {
        self.full
    }

    fn run(&self, args: &[&str]) -> Result<()> {
        let output = Command::new("mount")
            .args(args)
            .arg(&self.path)
            .output()
            .context("the program `mount` can be run")?;
        ensure!(
            output.status.success(),
            "mount {args:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

fn used_bytes(path: &Path) -> Result<u64> {
    let output = Command::new("df")
        .args(["--output=used", "-B1"])
        .arg(path)
        .output()
        .context("the program `df` can be run")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .nth(1)
        .and_then(|line| line.trim().parse().ok())
        .context("df tells what is used")
}
