//! A node: namespaces of its own with containerd, kubelet and kube-proxy in them.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::component::Component;
use crate::network::{self, DNS_SERVICE, PODS};
use crate::state::State;
use crate::{cgroup, host, space, wait};

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: &str = concat!("docker.io/taffrail/pause:", env!("CARGO_PKG_VERSION"));
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
        self.state.write(&self.path("containerd.toml"), &containerd(&dir))?;
        self.state.write(
            &self.path("cni/10-pods.conflist"),
            &pod_network(self.number).to_string(),
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
            &kubelet(self, &format!("{state}/pki")).to_string(),
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
        self.start("proxy", proxy_words(self.state, &self.name(), &self.path("proxy.json"))?)
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

/// A kube-proxy with the eyes of one node: the control plane's place has one too, to reach services.
///
/// The file is its own: a kube-proxy ends when its configuration is written again.
pub fn proxy_words(state: &State, node: &str, file: &str) -> Result<Vec<String>> {
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "mode": "iptables", "hostnameOverride": node, "clusterCIDR": PODS,
        "clientConnection": {"kubeconfig": state.text("proxy.kubeconfig")},
        "iptables": {"minSyncPeriod": "100ms"},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    });
    let path = state.write(file, &config.to_string())?;
    let program = state.wishes()?.tools.join("kube-proxy");
    Ok(vec![
        program.display().to_string(),
        format!("--config={}", path.display()),
    ])
}

/// Without the right to lower OOM scores containers would not start: it is restricted to raising them.
fn containerd(dir: &str) -> String {
    format!(
        r#"version = 2
root = "{dir}/containerd"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{dir}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{dir}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"#,
        plugins = host::CNI_PLUGINS
    )
}

/// Every pod at the end of a wire of its own: all that pods say to each other is routed, so that kube-proxy sees both
/// directions without the bridge netfilter module.
fn pod_network(node: u8) -> serde_json::Value {
    let ranges = json!([[{"subnet": network::pods(node)}]]);
    let ipam = json!({"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/cni"});
    json!({"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": false, "ipam": ipam}]})
}

fn kubelet(node: &Node<'_>, pki: &str) -> serde_json::Value {
    let name = node.name();
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "cgroupDriver": "cgroupfs", "cgroupRoot": node.group(), "failCgroupV1": false, "failSwapOn": false,
        "authentication": {"anonymous": {"enabled": false}, "webhook": {"enabled": true},
            "x509": {"clientCAFile": format!("{pki}/ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": format!("{pki}/kubelet.{name}.crt"), "tlsPrivateKeyFile": format!("{pki}/kubelet.{name}.key"),
        "clusterDNS": [DNS_SERVICE], "clusterDomain": "cluster.local", "resolvConf": node.state.text("nowhere.conf"),
        "nodeStatusUpdateFrequency": "5s", "nodeLeaseDurationSeconds": 12,
        "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%"},
        "maxPods": 110, "maxOpenFiles": 20000, "volumePluginDir": node.state.text("plugins"),
        "registryPullQPS": 0, "eventRecordQPS": 0, "kubeAPIQPS": 200, "kubeAPIBurst": 400, "serializeImagePulls": false,
    })
}
