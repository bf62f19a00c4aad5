//! Where certificates come from.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Certificates towards clients and between members.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// Towards clients.
    #[serde(default)]
    pub client: TlsSource,
    /// Between members. A change between plain and TLS replaces the members one at a time.
    #[serde(default)]
    pub peer: TlsSource,
}

/// Where the certificates of one surface come from.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("(self.mode == 'CertManager') == has(self.certManager)").message("mode CertManager and the field certManager belong together"),
    validation = Rule::new("(self.mode == 'Secrets') == has(self.secrets)").message("mode Secrets and the field secrets belong together")
)]
pub struct TlsSource {
    /// `Operator`: a certificate authority of this cluster alone, kept and rotated by the operator. `CertManager`:
    /// an issuer of cert-manager. `Secrets`: given ones. `Disabled`: plain HTTP.
    #[serde(default)]
    pub mode: TlsMode,
    /// Days that a certificate of the operator is valid; renewed after two thirds of them. Default 90.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3650))]
    pub validity_days: Option<i32>,
    /// Days that a certificate authority of the operator is valid; rotated after two thirds of them. Default 3650.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 36500))]
    pub ca_validity_days: Option<i32>,
    /// Another value begins a rotation of the operator's certificate authority now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub ca_rotation: Option<String>,
    /// Also serve clients that do not speak TLS yet, on the same port: for the way from plain to TLS. Clients only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub accept_plaintext: bool,
    /// More names and addresses for the members' certificates: where clients from outside reach them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub extra_names: Vec<String>,
    /// For mode CertManager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_manager: Option<CertManager>,
    /// For mode Secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<TlsSecrets>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TlsMode {
    #[default]
    Operator,
    CertManager,
    Secrets,
    Disabled,
}

/// An issuer of cert-manager. Its authority must be this cluster's alone: whoever it signs for may speak to etcd.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertManager {
    /// The issuer.
    pub issuer_ref: IssuerRef,
}

#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerRef {
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Issuer or ClusterIssuer.
    #[serde(default = "issuer")]
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    #[serde(default = "cert_manager_group")]
    #[schemars(length(min = 1, max = 253))]
    pub group: String,
}

fn issuer() -> String {
    "Issuer".into()
}

fn cert_manager_group() -> String {
    "cert-manager.io".into()
}

/// Secrets with `ca.crt`, `tls.crt` and `tls.key`, made and renewed by somebody else.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsSecrets {
    /// What members show.
    #[schemars(length(min = 1, max = 253))]
    pub server: String,
    /// What the operator and applications show; for clients only, required there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub client: Option<String>,
}

impl TlsSource {
    pub fn is_on(&self) -> bool {
        self.mode != TlsMode::Disabled
    }
}

pub(crate) fn is_false(value: &bool) -> bool {
    !value
}
