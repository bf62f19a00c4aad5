//! An API server in memory: objects by path, rights that are denied, and changes that come as time goes on.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use taffrail_plugin::args::Arguments;
use taffrail_plugin::session::{Screen, Session};

pub const OURS: &str = "/apis/etcd.taffrail.dev/v1alpha1";

#[derive(Clone, Default)]
pub struct Double(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Value>,
    /// Merged into an object, one after each time that it was read.
    later: BTreeMap<Key, VecDeque<Value>>,
    logs: BTreeMap<String, String>,
    asked: Vec<String>,
    forbidden: Vec<String>,
    without_kinds: bool,
}

/// API, namespace, plural, name.
type Key = (String, String, String, String);

/// What came of a command.
pub struct Ended {
    pub code: u8,
    pub out: String,
    pub notes: String,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Double {
    pub fn put(&self, api: &str, plural: &str, mut object: Value) {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("a").to_owned();
        object["metadata"]["namespace"] = namespace.clone().into();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let key = (api.to_owned(), namespace, plural.to_owned(), name);
        self.0.lock().unwrap().objects.insert(key, object);
    }

    pub fn later(&self, plural: &str, name: &str, change: Value) {
        let key = (OURS.into(), "a".into(), plural.into(), name.into());
        self.0.lock().unwrap().later.entry(key).or_default().push_back(change);
    }

    pub fn log(&self, path: &str, text: &str) {
        self.0.lock().unwrap().logs.insert(path.into(), text.into());
    }

    /// Whatever has this in its method and path.
    pub fn forbid(&self, what: &str) {
        self.0.lock().unwrap().forbidden.push(what.into());
    }

    pub fn without_kinds(&self) {
        self.0.lock().unwrap().without_kinds = true;
    }

    pub fn get(&self, plural: &str, name: &str) -> Option<Value> {
        let key = (OURS.into(), "a".into(), plural.into(), name.into());
        self.0.lock().unwrap().objects.get(&key).cloned()
    }

    pub fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }

    /// Runs a command as the command line says.
    pub async fn run(&self, line: &str) -> Ended {
        let words = ["kubectl-taffrail"].into_iter().chain(line.split_whitespace());
        let Arguments { at, command } = Arguments::parse_from(words);
        let (out, notes) = (Buffer::default(), Buffer::default());
        let session = Session {
            client: self.client(),
            namespace: at.namespace.unwrap_or_else(|| "a".into()),
            out: Screen::new(out.clone()),
            notes: Screen::new(notes.clone()),
            now: || "2026-11-22T12:00:00Z".parse().unwrap(),
            pace: Duration::from_millis(1),
        };
        let done = taffrail_plugin::run(&session, command).await;
        let said = done.as_ref().err().map(|failure| format!("error: {failure}\n"));
        Ended {
            code: done.as_ref().err().map_or(0, |failure| failure.code()),
            out: out.text(),
            notes: notes.text() + &said.unwrap_or_default(),
        }
    }

    fn client(&self) -> Client {
        let double = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let double = double.clone();
            async move { Ok::<_, Infallible>(double.serve(request).await) }
        });
        Client::new(service, "a")
    }

    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap_or_default();
        let mut state = self.0.lock().unwrap();
        let path = head.uri.path().to_owned();
        let asked = format!("{} {}", head.method, head.uri);
        state.asked.push(asked.clone());
        if state.forbidden.iter().any(|what| asked.contains(what)) {
            return refusal(403, "Forbidden", "somebody may not do that", "x");
        }
        if state.without_kinds && path.starts_with(OURS) {
            return respond(404, b"404 page not found".to_vec());
        }
        if path == "/version" {
            return answer(200, &version());
        }
        if path.ends_with("/log") {
            let text = state.logs.get(&log_of(&head.uri)).cloned().unwrap_or_default();
            return respond(200, text.into_bytes());
        }
        let Some(key) = key(&path) else {
            return refusal(404, "NotFound", "no such path", "");
        };
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        match head.method {
            Method::GET if key.3.is_empty() => answer(200, &state.list(&key, head.uri.query())),
            Method::GET => state.read(&key),
            Method::POST => state.create(key, body),
            Method::PATCH => state.merge(&key, body),
            _ => refusal(405, "MethodNotAllowed", "nothing here is ever deleted or replaced", ""),
        }
    }
}

impl State {
    fn list(&self, key: &Key, query: Option<&str>) -> Value {
        let (api, namespace, plural, _) = key;
        let selector = selector(query.unwrap_or_default());
        let fits = |object: &Value| {
            let label = |name: &str| {
                object["metadata"]["labels"][name]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            };
            selector
                .as_ref()
                .is_none_or(|(name, values)| values.contains(&label(name)))
        };
        let of = self.objects.iter().filter(|((a, n, p, _), object)| {
            a == api && p == plural && (namespace.is_empty() || n == namespace) && fits(object)
        });
        let items: Vec<_> = of.map(|(_, object)| object.clone()).collect();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
    }

    fn read(&mut self, key: &Key) -> Response<Body> {
        let Some(object) = self.objects.get_mut(key) else {
            return refusal(404, "NotFound", &format!("{} \"{}\" not found", key.2, key.3), &key.3);
        };
        let response = answer(200, object);
        if let Some(change) = self.later.get_mut(key).and_then(VecDeque::pop_front) {
            merge(object, change);
        }
        response
    }

    fn create(&mut self, mut key: Key, object: Value) -> Response<Body> {
        key.3 = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if self.objects.contains_key(&key) {
            return refusal(
                409,
                "AlreadyExists",
                &format!("{} \"{}\" already exists", key.2, key.3),
                &key.3,
            );
        }
        self.objects.insert(key, object.clone());
        answer(201, &object)
    }

    fn merge(&mut self, key: &Key, change: Value) -> Response<Body> {
        let Some(object) = self.objects.get_mut(key) else {
            return refusal(404, "NotFound", "not found", &key.3);
        };
        let version = &change["metadata"]["resourceVersion"];
        if !version.is_null() && *version != object["metadata"]["resourceVersion"] {
            return refusal(409, "Conflict", "the object has been modified", &key.3);
        }
        merge(object, change);
        answer(200, object)
    }
}

/// `label=value` or `label in (one,other)`.
fn selector(query: &str) -> Option<(String, Vec<String>)> {
    let selector = query.split('&').find_map(|part| part.strip_prefix("labelSelector="))?;
    let escapes = [
        ("%2F", "/"),
        ("%3D", "="),
        ("%28", "("),
        ("%29", ")"),
        ("%2C", ","),
        ("+", " "),
        ("%20", " "),
    ];
    let plain = escapes
        .iter()
        .fold(selector.to_owned(), |text, (from, to)| text.replace(from, to));
    let (label, values) = plain.split_once('=').or_else(|| plain.split_once(" in "))?;
    let values = values.trim_matches(['(', ')']).split(',').map(str::to_owned);
    Some((label.to_owned(), values.collect()))
}

fn key(path: &str) -> Option<Key> {
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let api_parts = if parts.first() == Some(&"api") { 2 } else { 3 };
    let (api, rest) = parts.split_at_checked(api_parts)?;
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] => (*namespace, rest),
        rest => ("", rest),
    };
    let name = rest.get(1).copied().unwrap_or_default();
    Some((
        format!("/{}", api.join("/")),
        namespace.into(),
        (*rest.first()?).into(),
        name.into(),
    ))
}

/// `POD/CONTAINER`, with `/previous` behind.
fn log_of(uri: &http::Uri) -> String {
    let pod = uri.path().rsplit('/').nth(1).unwrap_or_default();
    let query = uri.query().unwrap_or_default();
    let container = query
        .split('&')
        .find_map(|part| part.strip_prefix("container="))
        .unwrap_or_default();
    let previous = if query.contains("previous=true") {
        "/previous"
    } else {
        ""
    };
    format!("{pod}/{container}{previous}")
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn version() -> Value {
    json!({"major": "1", "minor": "36", "gitVersion": "v1.36.0", "gitCommit": "", "gitTreeState": "", "buildDate": "",
           "goVersion": "", "compiler": "", "platform": ""})
}

fn refusal(code: u16, reason: &str, message: &str, name: &str) -> Response<Body> {
    let details = json!({"name": name});
    answer(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
                "message": message, "details": details}),
    )
}

fn answer(code: u16, value: &Value) -> Response<Body> {
    respond(code, serde_json::to_vec(value).unwrap())
}

fn respond(code: u16, bytes: Vec<u8>) -> Response<Body> {
    Response::builder().status(code).body(Body::from(bytes)).unwrap()
}
