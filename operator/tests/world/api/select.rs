//! Label and field selectors.

use serde_json::Value;

use super::Refusal;

/// `a=b,c!=d,e in (f,g),h notin (i),j,!k`
pub fn matches_labels(object: &Value, selector: &str) -> Result<bool, Refusal> {
    requirements(selector)
        .iter()
        .map(|one| requirement(object, one))
        .try_fold(true, |all, one| Ok(all && one?))
}

/// `metadata.name=x`, `metadata.namespace=y`, `status.phase!=z`, `spec.nodeName=...`, `type=...`
pub fn matches_fields(object: &Value, selector: &str) -> Result<bool, Refusal> {
    selector
        .split(',')
        .filter(|one| !one.is_empty())
        .try_fold(true, |all, one| {
            let (path, wanted, equal) = match (one.split_once("!="), one.split_once('=')) {
                (Some((path, wanted)), _) => (path, wanted, false),
                (None, Some((path, wanted))) => (path, wanted.trim_start_matches('='), true),
                _ => return Err(Refusal::new(400, "BadRequest", format!("field selector {one}"))),
            };
            let found = object
                .pointer(&format!("/{}", path.replace('.', "/")))
                .and_then(Value::as_str)
                .unwrap_or("");
            Ok(all && ((found == wanted) == equal))
        })
}

/// Split at commas outside of parentheses.
fn requirements(selector: &str) -> Vec<String> {
    let (mut all, mut depth) = (vec![String::new()], 0);
    for letter in selector.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        all.last_mut().expect("begins with one").push(letter);
    }
    all.into_iter()
        .map(|one| one.trim().to_owned())
        .filter(|one| !one.is_empty())
        .collect()
}

fn requirement(object: &Value, text: &str) -> Result<bool, Refusal> {
    let label = |key: &str| object["metadata"]["labels"][key.trim()].as_str();
    let set = |values: &str| -> Vec<String> {
        values
            .trim()
            .trim_matches(['(', ')'])
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect()
    };
    Ok(if let Some((key, values)) = text.split_once(" notin ") {
        !label(key).is_some_and(|value| set(values).iter().any(|one| one == value))
    } else if let Some((key, values)) = text.split_once(" in ") {
        label(key).is_some_and(|value| set(values).iter().any(|one| one == value))
    } else if let Some((key, value)) = text.split_once("!=") {
        label(key) != Some(value.trim())
    } else if let Some((key, value)) = text.split_once('=') {
        label(key) == Some(value.trim_start_matches('=').trim())
    } else if let Some(key) = text.strip_prefix('!') {
        label(key).is_none()
    } else if text.contains(' ') {
        return Err(Refusal::new(400, "BadRequest", format!("label selector {text}")));
    } else {
        label(text).is_some()
    })
}
