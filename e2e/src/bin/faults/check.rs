//! The checker alone.

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Check;
use crate::stand::judge;

pub fn run(check: &Check) -> Result<ExitCode> {
    judge(&check.history, &check.tolerate)
}
