//! Who a client's certificate says it is.

use std::sync::Arc;

/// The subject's common name of a client's verified certificate; maybe empty. Put into a request's extensions by
/// who accepts connections, and only where client certificates are demanded (etcd auth/store.go,
/// `AuthInfoFromTLS`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    pub common_name: Arc<str>,
}

/// In the extensions of a request that came over TLS. Such a request need not be addressed to a name that is on the
/// list of hosts: a page that was lured to this address could not have shown a certificate for its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encrypted;
