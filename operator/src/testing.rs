//! For tests: a shelf of objects that answers as an API server does for reading, making and replacing them.

mod etcd;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::ObjectMeta;
use kube::client::Body;
use serde_json::{Value, json};
use taffrail_crds::{EtcdCluster, EtcdClusterSpec};

pub use etcd::FakeAuth;

/// Objects by their path.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Value>,
    writes: u64,
    /// The write after so many others fails, as if the operator had crashed before it.
    fails_after: Option<u64>,
    /// Paths with this in them are not known: a kind that is not installed.
    unknown: Option<&'static str>,
}

/// `ns/a`, as `kubectl apply` of an empty spec makes it.
pub fn cluster() -> EtcdCluster {
    let spec: EtcdClusterSpec = serde_json::from_value(json!({})).unwrap();
    let mut cluster = EtcdCluster::new("a", spec);
    cluster.metadata.namespace = Some("ns".into());
    cluster.metadata.uid = Some("uid-a".into());
    cluster.metadata.generation = Some(1);
    cluster
}

impl Shelf {
    pub fn client(&self) -> Client {
        let shelf = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let shelf = shelf.clone();
            async move { shelf.answer(request).await }
        });
        Client::new(service, "default")
    }

    pub fn writes(&self) -> u64 {
        self.inner().writes
    }

    pub fn fail_after(&self, writes: Option<u64>) {
        self.inner().fails_after = writes;
    }

    pub fn not_installed(&self, word: Option<&'static str>) {
        self.inner().unknown = word;
    }

    pub fn put_secret(&self, name: &str, data: &[(&str, &str)]) {
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.into()),
                ..ObjectMeta::default()
            },
            data: Some(
                data.iter()
                    .map(|(k, v)| ((*k).into(), ByteString(v.as_bytes().to_vec())))
                    .collect(),
            ),
            ..Secret::default()
        };
        let mut object = serde_json::to_value(secret).unwrap();
        object["metadata"]["resourceVersion"] = json!("0");
        self.inner().objects.insert(secret_path(name), object);
    }

    pub fn remove_secret(&self, name: &str) {
        self.inner().objects.remove(&secret_path(name));
    }

    pub fn has_secret(&self, name: &str) -> bool {
        self.inner().objects.contains_key(&secret_path(name))
    }

    /// Its data as text.
    pub fn secret(&self, name: &str) -> BTreeMap<String, String> {
        let secret: Secret = serde_json::from_value(self.inner().objects[&secret_path(name)].clone()).unwrap();
        let text = |value: ByteString| String::from_utf8(value.0).unwrap();
        secret
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, text(value)))
            .collect()
    }

    /// The object at a path, as `/apis/cert-manager.io/v1/namespaces/ns/certificates/x`.
    pub fn object(&self, path: &str) -> Option<Value> {
        self.inner().objects.get(path).cloned()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, std::convert::Infallible> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let sent = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let (code, answer) = self.inner().act(&method, &path, sent);
        let body = Body::from(serde_json::to_vec(&answer).unwrap());
        Ok(Response::builder().status(code).body(body).unwrap())
    }
}

fn secret_path(name: &str) -> String {
    format!("/api/v1/namespaces/ns/secrets/{name}")
}

impl Inner {
    fn act(&mut self, method: &Method, path: &str, mut sent: Value) -> (StatusCode, Value) {
        if self.unknown.is_some_and(|word| path.contains(word)) {
            // As an API server says it: in plain text.
            return (StatusCode::NOT_FOUND, json!("404 page not found"));
        }
        if *method == Method::GET {
            return self
                .objects
                .get(path)
                .map_or_else(|| failure(StatusCode::NOT_FOUND), |o| (StatusCode::OK, o.clone()));
        }
        if self.fails_after.is_some_and(|after| self.writes >= after) {
            return failure(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let path = match *method {
            Method::POST => format!("{path}/{}", sent["metadata"]["name"].as_str().unwrap()),
            _ => path.to_owned(),
        };
        if self.refuses(method, &path, &sent) {
            return failure(StatusCode::CONFLICT);
        }
        self.writes += 1;
        sent["metadata"]["resourceVersion"] = json!(self.writes.to_string());
        self.objects.insert(path, sent.clone());
        (StatusCode::OK, sent)
    }

    fn refuses(&self, method: &Method, path: &str, sent: &Value) -> bool {
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        match (self.objects.get(path), method) {
            (Some(_), &Method::POST) => true,
            (Some(there), &Method::PUT) => version(there) != version(sent),
            (None, &Method::PUT) => true,
            _ => false,
        }
    }
}

fn failure(code: StatusCode) -> (StatusCode, Value) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(),
        "reason": code.canonical_reason().map(|reason| reason.replace(' ', "")), "message": code.canonical_reason()});
    (code, status)
}
