//! The objects and the rules of their lives.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Kind, Refusal, apply, check, kind_named};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(kind: &'static str, namespace: &str, name: &str) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    pub fn of(kind: &'static Kind, object: &Value) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        Self {
            kind: kind.kind,
            namespace: text("namespace"),
            name: text("name"),
        }
    }
}

/// How an object is to be deleted.
#[derive(Clone, Debug, Default)]
pub struct Deletion {
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    pub grace_seconds: Option<i64>,
    pub propagation: Option<String>,
}

#[derive(Clone, Default)]
pub struct Store {
    pub objects: BTreeMap<Key, Value>,
    /// Whatever went for good since the world last looked.
    pub removed: Vec<(Key, Value)>,
    pub revision: u64,
    uids: u64,
    /// What each manager applied last, main and status apart.
    applied: BTreeMap<(Key, bool, String), Value>,
    /// RFC 3339; set by the world's clock.
    pub now: String,
}

impl Store {
    pub fn get(&self, key: &Key) -> Result<&Value, Refusal> {
        self.objects
            .get(key)
            .ok_or_else(|| Refusal::not_found(&format!("{} {:?}", key.kind.to_lowercase(), key.name)))
    }

    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&Key, &Value)> {
        self.objects.iter().filter(move |(key, _)| key.kind == kind)
    }

    pub fn create(&mut self, kind: &'static Kind, namespace: &str, mut object: Value) -> Result<Value, Refusal> {
        self.name(&mut object);
        if kind.namespaced {
            object["metadata"]["namespace"] = json!(namespace);
        }
        let key = Key::of(kind, &object);
        if self.objects.contains_key(&key) {
            let message = format!("{} {:?} already exists", kind.plural, key.name);
            return Err(Refusal::new(409, "AlreadyExists", message));
        }
        self.uids += 1;
        let meta = &mut object["metadata"];
        meta["uid"] = json!(format!("00000000-0000-4000-8000-{:012}", self.uids));
        meta["creationTimestamp"] = json!(self.now);
        meta["generation"] = json!(1);
        for field in ["deletionTimestamp", "resourceVersion", "selfLink", "managedFields"] {
            meta.as_object_mut().expect("metadata").remove(field);
        }
        if kind.has_status {
            object.as_object_mut().expect("an object").remove("status");
        }
        check::born(kind, &mut object);
        self.put(kind, key, object)
    }

    /// A write of the whole object, or of its status alone.
    pub fn update(&mut self, key: &Key, new: Value, status: bool) -> Result<Value, Refusal> {
        let live = self.get(key)?.clone();
        let kind = kind_named(key.kind);
        for field in ["uid", "resourceVersion"] {
            if new["metadata"][field]
                .as_str()
                .is_some_and(|wanted| Some(wanted) != live["metadata"][field].as_str())
            {
                let message = format!(
                    "{} {:?}: {field} differs: the object has been modified",
                    kind.plural, key.name
                );
                return Err(Refusal::conflict(message));
            }
        }
        let mut next = if status { live.clone() } else { new.clone() };
        let keep = if status { &new } else { &live };
        if kind.has_status {
            set(&mut next, "status", keep.get("status"));
        }
        for field in OWNED_BY_SERVER {
            set(&mut next["metadata"], field, live["metadata"].get(field));
        }
        next["apiVersion"] = json!(kind.api_version());
        next["kind"] = json!(kind.kind);
        if kind.kind == "Secret" {
            check::secret(&mut next);
        }
        let next = (kind.typed)(next).map_err(Refusal::invalid)?;
        check::changed(kind, &live, &next, &self.objects)?;
        if next == live {
            return Ok(live);
        }
        self.replace(kind, key.clone(), &live, next)
    }

    fn replace(&mut self, kind: &'static Kind, key: Key, live: &Value, mut next: Value) -> Result<Value, Refusal> {
        if content(&next) != content(live) {
            next["metadata"]["generation"] = json!(live["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
        if is_released(&next) {
            self.revision += 1;
            self.forget(&key);
            return Ok(next);
        }
        self.put(kind, key, next)
    }

    /// `main` and `status` of an object have their own managers.
    pub fn apply(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        mut now: Value,
        manager: &str,
        status: bool,
    ) -> Result<Value, Refusal> {
        if !status && !self.objects.contains_key(key) {
            if now["metadata"]["uid"].is_string() {
                return Err(Refusal::conflict("uid: the object does not exist"));
            }
            now["metadata"]["name"] = json!(key.name);
            let made = self.create(kind, &key.namespace, now.clone())?;
            self.applied
                .insert((key.clone(), status, manager.into()), applicable(now, status));
            return Ok(made);
        }
        let mut next = self.get(key)?.clone();
        let stated = now.pointer("/metadata/resourceVersion").cloned();
        let uid = now.pointer("/metadata/uid").cloned();
        let now = applicable(now, status);
        let slot = (key.clone(), status, manager.to_owned());
        let before = self.applied.get(&slot).cloned().unwrap_or(Value::Null);
        let of_object = self
            .applied
            .iter()
            .filter(|((of, part, by), _)| of == key && *part == status && by != manager);
        let others: Vec<&Value> = of_object.map(|(_, applied)| applied).collect();
        apply::apply(&mut next, &before, &now, &others);
        set(&mut next["metadata"], "resourceVersion", stated.as_ref());
        set(&mut next["metadata"], "uid", uid.as_ref());
        let answer = self.update(key, next, status)?;
        if self.objects.contains_key(key) {
            self.applied.insert(slot, now);
        }
        Ok(answer)
    }

    pub fn merge(&mut self, key: &Key, patch: &Value, status: bool) -> Result<Value, Refusal> {
        let mut next = self.get(key)?.clone();
        // Only what the patch itself states is a precondition.
        for field in ["resourceVersion", "uid"] {
            set(&mut next["metadata"], field, None);
        }
        apply::merge_patch(&mut next, patch);
        self.update(key, next, status)
    }

    /// Answers the object, and whether it is gone.
    pub fn delete(&mut self, key: &Key, how: &Deletion) -> Result<(Value, bool), Refusal> {
        let live = self.get(key)?.clone();
        let wanted = [("uid", &how.uid), ("resourceVersion", &how.resource_version)];
        for (field, value) in wanted {
            if value
                .as_deref()
                .is_some_and(|value| Some(value) != live["metadata"][field].as_str())
            {
                return Err(Refusal::conflict(format!("the {field} in the precondition differs")));
            }
        }
        let mut next = live.clone();
        add_finalizer(&mut next, how.propagation.as_deref());
        let grace = grace_of(key, &live, how);
        if next["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty) && grace == 0 {
            self.revision += 1;
            self.forget(key);
            return Ok((live, true));
        }
        if next["metadata"]["deletionTimestamp"].is_null() {
            next["metadata"]["deletionTimestamp"] = json!(self.now);
            next["metadata"]["generation"] = json!(live["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
        next["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        if next == live {
            return Ok((live, false));
        }
        Ok((self.put(kind_named(key.kind), key.clone(), next)?, false))
    }

    /// A change by Kubernetes itself: anything may change.
    pub fn edit(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        let Some(live) = self.objects.get(key).cloned() else {
            return;
        };
        let mut next = live.clone();
        change(&mut next);
        if next != live {
            self.replace(kind_named(key.kind), key.clone(), &live, next)
                .expect("Kubernetes makes no mistakes");
        }
    }

    pub fn forget(&mut self, key: &Key) {
        if let Some(object) = self.objects.remove(key) {
            self.removed.push((key.clone(), object));
        }
        self.applied.retain(|(of, _, _), _| of != key);
    }

    fn put(&mut self, kind: &'static Kind, key: Key, mut object: Value) -> Result<Value, Refusal> {
        self.revision += 1;
        object["apiVersion"] = json!(kind.api_version());
        object["kind"] = json!(kind.kind);
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let object = (kind.typed)(object).map_err(Refusal::invalid)?;
        self.objects.insert(key, object.clone());
        Ok(object)
    }

    fn name(&mut self, object: &mut Value) {
        if object["metadata"]["name"].as_str().is_some_and(|name| !name.is_empty()) {
            return;
        }
        self.uids += 1;
        let base = object["metadata"]["generateName"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        object["metadata"]["name"] = json!(format!("{base}{:05}", self.uids));
    }
}

const OWNED_BY_SERVER: [&str; 8] = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

fn set(object: &mut Value, field: &str, value: Option<&Value>) {
    let Some(object) = object.as_object_mut() else { return };
    match value {
        Some(value) if !value.is_null() => drop(object.insert(field.into(), value.clone())),
        _ => drop(object.remove(field)),
    }
}

/// All but metadata and status: what a generation counts.
fn content(object: &Value) -> Value {
    let mut content = object.clone();
    set(&mut content, "metadata", None);
    set(&mut content, "status", None);
    content
}

/// The part of an applied object that can be owned by a manager.
fn applicable(mut object: Value, status: bool) -> Value {
    if status {
        return json!({"status": object["status"].take()});
    }
    for field in OWNED_BY_SERVER.iter().chain(&["managedFields"]) {
        set(&mut object["metadata"], field, None);
    }
    for field in ["apiVersion", "kind", "status"] {
        set(&mut object, field, None);
    }
    object
}

fn is_released(object: &Value) -> bool {
    let meta = &object["metadata"];
    let waits = meta["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) > 0;
    meta["deletionTimestamp"].is_string() && meta["finalizers"].as_array().is_none_or(Vec::is_empty) && !waits
}

fn add_finalizer(object: &mut Value, propagation: Option<&str>) {
    let finalizer = match propagation {
        Some("Foreground") => "foregroundDeletion",
        Some("Orphan") => "orphan",
        _ => return,
    };
    if !object["metadata"]["finalizers"].is_array() {
        object["metadata"]["finalizers"] = json!([]);
    }
    let all = object["metadata"]["finalizers"].as_array_mut().expect("made one");
    if !all.iter().any(|one| one == finalizer) {
        all.push(json!(finalizer));
    }
}

/// Seconds that a pod has to end; everything else has none.
fn grace_of(key: &Key, object: &Value, how: &Deletion) -> i64 {
    if key.kind != "Pod" || object["spec"]["nodeName"].is_null() {
        return 0;
    }
    let asked = how
        .grace_seconds
        .or_else(|| object["spec"]["terminationGracePeriodSeconds"].as_i64())
        .unwrap_or(30);
    let running = object["metadata"]["deletionGracePeriodSeconds"].as_i64();
    running.map_or(asked, |running| asked.min(running))
}
