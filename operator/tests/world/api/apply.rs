//! How a patch changes an object.

use serde_json::{Map, Value};

/// RFC 7386.
pub fn merge_patch(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let object = into.as_object_mut().expect("made one");
    for (key, value) in patch {
        if value.is_null() {
            object.remove(key);
        } else {
            merge_patch(object.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Server-side apply: what this manager applied `before` and does not any more goes, unless one of the `others`
/// applies it too; what it applies now comes in.
pub fn apply(into: &mut Value, before: &Value, now: &Value, others: &[&Value]) {
    prune(into, before, now, others, "");
    lay(into, now, "");
}

fn prune(live: &mut Value, before: &Value, now: &Value, others: &[&Value], field: &str) {
    match (live, before) {
        (Value::Object(live), Value::Object(before)) => prune_map(live, before, now, others),
        (Value::Array(live), Value::Array(before)) => prune_list(live, before, now, others, field),
        _ => {}
    }
}

fn prune_map(live: &mut Map<String, Value>, before: &Map<String, Value>, now: &Value, others: &[&Value]) {
    for (key, was) in before {
        let theirs: Vec<&Value> = others.iter().filter_map(|other| other.get(key)).collect();
        let stays = now.get(key);
        let is_leaf = !(was.is_object() || list_key(key, was).is_some() || is_set(key));
        if is_leaf && stays.is_none() && theirs.is_empty() {
            live.remove(key);
        } else if let Some(inside) = live.get_mut(key) {
            prune(inside, was, stays.unwrap_or(&Value::Null), &theirs, key);
            let empty = inside.as_object().is_some_and(Map::is_empty) || inside.as_array().is_some_and(Vec::is_empty);
            if empty && stays.is_none() && theirs.is_empty() {
                live.remove(key);
            }
        }
    }
}

fn prune_list(live: &mut Vec<Value>, before: &[Value], now: &Value, others: &[&Value], field: &str) {
    let nothing = Vec::new();
    let now = now.as_array().unwrap_or(&nothing);
    let others: Vec<&Value> = others.iter().filter_map(|other| other.as_array()).flatten().collect();
    if is_set(field) {
        live.retain(|item| !before.contains(item) || now.contains(item) || others.contains(&item));
        return;
    }
    let Some(key) = before.first().and_then(|first| key_of(field, first)) else {
        return;
    };
    for was in before {
        let same = |item: &&Value| item.get(key) == was.get(key);
        let theirs: Vec<&Value> = others.iter().copied().filter(same).collect();
        let stays = now.iter().find(same);
        if stays.is_none() && theirs.is_empty() {
            live.retain(|item| item.get(key) != was.get(key));
        } else if let Some(inside) = live.iter_mut().find(|item| item.get(key) == was.get(key)) {
            prune(inside, was, stays.unwrap_or(&Value::Null), &theirs, "");
        }
    }
}

fn lay(live: &mut Value, now: &Value, field: &str) {
    match (&mut *live, now) {
        (Value::Object(live), Value::Object(now)) => {
            now.iter()
                .for_each(|(key, value)| lay(live.entry(key.clone()).or_insert(Value::Null), value, key));
        }
        (Value::Array(live), Value::Array(now)) => lay_list(live, now, field),
        _ => *live = now.clone(),
    }
}

fn lay_list(live: &mut Vec<Value>, now: &[Value], field: &str) {
    if is_set(field) {
        now.iter().for_each(|item| {
            if !live.contains(item) {
                live.push(item.clone())
            }
        });
        return;
    }
    let Some(key) = now.first().and_then(|first| key_of(field, first)) else {
        *live = now.to_vec();
        return;
    };
    for item in now {
        match live.iter_mut().find(|there| there.get(key) == item.get(key)) {
            Some(there) => lay(there, item, ""),
            None => live.push(item.clone()),
        }
    }
}

fn is_set(field: &str) -> bool {
    field == "finalizers"
}

fn list_key(field: &str, list: &Value) -> Option<&'static str> {
    list.as_array()?.first().and_then(|first| key_of(field, first))
}

/// The field by which items of such a list are the same item.
fn key_of(field: &str, item: &Value) -> Option<&'static str> {
    let candidates: &[&'static str] = match field {
        "conditions" => &["type"],
        "containers" | "initContainers" | "volumes" | "env" | "members" | "certificates" | "imagePullSecrets" => {
            &["name"]
        }
        "volumeMounts" => &["mountPath"],
        "ports" => &["containerPort", "port"],
        "ownerReferences" => &["uid"],
        _ => &[],
    };
    candidates.iter().copied().find(|key| item.get(key).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_manager_no_longer_applies_goes_and_what_others_set_stays() {
        let mut live = json!({"spec": {"a": 1, "b": {"mine": 1, "theirs": 2}}, "l": [{"x": 1}],
                              "ports": [{"port": 1}, {"port": 2, "n": 3}], "finalizers": ["mine", "theirs"]});
        let before = json!({"spec": {"a": 1, "b": {"mine": 1}}, "l": [{"x": 1}], "ports": [{"port": 1}], "finalizers": ["mine"]});
        let now = json!({"spec": {"c": 4}, "ports": [{"port": 2, "n": 5}]});
        apply(&mut live, &before, &now, &[]);
        let expected =
            json!({"spec": {"b": {"theirs": 2}, "c": 4}, "ports": [{"port": 2, "n": 5}], "finalizers": ["theirs"]});
        assert_eq!(live, expected);
    }
}
