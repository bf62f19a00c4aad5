//! A node: namespaces of its own with containerd, kubelet and kube-proxy in them.

pub mod config;

use std::time::Duration;

use anyhow::Result;

use crate::component::Component;
use crate::network;
use crate::state::State;
use crate::{cgroup, host, space, wait};

const PATIENCE: Duration = Duration::from_secs(60);
const SOCKET: &str = "/run/containerd/containerd.sock";

pub struct Node<'a> {
    state: &'a State,
    number: u8,
}

impl<'a> Node<'a> {
    pub fn of(state: &'a State, number: u8) -> Self {
        Self { state, number }
    }
    /// If it is the name of one of the cluster's nodes.
    pub fn by_name(state: &'a State, name: &str) -> Option<Self> {
        let number = name.strip_prefix("node")?.parse().ok()?;
        let nodes = state.wishes().ok()?.nodes;
        (1..=nodes).contains(&number).then_some(Self { state, number })
    }
    pub fn name(&self) -> String {
        format!("node{}", self.number)
    }
    fn group(&self) -> String {
        format!("{}/{}", cgroup::name(self.state), self.name())
    }
    pub fn system_group(&self) -> String {
        format!("{}/system", self.group())
    }
    fn dir(&self) -> String {
        self.state.text(&self.name())
    }
    fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.name())
    }

    /// As a machine that is switched on: nothing is mounted, /run is empty, disks are as they were.
    pub fn make(&self, nodes: u8) -> Result<()> {
        for folder in ["kubelet", "containerd", "log", "cni", "opt"] {
            self.state.folder(&self.path(folder))?;
        }
        let dir = self.dir();
        let mounts = format!(
            "mount -t tmpfs -o mode=755 tmpfs /run
             mkdir -p /run/netns /run/containerd /run/lock /var/lib/kubelet /var/lib/cni
             mount --bind {dir}/kubelet /var/lib/kubelet
             mount -t tmpfs tmpfs /var/lib/cni
             mount --bind {dir}/log /var/log
             mkdir -p /var/log/pods /var/log/containers"
        );
        let pid = space::create(self.state, &self.name(), &self.system_group(), &mounts)?;
        network::plug_in(self.number, nodes, pid)
    }

    pub fn start_containerd(&self) -> Result<()> {
        let dir = self.dir();
        self.state
            .write(&self.path("containerd.toml"), &config::containerd(&dir))?;
        self.state.write(
            &self.path("cni/10-pods.conflist"),
            &config::pod_network(self.number).to_string(),
        )?;
        let words = ["containerd", "-c", &format!("{dir}/containerd.toml")].map(str::to_owned);
        self.start("containerd", words.to_vec())?;
        let what = format!("containerd of {}: see log/containerd.{0}.log", self.name());
        wait::until(&what, PATIENCE, || self.ctr(&["version"]).is_ok())
    }

    pub fn import(&self, archive: &str) -> Result<()> {
        self.ctr(&["-n", "k8s.io", "images", "import", archive]).map(drop)
    }

    fn ctr(&self, words: &[&str]) -> Result<String> {
        let pid = space::holder(self.state, &self.name()).unwrap_or_default().to_string();
        let mut all = vec!["-t", &pid, "-n", "-m", "-p", "ctr", "--address", SOCKET];
        all.extend(words);
        host::run("nsenter", &all)
    }

    pub fn start_kubelet(&self) -> Result<()> {
        let tools = self.state.wishes()?.tools;
        let (name, dir, state) = (self.name(), self.dir(), self.state.dir().display());
        self.state.write(
            &self.path("kubelet.json"),
            &config::kubelet(self, &format!("{state}/pki")).to_string(),
        )?;
        let words = format!(
            "{}/kubelet --config={dir}/kubelet.json --kubeconfig={state}/kubelet.{name}.kubeconfig
            --hostname-override={name} --node-ip={} --node-labels=topology.kubernetes.io/zone=zone{}",
            tools.display(),
            network::address(self.number),
            self.number
        );
        self.start("kubelet", words.split_whitespace().map(str::to_owned).collect())
    }

    pub fn start_proxy(&self) -> Result<()> {
        self.start(
            "proxy",
            config::proxy_words(self.state, &self.name(), &self.path("proxy.json"))?,
        )
    }

    fn start(&self, name: &str, words: Vec<String>) -> Result<()> {
        Component::on(name, self.number, words).start(self.state)
    }

    pub fn start_again(&self) -> Result<()> {
        self.make(self.state.wishes()?.nodes)?;
        self.start_containerd()?;
        self.start_kubelet()?;
        self.start_proxy()
    }
}
