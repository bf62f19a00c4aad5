//! Images for the nodes, from docker-archives: nothing is ever pulled.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::node::Node;
use crate::space;
use crate::state::State;

/// All archives of a folder.
pub fn archives(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("no images in {}", folder.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "tar"));
    paths.sort();
    Ok(paths)
}

/// Onto every node that is up.
pub fn load(state: &State, archives: &[PathBuf]) -> Result<()> {
    let nodes = (1..=state.wishes()?.nodes).map(|number| Node::of(state, number));
    for node in nodes.filter(|node| space::holder(state, &node.name()).is_some()) {
        for archive in archives {
            let path = std::path::absolute(archive)?.display().to_string();
            node.import(&path)
                .with_context(|| format!("{path} on {}", node.name()))?;
        }
    }
    Ok(())
}
