//! What every cluster has besides Kubernetes itself: a name server and storage classes.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::args::Wishes;
use crate::control;
use crate::network::DNS_SERVICE;
use crate::state::State;

const COREDNS: &str = include_str!("addons/coredns.yaml");
const STORAGE: &str = include_str!("addons/storage.yaml");

pub fn apply(state: &State, wishes: &Wishes) -> Result<()> {
    let coredns = COREDNS
        .replace("DNS_SERVICE", DNS_SERVICE)
        .replace("VERSION", env!("CARGO_PKG_VERSION"));
    let mut kubectl = control::kubectl(state, wishes);
    kubectl
        .args(["apply", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut kubectl = kubectl.spawn().context("cannot run kubectl")?;
    let input = kubectl.stdin.take().context("kubectl has no input")?;
    { input }.write_all(format!("{coredns}---\n{STORAGE}").as_bytes())?;
    ensure!(
        kubectl.wait()?.success(),
        "the name server and the storage classes cannot be applied"
    );
    Ok(())
}

pub fn wait(state: &State, wishes: &Wishes) -> Result<()> {
    let mut kubectl = control::kubectl(state, wishes);
    kubectl
        .args([
            "-n",
            "kube-system",
            "rollout",
            "status",
            "deploy/coredns",
            "--timeout=120s",
        ])
        .stdout(Stdio::null());
    ensure!(
        kubectl.status()?.success(),
        "CoreDNS does not become ready: kubectl -n kube-system describe pod"
    );
    Ok(())
}
