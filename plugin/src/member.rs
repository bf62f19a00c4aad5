//! Speaking to a member itself: through the API server's port-forward to its pod, with the cluster's certificates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::client::UpgradeConnectionError;
use kube::{Api, ResourceExt};
use taffrail_crds::{EtcdCluster, MemberSummary, TlsMode};
use taffrail_proto::etcdserverpb::maintenance_client::MaintenanceClient;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::failure::{Failure, chain};
use crate::session::Session;

const PORT: u16 = 2379;
/// For a connection, and for each question.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What is shown to members, and whom they are believed.
pub struct Keys {
    authorities: String,
    certificate: String,
    key: String,
}

impl Keys {
    /// None for a cluster without TLS. `secret`: another one than the cluster's own.
    ///
    /// # Errors
    /// If the Secret is not there, may not be read, or lacks something.
    pub async fn read(session: &Session, cluster: &EtcdCluster, secret: Option<&str>) -> Result<Option<Self>, Failure> {
        if cluster.spec.tls.client.mode == TlsMode::Disabled {
            return Ok(None);
        }
        let name = secret.map_or_else(|| own(cluster), str::to_owned);
        let api: Api<Secret> = session.api();
        let found = api.get_opt(&name).await;
        let found = found.map_err(|error| Failure::of(error, &format!("read the Secret {name}")))?;
        let found =
            found.ok_or_else(|| Failure::Missing(format!("there is no Secret {name} with a client certificate")))?;
        let data = found.data.unwrap_or_default();
        Ok(Some(Self {
            authorities: field(&data, &name, "ca.crt")?,
            certificate: field(&data, &name, "tls.crt")?,
            key: field(&data, &name, "tls.key")?,
        }))
    }
}

/// Where authentication is on, only the operator's certificate has the rights of root.
fn own(cluster: &EtcdCluster) -> String {
    let status = cluster.status.clone().unwrap_or_default();
    let name = cluster.name_any();
    match (status.auth_enabled, status.client_secret) {
        (true, _) => format!("{name}-operator"),
        (false, Some(secret)) => secret,
        (false, None) => format!("{name}-client"),
    }
}

fn field(data: &BTreeMap<String, ByteString>, secret: &str, key: &str) -> Result<String, Failure> {
    let value = data.get(key).and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
    value.ok_or_else(|| Failure::Wrong(format!("the Secret {secret} has no {key}")))
}

/// A connection to one member.
///
/// # Errors
/// If the port cannot be forwarded or the handshake fails.
pub async fn connect(
    session: &Session,
    member: &MemberSummary,
    keys: Option<&Keys>,
) -> Result<MaintenanceClient<Channel>, Failure> {
    let opened = tokio::time::timeout(PATIENCE, open(session, member, keys)).await;
    let late = |_| {
        Failure::Unreachable(format!(
            "{} did not answer within {} s",
            member.name,
            PATIENCE.as_secs()
        ))
    };
    opened.map_err(late)?.map(MaintenanceClient::new)
}

async fn open(session: &Session, member: &MemberSummary, keys: Option<&Keys>) -> Result<Channel, Failure> {
    let pod = &member.name;
    let pods: Api<Pod> = session.api();
    let forwarded = pods.portforward(pod, &[PORT]).await;
    let mut forwarded = forwarded.map_err(|error| refused_forward(error, pod))?;
    let stream = forwarded.take_stream(PORT);
    // One connection and no other: a second call of the connector gets nothing.
    let stream = Arc::new(Mutex::new(stream));
    let connector = tower::service_fn(move |_| {
        let stream = stream.lock().ok().and_then(|mut stream| stream.take());
        async move {
            stream
                .map(TokioIo::new)
                .ok_or_else(|| std::io::Error::other("the forwarded port is closed"))
        }
    });
    let failed =
        |error: tonic::transport::Error| Failure::Unreachable(format!("cannot reach {pod}: {}", chain(&error)));
    let endpoint = endpoint(&host(member), keys).map_err(failed)?;
    let channel = endpoint.timeout(PATIENCE).connect_with_connector(connector).await;
    let channel = channel.map_err(failed)?;
    // It lives as long as its streams do.
    tokio::spawn(forwarded.join());
    Ok(channel)
}

fn refused_forward(error: kube::Error, pod: &str) -> Failure {
    match error {
        kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(code)) if code.as_u16() == 403 => {
            Failure::Forbidden(format!(
                "no right to forward a port to the pod {pod} (pods/portforward, verb create or get)"
            ))
        }
        kube::Error::UpgradeConnection(refused) => {
            Failure::Unreachable(format!("cannot forward a port to the pod {pod}: {refused}"))
        }
        other => Failure::of(other, &format!("forward a port to the pod {pod}")),
    }
}

fn endpoint(host: &str, keys: Option<&Keys>) -> Result<Endpoint, tonic::transport::Error> {
    let Some(keys) = keys else {
        return Endpoint::from_shared(format!("http://{host}:{PORT}"));
    };
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&keys.authorities))
        .identity(Identity::from_pem(&keys.certificate, &keys.key))
        .domain_name(host);
    Endpoint::from_shared(format!("https://{host}:{PORT}"))?.tls_config(tls)
}

/// What the member's certificate is for: the host of the URL that it tells clients.
fn host(member: &MemberSummary) -> String {
    let url = member.endpoint.as_deref().and_then(|url| url.parse::<http::Uri>().ok());
    let host = url.and_then(|url| url.host().map(str::to_owned));
    host.unwrap_or_else(|| "localhost".into())
}

/// What it said.
pub fn said(member: &str, status: &tonic::Status) -> Failure {
    let message = status.message();
    match status.code() {
        tonic::Code::PermissionDenied | tonic::Code::Unauthenticated | tonic::Code::InvalidArgument
            if message.contains("permission") || message.contains("user name") =>
        {
            Failure::Forbidden(format!(
                "{member}: {message}; --secret names a Secret with root's certificate"
            ))
        }
        tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => {
            Failure::Unreachable(format!("{member}: {message}"))
        }
        _ => Failure::Failed(format!("{member}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_must_be_for_the_members_name() {
        let mut member = MemberSummary::default();
        assert_eq!(host(&member), "localhost");
        member.endpoint = Some("https://demo-0.demo-peers.a.svc.cluster.local:2379".into());
        assert_eq!(host(&member), "demo-0.demo-peers.a.svc.cluster.local");
    }

    #[test]
    fn root_speaks_where_authentication_is_on() {
        let mut cluster = EtcdCluster::new("demo", serde_json::from_str("{}").unwrap());
        assert_eq!(own(&cluster), "demo-client");
        let status = cluster.status.get_or_insert_default();
        status.client_secret = Some("given".into());
        assert_eq!(own(&cluster), "given");
        cluster.status.get_or_insert_default().auth_enabled = true;
        assert_eq!(own(&cluster), "demo-operator");
    }
}
