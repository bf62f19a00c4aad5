//! Back to nothing.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::state::State;
use crate::{cgroup, host, space};

/// Whatever came up, also if `up` failed half way. Only folders that `up` made are deleted.
pub fn down(state: &State, wipe: bool) -> Result<ExitCode> {
    ensure!(!space::is_inside(), "this is within the cluster: run it from outside");
    host::must_be_root()?;
    space::destroy(state, "cluster")?;
    cgroup::remove(&cgroup::name(state))?;
    if !cgroup::are_left() {
        host::restore_sysctls()?;
    }
    for folder in ["pid", "hold"] {
        remove(state, folder)?;
    }
    if wipe && state.exists("wishes.json") {
        std::fs::remove_dir_all(state.dir()).with_context(|| format!("cannot delete {}", state.dir().display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(state: &State, folder: &str) -> Result<()> {
    let path = state.path(folder);
    if path.exists() {
        std::fs::remove_dir_all(&path).with_context(|| format!("cannot delete {}", path.display()))?;
    }
    Ok(())
}
