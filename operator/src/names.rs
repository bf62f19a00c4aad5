//! Names of what belongs to a cluster: said here once.

use taffrail_crds::EtcdCluster;

/// Field manager of everything that the operator applies.
pub const FIELD_MANAGER: &str = "taffrail-operator";
pub const CLIENT_PORT: i32 = 2379;
pub const PEER_PORT: i32 = 2380;
pub const METRICS_PORT: i32 = 2381;

/// Names of what belongs to one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub cluster: String,
    pub namespace: String,
    pub domain: String,
}

impl Names {
    /// An EtcdCluster always has a name and a namespace once an API server has it.
    pub fn of(cluster: &EtcdCluster, domain: &str) -> Self {
        Self {
            cluster: cluster.metadata.name.clone().unwrap_or_default(),
            namespace: cluster.metadata.namespace.clone().unwrap_or_default(),
            domain: domain.to_owned(),
        }
    }

    /// Headless: one name per member.
    pub fn peer_service(&self) -> String {
        format!("{}-peers", self.cluster)
    }

    pub fn client_service(&self) -> String {
        format!("{}-client", self.cluster)
    }

    /// `SERVICE.NAMESPACE.svc.DOMAIN`
    pub fn service_host(&self, service: &str) -> String {
        format!("{service}.{}.svc.{}", self.namespace, self.domain)
    }

    /// Also the name of its pod.
    pub fn member(&self, serial: i64) -> String {
        format!("{}-{serial}", self.cluster)
    }

    pub fn member_host(&self, member: &str) -> String {
        format!("{member}.{}", self.service_host(&self.peer_service()))
    }

    /// Secret with a certificate authority and its key: the operator's alone.
    pub fn authority_secret(&self, surface: Surface) -> String {
        format!("{}-{}-ca", self.cluster, surface.word())
    }

    /// Secret that members mount: `ca.crt`, `tls.crt`, `tls.key`.
    pub fn member_secret(&self, surface: Surface) -> String {
        match surface {
            Surface::Client => format!("{}-server", self.cluster),
            Surface::Peer => format!("{}-peer", self.cluster),
        }
    }

    /// Secret for applications.
    pub fn application_secret(&self) -> String {
        format!("{}-client", self.cluster)
    }

    /// Secret of the operator as a client of etcd; its common name is `root`.
    pub fn operator_secret(&self) -> String {
        format!("{}-operator", self.cluster)
    }

    /// Secret with the password of root that etcd was last given.
    pub fn applied_password_secret(&self) -> String {
        format!("{}-root-applied", self.cluster)
    }
}

/// Of a member's volume claim.
pub fn volume_claim(member: &str) -> String {
    format!("data-{member}")
}

/// Where members speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Surface {
    Client,
    Peer,
}

impl Surface {
    pub fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Peer => "peer",
        }
    }
}
