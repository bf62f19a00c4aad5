//! Objects by name, and what is said if there is none.

use std::fmt::Debug;

use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use taffrail_crds::{CLUSTER, EtcdCluster};

use crate::failure::Failure;
use crate::session::Session;

/// Names that differ in at most so many letters are near.
const NEAR: usize = 2;
/// Most names that are told.
const TOLD_MAX: usize = 5;

/// # Errors
/// If it is not there, with the names that are.
pub async fn cluster(session: &Session, name: &str) -> Result<EtcdCluster, Failure> {
    named(session, name).await
}

/// # Errors
/// If it is not there, with the names that are.
pub async fn named<K>(session: &Session, name: &str) -> Result<K, Failure>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    K::DynamicType: Default,
{
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    let api: Api<K> = session.api();
    let found = api.get_opt(name).await;
    match found.map_err(|error| Failure::of(error, &format!("read the {kind} {name}")))? {
        Some(found) => Ok(found),
        None => Err(missing(session, &api, &kind, name).await),
    }
}

async fn missing<K>(session: &Session, api: &Api<K>, kind: &str, name: &str) -> Failure
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let there = match api.list(&ListParams::default()).await {
        Ok(list) => list.items.iter().map(ResourceExt::name_any).collect(),
        // An API server without the kind says of every name that it is not there.
        Err(kube::Error::Api(status)) if status.code == 404 => return Failure::of(kube::Error::Api(status), "list"),
        Err(_) => Vec::new(),
    };
    let hint = hint(name, there);
    Failure::Missing(format!(
        "there is no {kind} {name} in the namespace {}{hint}",
        session.namespace
    ))
}

fn hint(name: &str, there: Vec<String>) -> String {
    let near: Vec<_> = there
        .iter()
        .filter(|other| distance(name, other) <= NEAR)
        .cloned()
        .collect();
    let (word, mut names) = if near.is_empty() {
        ("there is", there)
    } else {
        ("did you mean", near)
    };
    let more = if names.len() > TOLD_MAX { ", ..." } else { "" };
    names.truncate(TOLD_MAX);
    match names.is_empty() {
        true => String::new(),
        false => format!("; {word}: {}{more}", names.join(", ")),
    }
}

/// Letters to put in, take out or change (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut corner = above;
        row[0] = above + 1;
        for (at, other_letter) in other.chars().enumerate() {
            let change = corner + usize::from(letter != other_letter);
            corner = row[at + 1];
            row[at + 1] = change.min(corner + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Everything of a cluster that bears its label.
pub fn of_cluster(cluster: &str) -> ListParams {
    ListParams::default().labels(&format!("{CLUSTER}={cluster}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_first_and_otherwise_all_are_told() {
        let there = || vec!["demo".to_owned(), "prod".into()];
        assert_eq!(hint("dmo", there()), "; did you mean: demo");
        assert_eq!(hint("something", there()), "; there is: demo, prod");
        assert_eq!(hint("x", Vec::new()), "");
        let many: Vec<_> = (0..9).map(|number| format!("cluster-{number}")).collect();
        assert!(hint("cluster", many).ends_with("cluster-4, ..."));
    }

    #[test]
    fn distance_counts_letters() {
        for (one, other, expected) in [
            ("", "", 0),
            ("demo", "demo", 0),
            ("dmeo", "demo", 2),
            ("", "abc", 3),
            ("über", "ober", 1),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }
}
