//! Every rule and every bound of the CRDs, before a real API server: each is broken by some manifest, and what is said
//! then names the field. Needs only `kubernetes up --only-api`.

mod access;
mod backups;
mod bounds;
mod defragmentations;
mod dry_run;
mod rules;
mod schema;
mod updates;

use dry_run::{Definitions, Refusal, Row};
use taffrail_e2e_docs::{Manifest, manifests, pages};

/// What the API server says to rows that break something is what they expect, and nothing of the CRD is left untried.
#[tokio::test]
async fn every_bad_manifest_is_refused_with_its_field_and_reason() {
    let definitions = Definitions::install().await;
    let mut said = Vec::new();
    let tables = [
        rules::BAD,
        bounds::BAD,
        backups::BAD,
        defragmentations::BAD,
        access::BAD,
    ];
    for row in tables.into_iter().flatten() {
        said.extend(definitions.refused(row).await);
    }
    for row in updates::BAD {
        said.push(definitions.refused_update(row).await);
    }
    let untried: Vec<_> = schema::demands()
        .into_iter()
        .filter(|demand| !said.iter().any(|it| demand.is_met_by(it)))
        .collect();
    assert!(untried.is_empty(), "no manifest breaks these:\n{untried:#?}");
}

#[tokio::test]
async fn every_good_manifest_is_taken() {
    let definitions = Definitions::install().await;
    for row in [rules::GOOD, backups::GOOD, defragmentations::GOOD, access::GOOD]
        .into_iter()
        .flatten()
    {
        definitions.taken(row).await;
    }
    for row in updates::GOOD {
        definitions.taken_update(row).await;
    }
}

#[tokio::test]
async fn every_manifest_on_a_page_for_users_is_taken() {
    let definitions = Definitions::install().await;
    let pages = pages();
    let all = pages.iter().filter(|page| page.is_for_users()).flat_map(manifests);
    for manifest in all.filter(Manifest::is_ours) {
        let said = definitions.refusals_of(&manifest.value).await;
        assert!(said.is_empty(), "{}: {said:#?}", manifest.at);
    }
}

#[tokio::test]
async fn names_that_make_no_dns_names_are_refused() {
    let definitions = Definitions::install().await;
    for name in ["9lives", "with.dot", &"a".repeat(41)] {
        let said = definitions.refusals("EtcdCluster", name, "{}").await;
        assert!(
            said.iter()
                .any(|Refusal { message, .. }| message.contains("at most 40 letters")),
            "{name}: {said:?}"
        );
    }
    for (kind, name, word) in [
        ("EtcdBackup", "a".repeat(64), "at most 63 characters"),
        ("EtcdBackupSchedule", "a".repeat(53), "at most 52 characters"),
        ("EtcdUser", "root".into(), "root is kept by spec.auth"),
        ("EtcdRole", "root".into(), "root is kept by spec.auth"),
    ] {
        let said = definitions.refusals(kind, &name, "{}").await;
        assert!(said.iter().any(|one| one.message.contains(word)), "{kind}: {said:?}");
    }
    let row = Row {
        kind: "EtcdCluster",
        spec: "{}",
        field: "",
        message: "",
    };
    definitions.taken(&row).await;
}
