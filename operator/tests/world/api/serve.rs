//! The door: HTTP in, HTTP out, and the faults of one incarnation of the operator in between.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use kube::client::Body;
use serde_json::{Value, json};

use super::path::{Target, query};
use super::store::{Deletion, Key};
use super::{Refusal, Seen, rights, select};
use crate::world::{Incarnation, State, World};

type Bytes = axum::body::Bytes;

/// A client of this incarnation's.
pub fn client(world: &World, incarnation: &Arc<Incarnation>) -> kube::Client {
    let (world, incarnation) = (world.clone(), incarnation.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (world, incarnation) = (world.clone(), incarnation.clone());
        async move { Ok::<_, Infallible>(respond(&world, &incarnation, request).await) }
    });
    kube::Client::new(service, "default")
}

struct Ask {
    target: Target,
    query: std::collections::BTreeMap<String, String>,
    method: http::Method,
    content: String,
    accept: String,
    body: Value,
}

async fn respond(world: &World, incarnation: &Arc<Incarnation>, request: Request<Body>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.expect("in memory").to_bytes();
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
            .to_owned()
    };
    let Some(target) = Target::parse(parts.uri.path()) else {
        return reply(Err(Refusal::not_found(parts.uri.path())));
    };
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).expect("JSON")
    };
    let query = query(parts.uri.query());
    let ask = Ask {
        target,
        query,
        method: parts.method,
        content: header("content-type"),
        accept: header("accept"),
        body,
    };
    let seen = seen(&ask);
    let is_change = !matches!(seen.verb, "get" | "list" | "watch");
    // An event changes nothing that anybody acts on.
    let counts = is_change && seen.resource != "events";
    let what = format!(
        "{} {}/{}",
        seen.verb,
        seen.resource,
        seen.name.as_deref().unwrap_or_default()
    );
    let answer = incarnation.call(world, &what, counts, |state| {
        let answer = allowed(state, &ask, &seen).and_then(|()| handle(state, &ask));
        if counts && answer.is_ok() {
            crate::world::invariants::after_request(state, &seen);
        }
        answer
    });
    reply(answer.await)
}

fn seen(ask: &Ask) -> Seen {
    let named = ask.target.name.is_some();
    let verb = match ask.method.as_str() {
        "GET" if named => "get",
        "GET" if ask.query.get("watch").is_some_and(|watch| watch == "true") => "watch",
        "GET" => "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" if named => "delete",
        "DELETE" => "deletecollection",
        other => panic!("method {other}"),
    };
    Seen {
        verb,
        group: ask.target.kind.group,
        resource: ask.target.kind.plural,
        subresource: ask.target.subresource.clone(),
        namespace: ask.target.namespace.clone(),
        name: ask.target.name.clone(),
    }
}

/// Notes what the request needs to be granted, and refuses it if it is not.
fn allowed(state: &mut State, ask: &Ask, seen: &Seen) -> Result<(), Refusal> {
    let namespace = ask.target.namespace.as_deref().unwrap_or_default();
    let name = ask.target.name.as_ref();
    let exists = name.is_some_and(|name| {
        let key = Key::new(ask.target.kind.kind, namespace, name);
        state.api.objects.contains_key(&key)
    });
    let applied = ask.content == "application/apply-patch+yaml";
    let needed = rights::needed(seen, &ask.body, applied, exists);
    state.requests.extend(needed.iter().cloned());
    match rights::refusal(&needed).filter(|_| state.controls.only_what_is_granted) {
        Some(refusal) => {
            state.violated(&refusal.message);
            Err(refusal)
        }
        None => Ok(()),
    }
}

fn handle(state: &mut State, ask: &Ask) -> Result<Value, Refusal> {
    let kind = ask.target.kind;
    let namespace = ask.target.namespace.clone().unwrap_or_default();
    let key = ask
        .target
        .name
        .as_ref()
        .map(|name| Key::new(kind.kind, &namespace, name));
    let status = match ask.target.subresource.as_deref() {
        None => false,
        Some("status") if kind.has_status => true,
        Some(other) => return Err(Refusal::not_found(other)),
    };
    match (ask.method.as_str(), key) {
        ("GET", Some(key)) => state.api.get(&key).map(|object| shown(ask, object)),
        ("GET", None) => list(state, ask),
        ("POST", None) => state.api.create(kind, &namespace, ask.body.clone()),
        ("PUT", Some(key)) => state.api.update(&key, ask.body.clone(), status),
        ("PATCH", Some(key)) => patch(state, ask, &key, status),
        ("DELETE", Some(key)) => delete(state, &key, &ask.body),
        ("DELETE", None) => delete_all(state, ask),
        (method, _) => Err(Refusal::new(405, "MethodNotAllowed", method.to_owned())),
    }
}

fn patch(state: &mut State, ask: &Ask, key: &Key, status: bool) -> Result<Value, Refusal> {
    let manager = ask.query.get("fieldManager").map(String::as_str);
    match ask.content.as_str() {
        "application/apply-patch+yaml" => {
            let manager =
                manager.ok_or_else(|| Refusal::new(400, "BadRequest", "fieldManager is required for apply patch"))?;
            let kind = ask.target.kind;
            if ask.body["apiVersion"] != kind.api_version() || ask.body["kind"] != kind.kind {
                return Err(Refusal::new(
                    400,
                    "BadRequest",
                    "apiVersion and kind must be those of the URL",
                ));
            }
            state.api.apply(kind, key, ask.body.clone(), manager, status)
        }
        "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
            state.api.merge(key, &ask.body, status)
        }
        other => Err(Refusal::new(415, "UnsupportedMediaType", other)),
    }
}

fn delete(state: &mut State, key: &Key, body: &Value) -> Result<Value, Refusal> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let how = Deletion {
        uid: text("/preconditions/uid"),
        resource_version: text("/preconditions/resourceVersion"),
        grace_seconds: body["gracePeriodSeconds"].as_i64(),
        propagation: text("/propagationPolicy"),
    };
    let (object, gone) = state.api.delete(key, &how)?;
    if gone && key.kind != "Pod" {
        let details = json!({"name": key.name, "uid": object["metadata"]["uid"]});
        return Ok(
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
        );
    }
    Ok(object)
}

fn delete_all(state: &mut State, ask: &Ask) -> Result<Value, Refusal> {
    let list = list(state, ask)?;
    for item in list["items"].as_array().expect("a list") {
        delete(state, &Key::of(ask.target.kind, item), &ask.body)?;
    }
    Ok(list)
}

fn list(state: &State, ask: &Ask) -> Result<Value, Refusal> {
    if ask.query.contains_key("watch") {
        return Err(Refusal::new(405, "MethodNotAllowed", "watches are not served here"));
    }
    let kind = ask.target.kind;
    let selector = |name: &str| ask.query.get(name).map(String::as_str).unwrap_or_default();
    let mut items = Vec::new();
    for (key, object) in state.api.of_kind(kind.kind) {
        let here = ask
            .target
            .namespace
            .as_ref()
            .is_none_or(|namespace| *namespace == key.namespace);
        if here
            && select::matches_labels(object, selector("labelSelector"))?
            && select::matches_fields(object, selector("fieldSelector"))?
        {
            items.push(shown(ask, object));
        }
    }
    let partial = is_partial(ask);
    let api_version = if partial {
        "meta.k8s.io/v1".to_owned()
    } else {
        kind.api_version()
    };
    let name = if partial {
        "PartialObjectMetadataList".to_owned()
    } else {
        format!("{}List", kind.kind)
    };
    let meta = json!({"resourceVersion": state.api.revision.to_string()});
    Ok(json!({"apiVersion": api_version, "kind": name, "metadata": meta, "items": items}))
}

fn is_partial(ask: &Ask) -> bool {
    ask.accept.contains("as=PartialObjectMetadata")
}

fn shown(ask: &Ask, object: &Value) -> Value {
    if is_partial(ask) {
        return json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"]});
    }
    object.clone()
}

fn reply(answer: Result<Value, Refusal>) -> Response<Full<Bytes>> {
    let (code, body) = match &answer {
        Ok(object) => (200, object.clone()),
        Err(refusal) => (refusal.code, refusal.body()),
    };
    let bytes = serde_json::to_vec(&body).expect("JSON");
    let response = Response::builder()
        .status(code)
        .header("content-type", "application/json");
    response.body(Full::new(Bytes::from(bytes))).expect("a response")
}
