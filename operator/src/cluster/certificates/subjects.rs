//! Whom certificates are for.

use std::time::Duration;

use crate::names::{Names, Surface};
use crate::pki::Leaf;

/// What members show: every member of the cluster, also those to come, by one wildcard.
pub(super) fn member(names: &Names, surface: Surface, extra: &[String], life: Duration) -> Leaf {
    let mut hosts = members(names);
    if surface == Surface::Client {
        hosts.extend(["localhost", "127.0.0.1", "::1"].map(String::from));
        hosts.extend(client_service(names));
    }
    hosts.extend(extra.iter().cloned());
    Leaf::server(&names.cluster, hosts, life)
}

/// etcd takes it for the user root, who may do everything.
pub(super) fn operator(life: Duration) -> Leaf {
    Leaf::client("root", life)
}

/// With authentication on, what it may do is what the user of this name may.
pub(super) fn application(names: &Names, life: Duration) -> Leaf {
    Leaf::client(&format!("{}-client", names.cluster), life)
}

fn members(names: &Names) -> Vec<String> {
    let service = names.peer_service();
    vec![
        format!("*.{service}.{}.svc", names.namespace),
        format!("*.{}", names.service_host(&service)),
    ]
}

fn client_service(names: &Names) -> [String; 4] {
    let service = names.client_service();
    [
        format!("{service}.{}", names.namespace),
        format!("{service}.{}.svc", names.namespace),
        names.service_host(&service),
        service,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cluster;

    const LIFE: Duration = Duration::from_secs(1000);

    #[test]
    fn a_server_is_known_by_every_name_that_clients_use() {
        let names = Names::of(&cluster(), "cluster.local");
        let leaf = member(&names, Surface::Client, &["etcd.example.org".into()], LIFE);
        let expected = [
            "*.a-peers.ns.svc",
            "*.a-peers.ns.svc.cluster.local",
            "127.0.0.1",
            "::1",
            "a-client",
            "a-client.ns",
            "a-client.ns.svc",
            "a-client.ns.svc.cluster.local",
            "etcd.example.org",
            "localhost",
        ];
        assert_eq!(leaf.names.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_peer_is_known_by_members_names_alone() {
        let names = Names::of(&cluster(), "cluster.local");
        let leaf = member(&names, Surface::Peer, &[], LIFE);
        assert_eq!(
            leaf.names,
            ["*.a-peers.ns.svc", "*.a-peers.ns.svc.cluster.local"]
                .map(String::from)
                .into()
        );
        assert!(leaf.serves && !operator(LIFE).serves && application(&names, LIFE).names.is_empty());
    }
}
