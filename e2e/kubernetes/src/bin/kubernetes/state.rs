//! Where everything is kept.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::args::Wishes;

pub struct State(PathBuf);

impl State {
    pub fn at(path: &Path) -> Result<Self> {
        Ok(Self(std::path::absolute(path)?))
    }
    pub fn dir(&self) -> &Path {
        &self.0
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
    /// As text, for command lines and configuration.
    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
    pub fn read(&self, name: &str) -> Result<String> {
        let path = self.path(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }
    pub fn forget(&self, name: &str) {
        // What is not there is forgotten already.
        let _ = fs::remove_file(self.path(name));
    }

    pub fn keep_wishes(&self, wishes: &Wishes) -> Result<()> {
        self.write("wishes.json", &serde_json::to_string_pretty(wishes)?)?;
        Ok(())
    }
    pub fn wishes(&self) -> Result<Wishes> {
        let text = self
            .read("wishes.json")
            .context("there is no cluster: `kubernetes up`")?;
        Ok(serde_json::from_str(&text)?)
    }
    pub fn kubeconfig(&self) -> String {
        self.text("admin.kubeconfig")
    }
}
