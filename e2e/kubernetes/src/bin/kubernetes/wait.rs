//! Waiting for conditions, and lines that say how long it took.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const POLL: Duration = Duration::from_millis(50);

/// Asks until it is true. Fails after `patience`, naming what was waited for.
pub fn until(what: &str, patience: Duration, mut ask: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !ask() {
        if start.elapsed() > patience {
            bail!("waited {} s in vain for: {what}", patience.as_secs());
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Seconds since `up` began, before every line.
pub struct Progress(Instant);

impl Progress {
    pub fn start() -> Self {
        Self(Instant::now())
    }
    pub fn say(&self, text: &str) {
        println!("{:6.1} s  {text}", self.0.elapsed().as_secs_f64());
    }
}
