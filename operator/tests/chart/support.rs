//! Where things are in the repository, and how they are read.

use std::path::PathBuf;

use serde_yaml_ng::Value;

pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Of the operator.
pub fn chart(path: &str) -> PathBuf {
    repository("charts/etcd-operator").join(path)
}

pub fn yaml(text: &str) -> Value {
    serde_yaml_ng::from_str(text).unwrap()
}
