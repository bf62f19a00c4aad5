//! Where a cluster's members are now, for clients that outlive members.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use tokio::task::JoinHandle;

use crate::Namespace;

const POLL: Duration = Duration::from_millis(500);

/// Follows the pods that a label selector finds. Ends with the last copy of it.
#[derive(Clone)]
pub struct Addresses {
    found: Arc<RwLock<Vec<String>>>,
    _task: Arc<Aborted>,
}

struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Addresses {
    /// With `port`. A pod with a host name and a subdomain goes by its name in DNS, for certificates name that.
    pub fn of(namespace: &Namespace, selector: &str, port: u16) -> Self {
        let found = Arc::new(RwLock::new(Vec::new()));
        let (pods, params) = (namespace.api(), ListParams::default().labels(selector));
        let task = tokio::spawn(follow(pods, params, port, found.clone()));
        Self {
            found,
            _task: Arc::new(Aborted(task)),
        }
    }

    pub fn now(&self) -> Vec<String> {
        self.found.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// While the API server does not answer, the last addresses stay.
async fn follow(pods: Api<Pod>, params: ListParams, port: u16, found: Arc<RwLock<Vec<String>>>) {
    loop {
        if let Ok(pods) = pods.list(&params).await {
            let addresses = pods.iter().filter_map(|pod| address(pod, port)).collect();
            *found.write().unwrap_or_else(PoisonError::into_inner) = addresses;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn address(pod: &Pod, port: u16) -> Option<String> {
    let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
    let address = status.pod_ip.clone()?;
    let host = match (&spec.hostname, &spec.subdomain) {
        (Some(host), Some(domain)) => format!("{host}.{domain}.{}.svc.cluster.local", pod.namespace()?),
        _ => address,
    };
    Some(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_goes_by_its_name_once_it_has_an_address() {
        let pod = |spec: &str, status: &str| -> Pod {
            let text = format!(r#"{{"metadata": {{"namespace": "n"}}, "spec": {spec}, "status": {status}}}"#);
            serde_json::from_str(&text).unwrap()
        };
        let named = r#"{"hostname": "a", "subdomain": "etcd", "containers": []}"#;
        assert_eq!(address(&pod(named, "{}"), 2379), None);
        let placed = r#"{"podIP": "10.0.0.1"}"#;
        assert_eq!(address(&pod(named, placed), 1).unwrap(), "a.etcd.n.svc.cluster.local:1");
        assert_eq!(address(&pod(r#"{"containers": []}"#, placed), 1).unwrap(), "10.0.0.1:1");
    }
}
