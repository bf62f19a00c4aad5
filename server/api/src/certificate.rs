//! Who a client's certificate says it is.

use std::sync::Arc;

/// The subject's common name of a client's verified certificate; maybe empty. Put into a request's extensions by
/// who accepts connections, and only where client certificates are demanded (etcd auth/store.go,
/// `AuthInfoFromTLS`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    pub common_name: Arc<str>,
}
