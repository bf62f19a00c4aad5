//! Policies as rules of iptables.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

pub const CHAIN: &str = "POLICIES";

type Labels = BTreeMap<String, String>;

/// Everything that rules are made of.
pub struct Known {
    pub policies: Vec<NetworkPolicy>,
    pub pods: Vec<Pod>,
    /// Labels of namespaces.
    pub namespaces: BTreeMap<String, Labels>,
}

/// Where packets go, as seen from the pod that a policy selects.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::In => "Ingress",
            Self::Out => "Egress",
        }
    }

    /// The sides of the pod and of its peer.
    fn sides(self) -> (&'static str, &'static str) {
        match self {
            Self::In => ("-d", "-s"),
            Self::Out => ("-s", "-d"),
        }
    }
}

/// For `iptables-restore --noflush`: what is not allowed by any policy of a pod that has some is dropped.
pub fn rules(known: &Known) -> String {
    let mut chains = vec![format!("*filter\n:{CHAIN} - [0:0]")];
    let mut jumps = vec![format!(
        "-A {CHAIN} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"
    )];
    let mut ends = Vec::new();
    for pod in &known.pods {
        for way in [Way::In, Way::Out] {
            let (Some(address), Some(allowed)) = (address(pod), allowed(known, pod, way)) else {
                continue;
            };
            let chain = format!("{}-{address}", way.name());
            chains.push(format!(":{chain} - [0:0]"));
            jumps.push(format!("-A {CHAIN} {} {address} -j {chain}", way.sides().0));
            ends.extend(allowed.iter().map(|one| format!("-A {chain}{one} -j RETURN")));
            ends.push(format!("-A {chain} -j DROP"));
        }
    }
    ends.push("COMMIT\n".into());
    [chains, jumps, ends].concat().join("\n")
}

/// A pod with an address of its own that still runs.
fn address(pod: &Pod) -> Option<&str> {
    let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
    let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    let own = !ended && spec.host_network != Some(true);
    status.pod_ip.as_deref().filter(|_| own)
}

/// Matches that are let through; none if no policy is about this pod and this way.
fn allowed(known: &Known, pod: &Pod, way: Way) -> Option<Vec<String>> {
    let about = known.policies.iter().filter(|policy| is_about(policy, pod, way));
    let mut found = None;
    for policy in about {
        let matches = of_policy(known, policy, pod, way);
        found.get_or_insert_with(Vec::new).extend(matches);
    }
    found
}

fn is_about(policy: &NetworkPolicy, pod: &Pod, way: Way) -> bool {
    let Some(spec) = policy.spec.as_ref().filter(|_| policy.namespace() == pod.namespace()) else {
        return false;
    };
    let types = spec.policy_types.iter().flatten();
    let selected = spec.pod_selector.as_ref().is_none_or(|one| selects(one, pod.labels()));
    selected && types.into_iter().any(|one| one == way.name())
}

fn of_policy(known: &Known, policy: &NetworkPolicy, pod: &Pod, way: Way) -> Vec<String> {
    let namespace = policy.namespace().unwrap_or_default();
    let spec = policy.spec.clone().unwrap_or_default();
    let rules: Vec<_> = match way {
        Way::In => spec
            .ingress
            .into_iter()
            .flatten()
            .map(|rule| (rule.from, rule.ports))
            .collect(),
        Way::Out => spec
            .egress
            .into_iter()
            .flatten()
            .map(|rule| (rule.to, rule.ports))
            .collect(),
    };
    let each = rules.into_iter().flat_map(|(peers, ports)| {
        let peers = of_peers(known, &namespace, &peers.unwrap_or_default(), way);
        let ports = of_ports(&ports.unwrap_or_default(), pod);
        let both = move |peer: &String| ports.iter().map(|port| format!("{peer}{port}")).collect::<Vec<_>>();
        peers.iter().flat_map(both).collect::<Vec<_>>()
    });
    each.collect()
}

fn of_peers(known: &Known, namespace: &str, peers: &[NetworkPolicyPeer], way: Way) -> Vec<String> {
    if peers.is_empty() {
        return vec![String::new()];
    }
    let addresses = peers.iter().flat_map(|peer| match &peer.ip_block {
        Some(block) => vec![block.cidr.clone()],
        None => known
            .pods
            .iter()
            .filter(|pod| is_peer(known, namespace, peer, pod))
            .filter_map(address)
            .map(str::to_owned)
            .collect(),
    });
    addresses.map(|one| format!(" {} {one}", way.sides().1)).collect()
}

fn is_peer(known: &Known, namespace: &str, peer: &NetworkPolicyPeer, pod: &Pod) -> bool {
    let home = pod.namespace().unwrap_or_default();
    let near = match (&peer.namespace_selector, known.namespaces.get(&home)) {
        (Some(selector), Some(labels)) => selects(selector, labels),
        _ => home == namespace,
    };
    near && peer.pod_selector.as_ref().is_none_or(|one| selects(one, pod.labels()))
}

/// A port's name is one of the pod that the policy is about.
fn of_ports(ports: &[NetworkPolicyPort], pod: &Pod) -> Vec<String> {
    if ports.is_empty() {
        return vec![String::new()];
    }
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let named: Vec<_> = containers.flat_map(|one| one.ports.iter().flatten()).collect();
    let number = |port: &NetworkPolicyPort| match port.port.as_ref()? {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => named
            .iter()
            .find(|one| one.name.as_ref() == Some(name))
            .map(|one| one.container_port),
    };
    let of = |port: &NetworkPolicyPort| {
        let protocol = port.protocol.as_deref().unwrap_or("TCP").to_lowercase();
        Some(format!(" -p {protocol} --dport {}", number(port)?))
    };
    ports.iter().filter_map(of).collect()
}

fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let exact = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    let expressions = selector.match_expressions.iter().flatten();
    exact
        && expressions.into_iter().all(|one| {
            let found = labels.get(&one.key);
            let among = found.is_some_and(|value| one.values.iter().flatten().any(|other| other == value));
            match one.operator.as_str() {
                "In" => among,
                "NotIn" => !among,
                "Exists" => found.is_some(),
                _ => found.is_none(),
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(name: &str, ip: &str) -> Pod {
        let containers = json!([{"name": "a", "ports": [{"name": "metrics", "containerPort": 9000}]}]);
        let metadata = json!({"name": name, "namespace": "n", "labels": {"app": name}});
        let whole = json!({"metadata": metadata, "spec": {"containers": containers}, "status": {"podIP": ip}});
        serde_json::from_value(whole).unwrap()
    }

    fn known(spec: Value) -> Known {
        let policy = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": spec});
        Known {
            policies: vec![serde_json::from_value(policy).unwrap()],
            pods: vec![pod("a", "10.0.0.1"), pod("b", "10.0.0.2")],
            namespaces: [("n".to_owned(), Labels::new())].into(),
        }
    }

    fn about_a(direction: &str, rules: Value) -> String {
        let field = direction.to_lowercase();
        rules_of(json!({"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": [direction], (field): rules}))
    }

    fn rules_of(spec: Value) -> String {
        rules(&known(spec))
    }

    #[test]
    fn what_no_rule_lets_through_is_dropped_for_the_selected_pod_alone() {
        let made = about_a("Ingress", json!([]));
        assert!(
            made.contains("-A POLICIES -d 10.0.0.1 -j Ingress-10.0.0.1\n-A Ingress-10.0.0.1 -j DROP\n"),
            "{made}"
        );
        assert!(!made.contains("10.0.0.2") && !made.contains("Egress"), "{made}");
    }

    #[test]
    fn peers_are_pods_blocks_or_everybody_and_ports_have_numbers_or_names() {
        let from_b =
            json!([{"from": [{"podSelector": {"matchLabels": {"app": "b"}}}], "ports": [{"port": "metrics"}]}]);
        let made = about_a("Ingress", from_b);
        assert!(
            made.contains("-A Ingress-10.0.0.1 -s 10.0.0.2 -p tcp --dport 9000 -j RETURN\n"),
            "{made}"
        );
        let elsewhere = json!([{"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}]}]);
        assert!(
            !about_a("Ingress", elsewhere).contains("RETURN\n-A Ingress"),
            "nobody is there"
        );
        let block =
            json!([{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}]}, {"ports": [{"port": 53, "protocol": "UDP"}]}]);
        let made = about_a("Egress", block);
        assert!(made.contains("-A Egress-10.0.0.1 -d 10.9.0.0/16 -j RETURN\n"), "{made}");
        assert!(
            made.contains("-A Egress-10.0.0.1 -p udp --dport 53 -j RETURN\n"),
            "{made}"
        );
    }
}
