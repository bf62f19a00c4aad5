//! The operator's Role grants what it needs and no more: requests beyond it are refused in every scenario, and what it
//! grants is made use of in some.

use std::collections::BTreeSet;

use taffrail_operator::rbac::RULES;

use crate::show::production;
use crate::world::run;

type Right = (&'static str, String, &'static str);

/// Rights that scenarios do not need, with why they are granted.
fn is_needed_elsewhere((group, resource, verb): &Right) -> Option<&'static str> {
    match (*group, resource.as_str(), *verb) {
        (_, _, "watch") => Some("whoever waits for changes; scenarios call the reconciliation themselves"),
        (_, "etcdclusters" | "secrets" | "services" | "poddisruptionbudgets", "list") => Some("a watch begins with it"),
        (_, "etcdmembers", "get") => Some("by the name: goes together with list"),
        ("", "persistentvolumeclaims", "get") => Some("whose claim has the name that a new one was to have"),
        (_, "etcdbackups/finalizers" | "etcdbackupschedules/finalizers", "update")
        | (_, "etcdclusters/finalizers" | "etcdmembers/finalizers", "update") => {
            Some("for API servers that ask for it of whoever names an owner; nothing here blocks an owner's deletion")
        }
        ("batch", "jobs", "get") => Some("whose Job has the name that a new one was to have"),
        ("events.k8s.io", _, _) => Some("scenarios tell nobody"),
        ("cert-manager.io", _, _) => Some("cert-manager is not in the world"),
        _ => None,
    }
}

fn granted() -> BTreeSet<Right> {
    let mut all = BTreeSet::new();
    for rule in &RULES {
        for resource in rule.resources {
            all.extend(
                rule.verbs
                    .iter()
                    .map(|verb| (rule.group, (*resource).to_owned(), *verb)),
            );
        }
    }
    all
}

#[test]
fn every_right_is_made_use_of() {
    run(async {
        let mut used = BTreeSet::new();
        for scenario in crate::all() {
            let (world, _, _) = scenario.await.once(&production()).await;
            let state = world.state();
            used.extend(state.requests.iter().map(|seen| (seen.group, seen.path(), seen.verb)));
        }
        let idle = |right: &&Right| !used.contains(*right) && is_needed_elsewhere(right).is_none();
        let idle: Vec<Right> = granted().iter().filter(idle).cloned().collect();
        assert!(idle.is_empty(), "never made use of: {idle:#?}");
    });
}
