//! What a cluster's client Secret says now, for clients that outlive certificates.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::task::JoinHandle;

use crate::Namespace;
use crate::workload::Tls;

const POLL: Duration = Duration::from_millis(500);

type Config = Option<Arc<rustls::ClientConfig>>;

/// Follows a Secret with `ca.crt`, `tls.crt` and `tls.key`, as an application that loads them anew. Ends with the last
/// copy of it.
#[derive(Clone)]
pub struct Speech {
    found: Arc<RwLock<Config>>,
    _task: Arc<Aborted>,
}

struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Speech {
    /// Returns once the Secret was read, if it is there.
    pub async fn of(namespace: &Namespace, secret: &str) -> Self {
        let (secrets, name) = (namespace.api::<Secret>(), secret.to_owned());
        let first = secrets.get_opt(&name).await.ok().flatten();
        let found = Arc::new(RwLock::new(first.as_ref().and_then(tls).map(|tls| tls.config())));
        let task = tokio::spawn(follow(secrets, name, first.as_ref().and_then(version), found.clone()));
        Self {
            found,
            _task: Arc::new(Aborted(task)),
        }
    }

    /// None: plain HTTP.
    pub fn now(&self) -> Config {
        self.found.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// While the API server does not answer, what was found last stays.
async fn follow(secrets: Api<Secret>, name: String, mut known: Option<String>, found: Arc<RwLock<Config>>) {
    loop {
        if let Ok(Some(secret)) = secrets.get_opt(&name).await
            && version(&secret) != known
        {
            known = version(&secret);
            *found.write().unwrap_or_else(PoisonError::into_inner) = tls(&secret).map(|tls| tls.config());
        }
        tokio::time::sleep(POLL).await;
    }
}

fn version(secret: &Secret) -> Option<String> {
    secret.metadata.resource_version.clone()
}

fn tls(secret: &Secret) -> Option<Tls> {
    let data = secret.data.as_ref()?;
    let text = |key: &str| {
        let ByteString(bytes) = data.get(key)?;
        String::from_utf8(bytes.clone()).ok()
    };
    Some(Tls {
        ca: text("ca.crt")?,
        cert: text("tls.crt")?,
        key: text("tls.key")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_without_certificates_means_plain_http() {
        let secret = |keys: &[&str]| Secret {
            data: Some(
                keys.iter()
                    .map(|key| ((*key).to_owned(), ByteString(b"x".to_vec())))
                    .collect(),
            ),
            ..Secret::default()
        };
        assert!(tls(&secret(&["endpoints"])).is_none());
        assert!(tls(&secret(&["ca.crt", "tls.crt"])).is_none());
        assert_eq!(tls(&secret(&["ca.crt", "tls.crt", "tls.key"])).unwrap().key, "x");
    }
}
