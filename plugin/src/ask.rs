//! Making an object that the operator acts upon.

use std::fmt::Debug;

use kube::api::PostParams;
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::session::Session;

/// Field manager of everything that is made here.
pub const MANAGER: &str = "kubectl-taffrail";

/// Makes it, never over one that is there; or prints it as YAML.
///
/// # Errors
/// If the API server refuses it, or one of that name is there.
pub async fn make<K>(session: &Session, object: &K, dry_run: bool) -> Result<(), Failure>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned,
    K::DynamicType: Default,
{
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    let name = object.name_any();
    if dry_run {
        let text = serde_yaml_ng::to_string(object);
        let text = text.map_err(|error| Failure::Failed(format!("{kind} {name} as YAML: {error}")))?;
        session.out.line(text.trim_end());
        return Ok(());
    }
    let params = PostParams {
        dry_run: false,
        field_manager: Some(MANAGER.into()),
    };
    let made = session.api::<K>().create(&params, object).await;
    made.map_err(|error| Failure::of(error, &format!("make the {kind} {name}")))?;
    session.out.line(&format!("{}/{name} made", kind.to_lowercase()));
    Ok(())
}
