//! `EtcdUser` and `EtcdRole`: who may do what in an EtcdCluster.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ClusterRef;
use crate::tls::is_false;

/// A user of an EtcdCluster.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "etcd.taffrail.dev",
    version = "v1alpha1",
    kind = "EtcdUser",
    plural = "etcdusers",
    namespaced,
    status = "AccessStatus",
    derive = "PartialEq",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterRef.name"),
    printcolumn(name = "User", type_ = "string", json_path = ".status.name"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name != 'root' || has(self.spec.userName)").message("root is kept by spec.auth of the EtcdCluster")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.passwordSecretRef) != (has(self.noPassword) && self.noPassword)").message("exactly one of passwordSecretRef and noPassword: true is needed; without a password the user comes with a certificate of that common name"),
    validation = Rule::new("has(self.passwordSecretRef) == has(oldSelf.passwordSecretRef)").message("etcd does not let a user with a password become one without, nor back: make another EtcdUser"),
    validation = Rule::new("self.clusterRef == oldSelf.clusterRef").message("clusterRef cannot change: make another EtcdUser"),
    validation = Rule::new("has(self.userName) == has(oldSelf.userName) && (!has(self.userName) || self.userName == oldSelf.userName)").message("userName cannot change: make another EtcdUser")
)]
pub struct EtcdUserSpec {
    pub cluster_ref: ClusterRef,
    /// Its name in etcd. Default: the name of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self != 'root'").message("root is kept by spec.auth of the EtcdCluster"))]
    pub user_name: Option<String>,
    /// Another password in the Secret is made the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<PasswordRef>,
    /// It comes with a certificate whose common name is its name.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_password: bool,
    /// Names of roles in etcd. It has these and no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    #[x_kube(validation = Rule::new("self.all(one, self.exists_one(other, other == one))").message("a role is named twice"))]
    pub roles: Vec<String>,
    /// What becomes of it in etcd once this object has gone.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// A password in a Secret of the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordRef {
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    #[serde(default = "password")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// What becomes of a user or a role in etcd once its object has gone.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeletionPolicy {
    /// It goes too: whoever uses it is not let in any more.
    #[default]
    Delete,
    /// It stays, and nobody keeps it any more.
    Retain,
}

/// A role of an EtcdCluster.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "etcd.taffrail.dev",
    version = "v1alpha1",
    kind = "EtcdRole",
    plural = "etcdroles",
    namespaced,
    status = "AccessStatus",
    derive = "PartialEq",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterRef.name"),
    printcolumn(name = "Role", type_ = "string", json_path = ".status.name"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name != 'root' || has(self.spec.roleName)").message("root is kept by spec.auth of the EtcdCluster")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("self.clusterRef == oldSelf.clusterRef").message("clusterRef cannot change: make another EtcdRole"),
    validation = Rule::new("has(self.roleName) == has(oldSelf.roleName) && (!has(self.roleName) || self.roleName == oldSelf.roleName)").message("roleName cannot change: make another EtcdRole")
)]
pub struct EtcdRoleSpec {
    pub cluster_ref: ClusterRef,
    /// Its name in etcd. Default: the name of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self != 'root'").message("root is kept by spec.auth of the EtcdCluster"))]
    pub role_name: Option<String>,
    /// It has these and no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub permissions: Vec<RolePermission>,
    /// What becomes of it in etcd once this object has gone.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// What may be done with which keys.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.rangeEnd) || !has(self.prefix) || !self.prefix").message("prefix and rangeEnd exclude each other"),
    validation = Rule::new("size(self.key) > 0 || (has(self.prefix) && self.prefix)").message("an empty key is a prefix of all keys: say prefix: true if that is meant")
)]
pub struct RolePermission {
    pub r#type: RolePermissionType,
    #[schemars(length(max = 1024))]
    pub key: String,
    /// The first key after those that are meant; absent: `key` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub range_end: Option<String>,
    /// All keys that begin with `key`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub prefix: bool,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolePermissionType {
    Read,
    Write,
    ReadWrite,
}

/// How an EtcdUser or an EtcdRole is.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct AccessStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Its name in etcd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// etcd's ID of the cluster that it was last made in. In another one it is made anew, with its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// When the recovery of a lost quorum began after which it was last made: what etcd had may have been lost in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
    /// Digest of which Secret, and which state of it, the password in force came from; it tells nothing of the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// `EtcdCluster.status.access`: users and roles in etcd that are kept by an EtcdUser or an EtcdRole. Each is written here
/// before it is made, and taken off after it was removed: what is here and has no object any more goes.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct AccessRecord {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024))]
    pub users: Vec<KeptAccess>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024))]
    pub roles: Vec<KeptAccess>,
}

/// Users, and as many roles, that are kept in one EtcdCluster at most: the record has to fit into an object.
pub const ACCESS_MAX: usize = 1024;

/// One user or role in etcd, and whose it is.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct KeptAccess {
    /// In etcd.
    pub name: String,
    /// Name and UID of the EtcdUser or EtcdRole.
    #[serde(default)]
    pub object: String,
    #[serde(default)]
    pub uid: String,
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

fn password() -> String {
    "password".into()
}
