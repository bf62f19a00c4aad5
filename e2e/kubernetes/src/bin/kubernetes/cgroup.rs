//! A subtree of its own in every cgroup hierarchy, so that what runs there can be counted, and swept away.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::state::State;
use crate::wait;

const ROOT: &str = "/sys/fs/cgroup";
const PREFIX: &str = "taffrail-";

/// One per controller with cgroup v1, and a single one with v2.
fn hierarchies() -> Vec<PathBuf> {
    let mut all = mounted();
    all.retain(|path| !path.ends_with("unified"));
    all
}

/// The same, and with v1 the one without controllers, which runc uses too.
fn mounted() -> Vec<PathBuf> {
    if Path::new(ROOT).join("cgroup.controllers").exists() {
        return vec![ROOT.into()];
    }
    let entries = fs::read_dir(ROOT)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    entries
        .filter(|path| path.join("cgroup.procs").exists() && !path.is_symlink())
        .collect()
}

/// Whether clusters are left on this machine, of any state folder.
pub fn are_left() -> bool {
    let entries = mounted()
        .into_iter()
        .filter_map(|path| fs::read_dir(path).ok())
        .flatten()
        .flatten();
    entries
        .map(|entry| entry.file_name())
        .any(|name| name.to_string_lossy().starts_with(PREFIX))
}

/// The subtree of a state folder, as kubelet is told: two clusters side by side do not meet.
pub fn name(state: &State) -> String {
    let name = state
        .dir()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    format!("/{PREFIX}{name}")
}

/// Makes `group`, such as `/a/b`, everywhere.
pub fn make(group: &str) -> Result<()> {
    for hierarchy in hierarchies() {
        let mut path = hierarchy;
        for part in group.trim_matches('/').split('/') {
            path.push(part);
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
            inherit_cpusets(&path);
        }
    }
    Ok(())
}

/// A new cpuset of cgroup v1 is empty, and takes no process until it is filled.
fn inherit_cpusets(path: &Path) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let parent = path
            .parent()
            .and_then(|parent| fs::read_to_string(parent.join(file)).ok());
        if let Some(value) = parent {
            // With cgroup v2 there is nothing to fill.
            let _ = fs::write(path.join(file), value.trim());
        }
    }
}

/// Shell words that move the shell into `group`: what it then starts begins its life there.
pub fn enter(group: &str) -> String {
    let files = hierarchies()
        .into_iter()
        .map(|path| format!("{}{group}/cgroup.procs", path.display()));
    files.map(|file| format!("echo $$ >{file} || exit 1; ")).collect()
}

/// Processes that end leave their groups a moment later.
pub fn remove(group: &str) -> Result<()> {
    for hierarchy in mounted() {
        let path = hierarchy.join(group.trim_matches('/'));
        wait::until("cgroups become empty", Duration::from_secs(20), || remove_tree(&path))?;
    }
    Ok(())
}

fn remove_tree(path: &Path) -> bool {
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    for folder in inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_tree(&folder.path());
    }
    // Removed, or never there.
    fs::remove_dir(path).is_ok() || !path.exists()
}
