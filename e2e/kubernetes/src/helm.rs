//! helm, as its user types it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::handle::{Error, run};

/// Files of its own: nothing of the user's is read or written.
pub struct Helm {
    home: TempDir,
}

impl Helm {
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder for helm's files");
        Self { home }
    }

    /// # Errors
    /// What helm complained about.
    pub async fn run(&self, words: &[&str]) -> Result<String, Error> {
        let path = |name: &str| format!("{name}={}", self.home.path().join(name).display());
        let homes = ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"].map(path);
        let mut all: Vec<&str> = homes.iter().map(String::as_str).collect();
        all.push("helm");
        all.extend(words);
        run("env", &all, None).await
    }

    /// A copy of one of the repository's charts, to be changed.
    pub fn copy(&self, chart: &str) -> PathBuf {
        let to = self.home.path().join(chart);
        copy(&Self::chart(chart), &to).expect("the chart can be read");
        to
    }

    pub fn chart(chart: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts").join(chart)
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &to)?,
            false => drop(std::fs::copy(entry.path(), to)?),
        }
    }
    Ok(())
}
