//! Addresses and routes: every node is a machine on one network, and its pods are a network behind it.
//!
//! The control plane's place is on that network too, so that what runs there reaches nodes, pods and, by a kube-proxy
//! of its own, services.

use anyhow::Result;

use crate::host;

pub const CONTROL: &str = "10.250.0.254";
pub const SERVICES: &str = "10.96.0.0/16";
/// The first address of [`SERVICES`]: the API server's.
pub const API_SERVICE: &str = "10.96.0.1";
pub const DNS_SERVICE: &str = "10.96.0.10";
pub const PODS: &str = "10.244.0.0/16";
/// Their addresses and certificates are set apart beforehand.
pub const NODES_MAX: u8 = 9;
const BRIDGE: &str = "lan";

pub fn address(node: u8) -> String {
    format!("10.250.0.{node}")
}
pub fn pods(node: u8) -> String {
    format!("10.244.{node}.0/24")
}

fn ip(words: &str) -> Result<()> {
    host::run("ip", &words.split(' ').collect::<Vec<_>>()).map(drop)
}

/// The network that nodes are plugged into.
pub fn make() -> Result<()> {
    ip("link set lo up")?;
    ip(&format!("link add {BRIDGE} type bridge"))?;
    ip(&format!("addr add {CONTROL}/24 dev {BRIDGE}"))?;
    ip(&format!("link set {BRIDGE} up"))?;
    // A packet to a service needs some way out before kube-proxy's rules turn it towards a pod.
    ip(&format!("route add {SERVICES} dev {BRIDGE}"))?;
    Ok(std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?)
}

/// Plugs in a node whose namespaces `pid` holds. The wire goes when the node goes.
pub fn plug_in(node: u8, nodes: u8, pid: u32) -> Result<()> {
    ip(&format!("link add node{node} type veth peer name eth0 netns {pid}"))?;
    ip(&format!("link set node{node} master {BRIDGE} up"))?;
    ip(&format!("route replace {} via {}", pods(node), address(node)))?;
    within(pid, "ip link set lo up")?;
    within(pid, &format!("ip addr add {}/24 dev eth0", address(node)))?;
    within(pid, "ip link set eth0 up")?;
    within(pid, &format!("ip route add default via {CONTROL}"))?;
    for other in (1..=nodes).filter(|&other| other != node) {
        within(pid, &format!("ip route add {} via {}", pods(other), address(other)))?;
    }
    within(pid, "sysctl -qw net.ipv4.ip_forward=1")
}

fn within(pid: u32, words: &str) -> Result<()> {
    let pid = pid.to_string();
    let mut all = vec!["-t", &pid, "-n", "-m"];
    all.extend(words.split(' '));
    host::run("nsenter", &all).map(drop)
}
