//! What a request needs to be granted, and whether the operator's Role grants it.

use serde_json::Value;
use taffrail_operator::rbac::RULES;

use super::kinds::KINDS;
use super::{Refusal, Seen};

impl Seen {
    /// `etcdclusters/status`, as Roles say it.
    pub fn path(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource),
            None => self.resource.to_owned(),
        }
    }

    /// In a namespace of its own, so that a Role there is enough.
    fn is_granted(&self) -> bool {
        let path = self.path();
        let grants = |rule: &taffrail_operator::rbac::Rule| {
            rule.group == self.group && rule.resources.contains(&path.as_str()) && rule.verbs.contains(&self.verb)
        };
        self.namespace.is_some() && RULES.iter().any(grants)
    }
}

/// The request itself; `create` if an apply makes the object; and for a new object the finalizers of owners whose
/// deletion it holds up.
pub fn needed(seen: &Seen, body: &Value, applied: bool, exists: bool) -> Vec<Seen> {
    let request = Seen {
        name: None,
        ..seen.clone()
    };
    let mut all = vec![request.clone()];
    if applied && !exists {
        all.push(Seen {
            verb: "create",
            ..request.clone()
        });
    }
    if !exists {
        all.extend(owners(body).map(|(group, resource)| Seen {
            verb: "update",
            group,
            resource,
            subresource: Some("finalizers".into()),
            ..request.clone()
        }));
    }
    all
}

fn owners(body: &Value) -> impl Iterator<Item = (&'static str, &'static str)> {
    let owners = body["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let blocked = owners.filter(|owner| owner["blockOwnerDeletion"] == true);
    blocked.filter_map(|owner| {
        let kind = KINDS
            .iter()
            .find(|kind| kind.api_version() == owner["apiVersion"] && kind.kind == owner["kind"])?;
        Some((kind.group, kind.plural))
    })
}

pub fn refusal(needed: &[Seen]) -> Option<Refusal> {
    let missing = needed.iter().find(|one| !one.is_granted())?;
    let message = format!(
        "the operator cannot {} {} in {:?}",
        missing.verb,
        missing.path(),
        missing.namespace
    );
    Some(Refusal::new(403, "Forbidden", message))
}
