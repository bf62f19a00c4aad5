//! The Secret for applications: where the members are and what to show them.

use super::keeper::Keeper;
use super::{CertificatesError, Surfaced};
use crate::etcd::ClientTls;
use crate::secrets::{Data, Found};

/// Keeps it, unless clients should speak TLS and what they need is not there: then the one before stays.
pub(super) async fn keep(keeper: &mut Keeper<'_>, client: Option<&Surfaced>) -> Result<(), CertificatesError> {
    let mut data = match client.and_then(|client| client.application.as_ref()) {
        Some(tls) => data(tls),
        None if !keeper.cluster.spec.tls.client.is_on() => Data::new(),
        None => return named_by_another(keeper).await,
    };
    data.insert("endpoints".into(), endpoints(keeper).into_bytes());
    let name = keeper.names.application_secret();
    match keeper.secrets.find(&name).await? {
        Found::Absent => keeper.secrets.keep(&name, None, data).await?,
        Found::Ours(before) => keeper.secrets.keep(&name, Some(&before), data).await?,
        Found::Theirs(problem) => keeper.problems.push(problem),
    }
    Ok(())
}

async fn named_by_another(keeper: &mut Keeper<'_>) -> Result<(), CertificatesError> {
    if let Found::Theirs(problem) = keeper.secrets.find(&keeper.names.application_secret()).await? {
        keeper.problems.push(problem);
    }
    Ok(())
}

/// The members' URLs; the Service's as long as there is no member.
fn endpoints(keeper: &Keeper<'_>) -> String {
    let status = keeper.cluster.status.as_ref();
    match status
        .map(|status| status.endpoints.join(","))
        .filter(|all| !all.is_empty())
    {
        Some(all) => all,
        None => service(keeper),
    }
}

fn service(keeper: &Keeper<'_>) -> String {
    let scheme = if keeper.cluster.spec.tls.client.is_on() {
        "https"
    } else {
        "http"
    };
    let host = keeper.names.service_host(&keeper.names.client_service());
    format!("{scheme}://{host}:{}", crate::names::CLIENT_PORT)
}

/// As members, the operator and applications find it.
pub(super) fn data(tls: &ClientTls) -> Data {
    let entries = [
        ("ca.crt", &tls.authorities),
        ("tls.crt", &tls.certificate),
        ("tls.key", &tls.key),
    ];
    entries
        .map(|(key, value)| (key.to_owned(), value.clone().into_bytes()))
        .into()
}
