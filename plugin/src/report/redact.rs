//! What must not be in a report is taken out, wherever people put it.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

pub const LEFT_OUT: &str = "(left out)";
/// What kubectl keeps of what was applied: a whole object, of any kind.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Fields whose value, if it is a text, is nobody's business: compared without dashes, underscores and case.
const FIELDS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "token",
    "secretaccesskey",
    "accesskeyid",
    "accountkey",
    "sastoken",
    "apikey",
    "privatekey",
    "clientsecret",
];

/// Patterns in texts, and what stays of them.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let table = [
        (
            r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
            "",
        ),
        (r"(?i)AGE-SECRET-KEY-[0-9A-Z]+", ""),
        (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", ""),
        (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", ""),
        (r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", "$1"),
        (r"(://)[^\s/@:]*:[^\s/@]+@", "$1"),
        (
            r"(?i)([?&](?:x-amz-signature|x-amz-credential|x-amz-security-token|sig|signature)=)[^\s&]+",
            "$1",
        ),
    ];
    table
        .map(|(pattern, kept)| (Regex::new(pattern).expect("it is well formed"), kept))
        .into()
});

/// `password=x`, `"password": "x"`, `--user-password x`.
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"([A-Za-z0-9_-]+)(\\?["']?\s*[:=]\s*|\s+)(\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*'|[^\s,;"'\\}\]]+)"#)
        .expect("it is well formed")
});

/// An object of Kubernetes, or a list of them.
pub fn object(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("kind").is_some_and(|kind| kind == "Secret") && fields.contains_key("data") {
                fields.retain(|key, _| key == "kind" || key == "apiVersion");
            }
            fields.remove("managedFields");
            fields.remove(LAST_APPLIED);
            for (key, field) in fields.iter_mut() {
                match field {
                    Value::String(text) if is_secret(key) && !text.is_empty() => *text = LEFT_OUT.into(),
                    Value::Array(items) if key == "env" => items.iter_mut().for_each(variable),
                    _ => object(field),
                }
            }
        }
        Value::Array(items) => {
            values_of_flags(items);
            items.iter_mut().for_each(object);
        }
        Value::String(words) => *words = text(words),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A variable of a container that is written out; what comes from a Secret is only named there.
fn variable(one: &mut Value) {
    if let Some(value) = one.get_mut("value") {
        *value = LEFT_OUT.into();
    }
    object(one);
}

/// `["--password", "x"]`: a flag and its value as two words of a command line.
fn values_of_flags(words: &mut [Value]) {
    for at in 1..words.len() {
        let is_flag = |word: &str| word.starts_with('-') && !word.contains('=') && is_secret(word);
        if words[at - 1].as_str().is_some_and(is_flag) && words[at].is_string() {
            words[at] = LEFT_OUT.into();
        }
    }
}

/// Logs, messages, command lines.
pub fn text(words: &str) -> String {
    let mut clean = words.to_owned();
    for (pattern, kept) in PATTERNS.iter() {
        clean = pattern.replace_all(&clean, format!("{kept}{LEFT_OUT}")).into_owned();
    }
    ASSIGNED.replace_all(&clean, assigned).into_owned()
}

/// What stands alone behind a word is a value only behind a flag: `--password x`.
fn assigned(found: &Captures) -> String {
    let (name, between, value) = (&found[1], &found[2], &found[3]);
    let is_flag = name.starts_with("--") || !between.trim().is_empty();
    match is_flag && is_secret(name) {
        true => format!("{name}{between}{}", in_quotes(value)),
        false => found[0].to_owned(),
    }
}

/// JSON stays JSON.
fn in_quotes(value: &str) -> String {
    match value.find(['"', '\'']) {
        Some(at) if value.len() > at + 1 => {
            let mark = &value[..=at];
            format!("{mark}{LEFT_OUT}{mark}")
        }
        _ => LEFT_OUT.into(),
    }
}

fn is_secret(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    FIELDS.iter().any(|field| plain.ends_with(field)) && plain != "initialclustertoken"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PLANTED: &str = "hunter2SECRET";

    #[test]
    fn secrets_in_texts_are_taken_out() {
        for row in [
            "{\"password\":\"hunter2SECRET\"}",
            "{\\\"password\\\":\\\"hunter2SECRET\\\"}",
            "msg=\"x\" password=hunter2SECRET next=1",
            "--user-password hunter2SECRET --x",
            "--root-password=hunter2SECRET",
            "accountKey: 'hunter2SECRET with words'",
            "\"aws_secret_access_key\": \"hunter2SECRET\"",
            "https://root:hunter2SECRET@host/path",
            "https://host/x?a=1&X-Amz-Signature=hunter2SECRET&b=2",
            "Authorization: Bearer hunter2SECRETxyz",
            "-----BEGIN EC PRIVATE KEY-----\nhunter2SECRET\n-----END EC PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\\nhunter2SECRET",
            "AGE-SECRET-KEY-1hunter2SECRET",
            "eyJhbGciOiJI.hunter2SECRET.abc",
        ] {
            let clean = text(row);
            assert!(!clean.contains(PLANTED) && clean.contains(LEFT_OUT), "{row} -> {clean}");
        }
        assert_eq!(
            text("{\"password\":\"x\",\"a\":1}"),
            "{\"password\":\"(left out)\",\"a\":1}"
        );
    }

    #[test]
    fn what_support_needs_stays() {
        for row in [
            "{\"level\":\"info\",\"msg\":\"ready to serve client requests\",\"member\":\"demo-0\"}",
            "the Secret demo-client is not there",
            "--initial-cluster-token=demo --name=demo-0",
            "the password is wrong",
            "https://demo-0.demo-peers.a.svc:2379/health?serializable=true",
            "token expired",
        ] {
            assert_eq!(text(row), row);
        }
    }

    #[test]
    fn objects_lose_what_is_nobodys_business() {
        let mut pod = json!({
            "metadata": {
                "name": "a", "managedFields": [PLANTED],
                "annotations": {LAST_APPLIED: PLANTED, "other": "stays"},
            },
            "spec": {"containers": [{
                "args": [format!("--password={PLANTED}"), "--name=a", "--root-password", PLANTED],
                "env": [
                    {"name": "PLAIN", "value": PLANTED},
                    {"name": "REF", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}},
                ],
            }]},
            "password": PLANTED,
        });
        object(&mut pod);
        let text = pod.to_string();
        assert!(!text.contains(PLANTED), "{text}");
        for stays in ["stays", "--name=a", "secretKeyRef", "keys", "PLAIN"] {
            assert!(text.contains(stays), "{stays}: {text}");
        }
    }

    #[test]
    fn a_secret_that_came_in_nevertheless_is_emptied() {
        let mut list = json!({"items": [{"kind": "Secret", "data": {"x": "aHVudGVyMg=="}, "metadata": {"name": "n"}}]});
        object(&mut list);
        assert_eq!(list, json!({"items": [{"kind": "Secret"}]}));
    }
}
