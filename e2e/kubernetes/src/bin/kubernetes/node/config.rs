//! What the programs of a node are told.

use anyhow::Result;
use serde_json::json;

use super::{Node, SOCKET};
use crate::host;
use crate::network::{self, DNS_SERVICE, PODS};
use crate::state::State;

const PAUSE: &str = concat!("docker.io/taffrail/pause:", env!("CARGO_PKG_VERSION"));

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
pub(super) fn containerd(dir: &str) -> String {
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
pub(super) fn pod_network(node: u8) -> serde_json::Value {
    let ranges = json!([[{"subnet": network::pods(node)}]]);
    let ipam = json!({"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/cni"});
    json!({"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": false, "ipam": ipam}]})
}

/// Crashes are repeated and Secrets reach pods within seconds, not minutes: tests wait for both.
pub(super) fn kubelet(node: &Node<'_>, pki: &str) -> serde_json::Value {
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
        "syncFrequency": "10s", "featureGates": {"KubeletCrashLoopBackOffMax": true},
        "crashLoopBackOff": {"maxContainerRestartPeriod": "8s"},
        "maxPods": 110, "maxOpenFiles": 20000, "volumePluginDir": node.state.text("plugins"),
        "registryPullQPS": 0, "eventRecordQPS": 0, "kubeAPIQPS": 200, "kubeAPIBurst": 400, "serializeImagePulls": false,
    })
}
