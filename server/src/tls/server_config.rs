//! Settings and files -> what rustls serves by.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;

use super::client_check::ClientCheck;
use super::{ciphers, files};
use crate::config::{Offer, Security};

/// Everything that [`server_config`] reads.
pub(super) fn files_of(security: &Security) -> Vec<PathBuf> {
    let own = security.own.iter().flat_map(|own| [&own.cert, &own.key]);
    own.chain(&security.authorities)
        .chain(&security.revoked)
        .cloned()
        .collect()
}

/// `protocols` are those of ALPN; who offers none is served all the same.
pub(super) fn server_config(security: &Security, offer: &Offer, protocols: &[&str]) -> Result<ServerConfig> {
    let provider = ciphers::provider(offer)?;
    let own = security
        .own
        .as_ref()
        .context("KeyFile and CertFile are not presented")?;
    let own = files::certified(own, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_protocol_versions(&ciphers::versions(offer))?;
    let builder = if security.demands_certificates() {
        builder.with_client_cert_verifier(ClientCheck::new(security, &provider)?)
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
