//! YAML of our kinds on pages.

use serde_json::Value;

use crate::commands::commands;
use crate::pages::Page;

/// One YAML document.
#[derive(Debug)]
pub struct Manifest {
    pub value: Value,
    /// Where it stands: `README.md:12`.
    pub at: String,
}

impl Manifest {
    /// Of our kinds, whole, as an API server takes it.
    pub fn is_ours(&self) -> bool {
        self.value["apiVersion"]
            .as_str()
            .is_some_and(|version| version.starts_with("etcd.taffrail.dev/"))
    }

    /// A part of an object: no kind is named.
    pub fn is_part(&self) -> bool {
        self.value.is_object() && self.value["kind"].is_null()
    }
}

/// Every YAML document of a page: blocks that are called so, and what is given to `kubectl apply -f -`.
///
/// # Panics
/// If one is no YAML.
pub fn manifests(page: &Page) -> Vec<Manifest> {
    let blocks = page.blocks().into_iter().filter(|block| block.language == "yaml");
    let path = page.path.display().to_string();
    let mut texts: Vec<_> = blocks
        .map(|block| (format!("{path}:{}", block.line), block.text))
        .collect();
    let given = commands(page)
        .into_iter()
        .filter(|command| command.words.first().is_some_and(|word| word == "kubectl"));
    texts.extend(given.filter_map(|command| Some((command.at, command.document?))));
    texts.iter().flat_map(|(at, text)| documents(at, text)).collect()
}

fn documents(at: &str, text: &str) -> Vec<Manifest> {
    let parts = text.split("\n---\n").filter(|part| !part.trim().is_empty());
    let parse = |part: &str| {
        let value = serde_yaml_ng::from_str(part);
        value.unwrap_or_else(|error| panic!("{at}: no YAML: {error}"))
    };
    let manifest = |part| Manifest {
        value: parse(part),
        at: at.to_owned(),
    };
    parts.map(manifest).collect()
}
