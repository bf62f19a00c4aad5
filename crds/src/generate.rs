//! The YAML of the kinds, as it is committed beside the types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::{EtcdBackup, EtcdBackupSchedule, EtcdCluster, EtcdDefragmentation, EtcdMember, EtcdRole, EtcdUser};

/// A kind, where its YAML is.
pub struct Kind {
    pub file: &'static str,
    pub definition: fn() -> CustomResourceDefinition,
}

/// Every kind.
pub const KINDS: [Kind; 7] = [
    Kind {
        file: "etcdclusters.yaml",
        definition: EtcdCluster::crd,
    },
    Kind {
        file: "etcdmembers.yaml",
        definition: EtcdMember::crd,
    },
    Kind {
        file: "etcdbackups.yaml",
        definition: EtcdBackup::crd,
    },
    Kind {
        file: "etcdbackupschedules.yaml",
        definition: EtcdBackupSchedule::crd,
    },
    Kind {
        file: "etcddefragmentations.yaml",
        definition: EtcdDefragmentation::crd,
    },
    Kind {
        file: "etcdusers.yaml",
        definition: EtcdUser::crd,
    },
    Kind {
        file: "etcdroles.yaml",
        definition: EtcdRole::crd,
    },
];

/// The definition as YAML, with what an API server warns about taken out.
///
/// # Errors
/// If the definition cannot be written as YAML, which would be a mistake in the types.
pub fn yaml_of(definition: &CustomResourceDefinition) -> Result<String, serde_yaml_ng::Error> {
    let mut tree = serde_yaml_ng::to_value(definition)?;
    without_unknown_formats(&mut tree);
    Ok(format!(
        "# Generated from the types beside it; do not edit.\n{}",
        serde_yaml_ng::to_string(&tree)?
    ))
}

/// Formats that Kubernetes does not know (`uint32`, `double` on integers and the like) only make it warn.
fn without_unknown_formats(tree: &mut serde_yaml_ng::Value) {
    match tree {
        serde_yaml_ng::Value::Mapping(fields) => {
            if fields
                .get("format")
                .and_then(|f| f.as_str())
                .is_some_and(|f| f.starts_with("uint"))
            {
                fields.remove("format");
            }
            fields.iter_mut().for_each(|(_, value)| without_unknown_formats(value));
        }
        serde_yaml_ng::Value::Sequence(items) => items.iter_mut().for_each(without_unknown_formats),
        _ => {}
    }
}
