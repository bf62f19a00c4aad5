//! What the machine must have, and what kubelets change on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::args::Wishes;

/// Debian package of each program that is not built here.
const PACKAGES: [(&str, &str); 7] = [
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
];
const FOLDERS: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];
pub const CNI_PLUGINS: &str = "/usr/lib/cni";
/// Where they are kept while any cluster is up.
const SAVED: &str = "/run/taffrail-kubernetes.sysctls";
/// kubelet writes these for the whole machine, whatever namespaces it is in.
const SYSCTLS: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];
const TOOLS: [&str; 2] = ["kube-apiserver", "kubectl"];
const NODE_TOOLS: [&str; 4] = ["kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"];

pub fn must_be_root() -> Result<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let effective = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let is_root = effective.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0");
    ensure!(is_root, "namespaces, mounts and cgroups need root: run it as root");
    Ok(())
}

/// Everything `up` will start is there. Paths become absolute.
pub fn check(wishes: &mut Wishes) -> Result<()> {
    must_be_root()?;
    for path in [&mut wishes.datastore, &mut wishes.tools, &mut wishes.images] {
        *path = std::path::absolute(&*path)?;
    }
    let datastore = wishes.datastore.display();
    ensure!(
        wishes.datastore.is_file(),
        "no datastore at {datastore}: cargo build -p taffrail, or --datastore PROGRAM"
    );
    tools(wishes)?;
    packages(if wishes.only_api { &PACKAGES[..1] } else { &PACKAGES })?;
    if !wishes.only_api {
        ensure!(
            Path::new(CNI_PLUGINS).join("ptp").exists(),
            "no CNI plugins: apt-get install containernetworking-plugins"
        );
        images(&wishes.images)?;
    }
    Ok(())
}

fn tools(wishes: &Wishes) -> Result<()> {
    let wanted = TOOLS.iter().chain(if wishes.only_api { &[][..] } else { &NODE_TOOLS });
    let missing: Vec<_> = wanted
        .filter(|name| !wishes.tools.join(name).exists())
        .copied()
        .collect();
    let (missing, tools) = (missing.join(", "), wishes.tools.display());
    ensure!(
        missing.is_empty(),
        "{missing} not in {tools}: TAFFRAIL_TOOLS_NODE=yes e2e/tools/build, or --tools DIR"
    );
    Ok(())
}

fn packages(programs: &[(&str, &str)]) -> Result<()> {
    let absent = |program: &str| !FOLDERS.iter().any(|folder| Path::new(folder).join(program).exists());
    let mut missing: Vec<_> = programs
        .iter()
        .filter(|(program, _)| absent(program))
        .map(|(_, package)| *package)
        .collect();
    missing.dedup();
    ensure!(
        missing.is_empty(),
        "programs are missing: apt-get install {}",
        missing.join(" ")
    );
    Ok(())
}

fn images(folder: &Path) -> Result<()> {
    for kind in ["pause", "coredns"] {
        let archive = folder.join(format!("{kind}.tar"));
        ensure!(
            archive.exists(),
            "no {0}: images/build {kind} --out {0}",
            archive.display()
        );
    }
    Ok(())
}

fn sysctl(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name)
}

/// Only if nobody has: the machine's own values are those before the first cluster.
pub fn save_sysctls() -> Result<()> {
    if Path::new(SAVED).exists() {
        return Ok(());
    }
    let lines = SYSCTLS.iter().filter_map(|name| {
        let value = std::fs::read_to_string(sysctl(name)).ok()?;
        Some(format!("{name} {}\n", value.trim()))
    });
    std::fs::write(SAVED, lines.collect::<String>()).with_context(|| format!("cannot write {SAVED}"))
}

/// After the last cluster.
pub fn restore_sysctls() -> Result<()> {
    let Ok(saved) = std::fs::read_to_string(SAVED) else {
        return Ok(());
    };
    for (name, value) in saved.lines().filter_map(|line| line.split_once(' ')) {
        std::fs::write(sysctl(name), value).with_context(|| format!("cannot restore {name}"))?;
    }
    std::fs::remove_file(SAVED).with_context(|| format!("cannot delete {SAVED}"))
}

/// Runs a program to its end.
pub fn run(program: &str, words: &[&str]) -> Result<String> {
    let output = Command::new(program).args(words).output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}", words.join(" "), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
