//! Another spec.

use serde_json::json;

use crate::ends::{all_are, running, updated};
use crate::show::{changing, creating_with, production, to_members};
use crate::world::Scenario;

pub async fn option() -> Scenario {
    let update = changing(json!({"options": {"heartbeat-interval": "200"}}));
    to_members(3, "roll", update, updated).await
}

pub async fn storage_class() -> Scenario {
    let other = changing(json!({"storage": {"className": "other"}}));
    let of_it = all_are("PersistentVolumeClaim", |claim| {
        claim["spec"]["storageClassName"] == "other"
    });
    to_members(3, "storage class", other, of_it).await
}

pub async fn size() -> Scenario {
    let more = changing(json!({"storage": {"size": "16Gi"}}));
    let grown = all_are("PersistentVolumeClaim", |claim| {
        claim["status"]["capacity"]["storage"] == "16Gi"
    });
    to_members(3, "grow", more, grown).await
}

pub async fn upgrade() -> Scenario {
    to_members(3, "upgrade", changing(json!({"version": "3.7.0"})), running("3.7.0")).await
}

pub async fn downgrade() -> Scenario {
    let back = changing(json!({"version": "3.6.14"}));
    let plain = "version: 3.7.0, tls: {client: {mode: Disabled}, peer: {mode: Disabled}}";
    creating_with(3, plain)
        .then(&production(), "downgrade", back, running("3.6.14"))
        .await
}
