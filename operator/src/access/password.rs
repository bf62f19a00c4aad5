//! A user's password, from its Secret.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::Api;
use sha2::{Digest, Sha256};
use taffrail_crds::{EtcdUser, PasswordRef};

use crate::cluster::Error;
use crate::context::Context;
use crate::problem::Problem;
use crate::secrets::text;

/// bcrypt takes no more.
const PASSWORD_BYTES_MAX: usize = 72;

/// Never written anywhere, and has no way to be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    pub text: String,
    /// Of the state of the Secret that it is from, not of itself: whoever may read an EtcdUser cannot try passwords
    /// against it.
    pub digest: String,
}

/// The password that is declared; none for a user that comes with a certificate.
///
/// # Errors
/// What the API server said, but that the Secret may not be read: that is a problem for people.
pub async fn read(context: &Context, user: &EtcdUser) -> Result<Result<Option<Password>, Problem>, Error> {
    let Some(reference) = &user.spec.password_secret_ref else {
        return Ok(Ok(None));
    };
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &user.namespace().unwrap_or_default());
    match api.get_opt(&reference.name).await {
        Ok(secret) => Ok(of(user, reference, secret.as_ref()).map(Some)),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            Ok(Err(Problem::new("SecretForbidden", status.message.clone())))
        }
        Err(error) => Err(error.into()),
    }
}

fn of(user: &EtcdUser, reference: &PasswordRef, secret: Option<&Secret>) -> Result<Password, Problem> {
    let PasswordRef { name, key } = reference;
    let secret = secret.ok_or_else(|| Problem::new("SecretMissing", format!("there is no Secret {name}")))?;
    // A line end after it is what an editor left there.
    let text = text(secret, key).unwrap_or_default();
    let text = text.trim_end_matches(['\n', '\r']);
    match text.len() {
        0 => Err(Problem::new(
            "PasswordMissing",
            format!("Secret {name} has no text under {key}"),
        )),
        length if length > PASSWORD_BYTES_MAX => Err(Problem::new(
            "PasswordTooLong",
            format!("{key} in Secret {name} is longer than {PASSWORD_BYTES_MAX} bytes, which etcd does not take"),
        )),
        _ => Ok(Password {
            text: text.into(),
            digest: digest(user, secret, key),
        }),
    }
}

fn digest(user: &EtcdUser, secret: &Secret, key: &str) -> String {
    let parts = [
        user.uid(),
        secret.uid(),
        secret.resource_version(),
        Some(key.to_owned()),
    ];
    let mut hash = Sha256::new();
    for part in parts.iter().flatten() {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user() -> EtcdUser {
        let spec = json!({"clusterRef": {"name": "a"}, "passwordSecretRef": {"name": "s"}});
        serde_json::from_value(json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdUser",
            "metadata": {"name": "web", "uid": "u"}, "spec": spec}))
        .unwrap()
    }

    fn secret(version: &str, password: &str) -> Secret {
        let data = k8s_openapi::ByteString(password.as_bytes().to_vec());
        serde_json::from_value(
            json!({"metadata": {"name": "s", "uid": "s", "resourceVersion": version},
            "data": {"password": data}}),
        )
        .unwrap()
    }

    fn reason(secret: Option<&Secret>) -> Option<&'static str> {
        let (user, reference) = (user(), user().spec.password_secret_ref.unwrap());
        of(&user, &reference, secret).err().map(|problem| problem.reason)
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_told() {
        assert_eq!(reason(None), Some("SecretMissing"));
        assert_eq!(reason(Some(&secret("1", "\n"))), Some("PasswordMissing"));
        assert_eq!(reason(Some(&secret("1", &"x".repeat(73)))), Some("PasswordTooLong"));
        assert_eq!(reason(Some(&secret("1", &"x".repeat(72)))), None);
    }

    #[test]
    fn the_digest_follows_the_state_of_the_secret_and_not_the_password() {
        let (user, reference) = (user(), user().spec.password_secret_ref.unwrap());
        let password = |secret: &Secret| of(&user, &reference, Some(secret)).ok().unwrap();
        let (one, other) = (password(&secret("1", "a\n")), password(&secret("1", "b")));
        assert_eq!((one.text.as_str(), &one.digest), ("a", &other.digest));
        assert_ne!(one.digest, password(&secret("2", "a")).digest);
    }
}
