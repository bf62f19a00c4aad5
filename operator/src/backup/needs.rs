//! What a pod mounts has to be there before the pod is: a pod that waits for a Secret tells nobody.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::Client;
use kube::api::Api;
use taffrail_crds::{BackupTarget, EtcdCluster};

use super::pods::credentials;
use crate::names::Names;
use crate::problem::Problem;

/// Something of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// With one key at least of each of these lists.
    Secret {
        name: String,
        keys: &'static [&'static [&'static str]],
    },
    Claim {
        name: String,
    },
}

const S3: &[&[&str]] = &[&["accessKeyId"], &["secretAccessKey"]];
const GCS: &[&[&str]] = &[&["credentials.json"]];
const AZURE: &[&[&str]] = &[&["accountKey", "sasToken"]];
const IDENTITY: &[&[&str]] = &[&["identity"]];
const CLIENT: &[&[&str]] = &[&["ca.crt"], &["tls.crt"], &["tls.key"]];
const ROOT: &[&[&str]] = &[&["password"]];

/// Of whoever works on a target, and reads what was encrypted for `identity`.
pub fn of_target(target: &BackupTarget, identity: Option<&str>) -> Vec<Need> {
    let keys = match target {
        BackupTarget { s3: Some(_), .. } => S3,
        BackupTarget { gcs: Some(_), .. } => GCS,
        _ => AZURE,
    };
    let claim = target.volume.iter().map(|volume| Need::Claim {
        name: volume.claim_name.clone(),
    });
    let secrets = [(credentials(target), keys), (identity, IDENTITY)];
    claim.chain(secrets.into_iter().filter_map(of_secret)).collect()
}

/// Of a client of the cluster.
pub fn of_client(cluster: &EtcdCluster, names: &Names) -> Vec<Need> {
    let (client, root) = (client(cluster, names), root(cluster, names));
    let secrets = [(client.as_deref(), CLIENT), (root.as_deref(), ROOT)];
    secrets.into_iter().filter_map(of_secret).collect()
}

fn of_secret((name, keys): (Option<&str>, &'static [&'static [&'static str]])) -> Option<Need> {
    let name = name?.to_owned();
    Some(Need::Secret { name, keys })
}

/// The Secret by which a client of the cluster is known, if it has to be.
pub fn client(cluster: &EtcdCluster, names: &Names) -> Option<String> {
    cluster.spec.tls.client.is_on().then(|| names.application_secret())
}

/// The Secret with root's password: the declared one, or else what the operator gave etcd before nothing was declared.
pub fn root(cluster: &EtcdCluster, names: &Names) -> Option<String> {
    let declared = cluster.spec.auth.as_ref().filter(|auth| auth.enabled);
    let declared = declared.and_then(|auth| auth.root_secret_ref.as_ref());
    let on = cluster.status.as_ref().is_some_and(|status| status.auth_enabled);
    match declared {
        Some(reference) => Some(reference.name.clone()),
        None => on.then(|| names.applied_password_secret()),
    }
}

/// The first that is not there.
///
/// # Errors
/// If the API server does not answer or refuses.
pub async fn missing(client: &Client, namespace: &str, needs: &[Need]) -> Result<Option<Problem>, kube::Error> {
    for need in needs {
        let problem = match need {
            Need::Secret { name, keys } => {
                let secret = Api::<Secret>::namespaced(client.clone(), namespace)
                    .get_opt(name)
                    .await?;
                lacks(name, secret.as_ref(), keys)
            }
            Need::Claim { name } => no_claim(client, namespace, name).await?,
        };
        if problem.is_some() {
            return Ok(problem);
        }
    }
    Ok(None)
}

async fn no_claim(client: &Client, namespace: &str, name: &str) -> Result<Option<Problem>, kube::Error> {
    let api = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
    let found = api.get_metadata_opt(name).await?;
    let gone = found.is_none_or(|claim| claim.metadata.deletion_timestamp.is_some());
    let message = || format!("the PersistentVolumeClaim {name} of the target is not there: make it");
    Ok(gone.then(|| Problem::new("ClaimMissing", message())))
}

fn lacks(name: &str, secret: Option<&Secret>, keys: &[&[&str]]) -> Option<Problem> {
    let Some(secret) = secret else {
        let message = format!("the Secret {name} is not there: make it, with {}", listed(keys));
        return Some(Problem::new("SecretMissing", message));
    };
    let has = |key: &&str| {
        secret
            .data
            .as_ref()
            .is_some_and(|data| data.get(*key).is_some_and(|value| !value.0.is_empty()))
    };
    let lacking = keys.iter().find(|any| !any.iter().any(has))?;
    let message = format!("the Secret {name} has no {}: add it", lacking.join(" nor "));
    Some(Problem::new("SecretMissing", message))
}

fn listed(keys: &[&[&str]]) -> String {
    keys.iter().map(|any| any.join(" or ")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Shelf, cluster};

    fn s3() -> BackupTarget {
        serde_json::from_value(json!({"s3": {"bucket": "abc", "credentialsSecretRef": {"name": "keys"}}})).unwrap()
    }

    #[tokio::test]
    async fn what_is_missing_is_said_with_its_name_and_key() {
        let shelf = Shelf::default();
        let needs = of_target(&s3(), None);
        let told = missing(&shelf.client(), "ns", &needs).await.unwrap().unwrap();
        assert_eq!(told.reason, "SecretMissing");
        assert!(
            told.message.contains("keys") && told.message.contains("accessKeyId"),
            "{}",
            told.message
        );
        shelf.put_secret("keys", &[("accessKeyId", "a")]);
        let told = missing(&shelf.client(), "ns", &needs).await.unwrap().unwrap();
        assert!(told.message.contains("secretAccessKey"), "{}", told.message);
        shelf.put_secret("keys", &[("accessKeyId", "a"), ("secretAccessKey", "b")]);
        assert_eq!(missing(&shelf.client(), "ns", &needs).await.unwrap(), None);
    }

    #[tokio::test]
    async fn either_of_two_keys_is_enough_for_azure() {
        let azure = json!({"azure": {"account": "abc", "container": "abc", "credentialsSecretRef": {"name": "keys"}}});
        let shelf = Shelf::default();
        let needs = of_target(&serde_json::from_value(azure).unwrap(), None);
        shelf.put_secret("keys", &[("sasToken", "a")]);
        assert_eq!(missing(&shelf.client(), "ns", &needs).await.unwrap(), None);
        shelf.put_secret("keys", &[("other", "a")]);
        assert!(missing(&shelf.client(), "ns", &needs).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_volume_has_to_be_claimed() {
        let target = serde_json::from_value(json!({"volume": {"claimName": "shelf"}})).unwrap();
        let told = missing(&Shelf::default().client(), "ns", &of_target(&target, None))
            .await
            .unwrap();
        assert_eq!(told.unwrap().reason, "ClaimMissing");
    }

    #[test]
    fn a_client_is_who_the_cluster_asks_it_to_be() {
        let mut cluster = cluster();
        let names = Names::of(&cluster, "cluster.local");
        assert_eq!(
            (client(&cluster, &names), root(&cluster, &names)),
            (Some("a-client".into()), None)
        );
        cluster.spec.auth =
            serde_json::from_value(json!({"enabled": true, "rootSecretRef": {"name": "root"}})).unwrap();
        assert_eq!(root(&cluster, &names).as_deref(), Some("root"));
        cluster.spec.auth = None;
        cluster.status = serde_json::from_value(json!({"authEnabled": true})).unwrap();
        assert_eq!(root(&cluster, &names).as_deref(), Some("a-root-applied"));
        cluster.spec.tls.client.mode = taffrail_crds::TlsMode::Disabled;
        assert_eq!(client(&cluster, &names), None);
    }
}
