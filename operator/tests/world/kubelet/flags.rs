//! How a member's container says what it shall be.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{items, text};
use crate::world::State;
use crate::world::api::Key;

/// Flags of etcd without their dashes, and the files that they name.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    flags: BTreeMap<String, String>,
    /// Path of a mount to the Secret there.
    secrets: Vec<(String, String)>,
    namespace: String,
}

impl Flags {
    /// None if the container runs no etcd.
    pub fn of(pod: &Value, ip: &str) -> Option<Self> {
        let container = items(pod, "/spec/containers")
            .iter()
            .find(|container| words(container).iter().any(|word| word.starts_with("--data-dir")))?;
        let variables = variables(pod, container, ip);
        let mut flags = BTreeMap::new();
        let mut words = words(container)
            .into_iter()
            .map(|word| expanded(&word, &variables))
            .peekable();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--") else { continue };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => (
                    flag,
                    words
                        .next_if(|next| !next.starts_with("--"))
                        .unwrap_or_else(|| "true".into()),
                ),
            };
            flags.insert(name.to_owned(), value);
        }
        let namespace = text(pod, "/metadata/namespace").to_owned();
        Some(Self {
            flags,
            secrets: mounts(pod, container),
            namespace,
        })
    }

    pub fn get(&self, flag: &str) -> Option<&str> {
        self.flags.get(flag).map(String::as_str)
    }

    pub fn is(&self, flag: &str) -> bool {
        self.get(flag) == Some("true")
    }

    pub fn list(&self, flag: &str) -> Vec<String> {
        self.get(flag)
            .unwrap_or_default()
            .split(',')
            .filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// `name=url,...` as pairs.
    pub fn initial_cluster(&self) -> Vec<(String, String)> {
        let pair = |one: &String| one.split_once('=').map(|(name, url)| (name.to_owned(), url.to_owned()));
        self.list("initial-cluster").iter().filter_map(pair).collect()
    }

    /// What is in the file that the flag names, now.
    pub fn file(&self, state: &State, flag: &str) -> Option<String> {
        let path = self.get(flag)?;
        let (directory, name) = path.rsplit_once('/')?;
        let (_, secret) = self.secrets.iter().find(|(mount, _)| mount == directory)?;
        let secret = state.api.objects.get(&Key::new("Secret", &self.namespace, secret))?;
        let bytes: k8s_openapi::ByteString = serde_json::from_value(secret["data"][name].clone()).ok()?;
        String::from_utf8(bytes.0).ok()
    }

    /// The flag names a file that is not there: the program ends.
    pub fn misses_a_file(&self, state: &State) -> Option<&str> {
        let names_a_file = |flag: &&String| flag.ends_with("-file") && flag.as_str() != "config-file";
        self.flags
            .keys()
            .filter(names_a_file)
            .find(|flag| self.file(state, flag).is_none())
            .map(String::as_str)
    }
}

fn words(container: &Value) -> Vec<String> {
    let all = items(container, "/command").iter().chain(items(container, "/args"));
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn variables(pod: &Value, container: &Value, ip: &str) -> BTreeMap<String, String> {
    let value = |env: &Value| match text(env, "/valueFrom/fieldRef/fieldPath") {
        "status.podIP" => ip.to_owned(),
        "metadata.name" => text(pod, "/metadata/name").to_owned(),
        "metadata.namespace" => text(pod, "/metadata/namespace").to_owned(),
        _ => text(env, "/value").to_owned(),
    };
    items(container, "/env")
        .iter()
        .map(|env| (text(env, "/name").to_owned(), value(env)))
        .collect()
}

fn expanded(word: &str, variables: &BTreeMap<String, String>) -> String {
    variables.iter().fold(word.to_owned(), |word, (name, value)| {
        word.replace(&format!("$({name})"), value)
    })
}

fn mounts(pod: &Value, container: &Value) -> Vec<(String, String)> {
    let secret = |volume: &str| {
        let volume = items(pod, "/spec/volumes")
            .iter()
            .find(|one| text(one, "/name") == volume)?;
        let projected = items(volume, "/projected/sources")
            .iter()
            .map(|source| text(source, "/secret/name"));
        let name = [text(volume, "/secret/secretName")]
            .into_iter()
            .chain(projected)
            .find(|name| !name.is_empty());
        name.map(str::to_owned)
    };
    items(container, "/volumeMounts")
        .iter()
        .filter_map(|mount| {
            Some((
                text(mount, "/mountPath").trim_end_matches('/').to_owned(),
                secret(text(mount, "/name"))?,
            ))
        })
        .collect()
}

/// `3.6.14` of the environment, or of the image's tag.
pub fn version_of(pod: &Value) -> String {
    let container = items(pod, "/spec/containers")
        .iter()
        .find(|one| words(one).iter().any(|word| word.starts_with("--data-dir")));
    let Some(container) = container else {
        return String::new();
    };
    let env = items(container, "/env")
        .iter()
        .find(|env| text(env, "/name") == "ETCD_COMPATIBILITY_VERSION");
    let image = text(container, "/image");
    let tag = image
        .rsplit_once(':')
        .map_or("", |(_, tag)| tag)
        .trim_start_matches('v');
    let stated = env
        .map(|env| text(env, "/value"))
        .filter(|value| !value.is_empty())
        .unwrap_or(tag);
    let number = stated.split(['-', '+', '_']).next().unwrap_or_default();
    if number.split('.').count() == 3 {
        number.to_owned()
    } else {
        taffrail_crds::DEFAULT_ETCD_VERSION.to_owned()
    }
}

/// 6 of `3.6.14`.
pub fn minor(version: &str) -> u64 {
    version
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse().ok())
        .unwrap_or(0)
}
