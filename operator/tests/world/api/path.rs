//! What a request's URL names.

use std::collections::BTreeMap;

use super::kinds::{KINDS, Kind};

#[derive(Debug)]
pub struct Target {
    pub kind: &'static Kind,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub subresource: Option<String>,
}

impl Target {
    /// `/apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL/NAME/SUBRESOURCE` and its shorter forms.
    pub fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && !is_subresource(rest[0]) => {
                (Some((*namespace).to_owned()), rest)
            }
            rest => (None, rest),
        };
        let plural = rest.first()?;
        let kind = KINDS
            .iter()
            .find(|k| k.group == group && k.version == version && k.plural == *plural)?;
        let part = |index: usize| rest.get(index).map(|part| (*part).to_owned());
        Some(Self {
            kind,
            namespace,
            name: part(1),
            subresource: part(2),
        })
    }
}

fn is_subresource(part: &str) -> bool {
    matches!(part, "status" | "finalize")
}

/// `a=b%3Dc&d` as pairs.
pub fn query(text: Option<&str>) -> BTreeMap<String, String> {
    let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decoded(k), decoded(v)))
        .collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(if bytes[at] == b'+' { b' ' } else { bytes[at] }));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
