//! Root's password: the declared one, and those that etcd may have.

use k8s_openapi::api::core::v1::Secret;
use taffrail_crds::EtcdCluster;

use crate::context::Context;
use crate::names::Names;
use crate::problem::Problem;
use crate::secrets::{Data, Found, Secrets, text};

/// Root's password: the declared one, and those that etcd may have. The latter are in a Secret of the operator:
/// `password`, which etcd was last given, `next` while it is being given another, and `cluster`, the ID of the etcd that
/// was given it: after a restore another is in force.
pub(super) struct Passwords {
    secrets: Secrets,
    name: String,
    pub wanted: Option<String>,
    current: Option<String>,
    next: Option<String>,
    /// ID of the etcd there is, and of the one that has `current`.
    cluster: Option<String>,
    given_to: Option<String>,
    pub problems: Vec<Problem>,
}

impl Passwords {
    pub async fn read(context: &Context, cluster: &EtcdCluster) -> Result<Self, kube::Error> {
        let names = Names::of(cluster, &context.settings.cluster_domain);
        let mut passwords = Self {
            secrets: Secrets::of(&context.client, cluster),
            name: names.applied_password_secret(),
            wanted: None,
            current: None,
            next: None,
            cluster: cluster.status.as_ref().and_then(|status| status.cluster_id.clone()),
            given_to: None,
            problems: Vec::new(),
        };
        passwords.read_wanted(cluster).await?;
        passwords.read_applied().await?;
        Ok(passwords)
    }

    async fn read_wanted(&mut self, cluster: &EtcdCluster) -> Result<(), kube::Error> {
        let Some(reference) = cluster
            .spec
            .auth
            .as_ref()
            .and_then(|auth| auth.root_secret_ref.as_ref())
        else {
            return Ok(());
        };
        let secret = self.secrets.read(&reference.name).await?;
        match wanted(&reference.name, secret.as_ref()) {
            Ok(password) => self.wanted = Some(password),
            Err(problem) => self.problems.push(problem),
        }
        Ok(())
    }

    async fn read_applied(&mut self) -> Result<(), kube::Error> {
        match self.secrets.find(&self.name).await? {
            Found::Absent => {}
            Found::Theirs(problem) => self.problems.push(problem),
            Found::Ours(secret) => {
                self.current = text(&secret, "password");
                self.next = text(&secret, "next");
                self.given_to = text(&secret, "cluster");
            }
        }
        Ok(())
    }

    /// Whether etcd has it for sure.
    pub fn is_applied(&self, password: &str) -> bool {
        self.current.as_deref() == Some(password) && self.next.is_none() && self.given_to == self.cluster
    }

    /// Every password that etcd may have, the likeliest first: one that was being given, then the one before, then
    /// the declared one, which a person may have put there because root has it.
    pub fn known(&self) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for password in [&self.next, &self.current, &self.wanted].into_iter().flatten() {
            if !known.contains(password) {
                known.push(password.clone());
            }
        }
        known
    }

    /// Written before etcd is told.
    pub async fn intend(&mut self, password: &str) -> Result<(), kube::Error> {
        self.next = Some(password.into());
        self.write().await
    }

    /// Written after etcd has said yes.
    pub async fn applied(&mut self, password: &str) -> Result<(), kube::Error> {
        self.current = Some(password.into());
        self.next = None;
        self.given_to = self.cluster.clone();
        self.write().await
    }

    async fn write(&self) -> Result<(), kube::Error> {
        let entries = [
            ("password", &self.current),
            ("next", &self.next),
            ("cluster", &self.given_to),
        ];
        let data: Data = entries
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value.clone()?.into_bytes())))
            .collect();
        let before = match self.secrets.find(&self.name).await? {
            Found::Ours(secret) => Some(secret),
            // Theirs: the API server refuses to make it, and nothing is overwritten.
            Found::Absent | Found::Theirs(_) => None,
        };
        self.secrets.keep(&self.name, before.as_deref(), data).await
    }
}

/// The declared password. A line end after it is what an editor left there.
fn wanted(name: &str, secret: Option<&Secret>) -> Result<String, Problem> {
    let Some(secret) = secret else {
        let message = format!("there is no Secret {name} (spec.auth.rootSecretRef): make it, with root's password");
        return Err(Problem::new("RootSecretMissing", message));
    };
    let username = text(secret, "username").unwrap_or_else(|| super::ROOT.into());
    if username.trim_end() != super::ROOT {
        let message = format!("username in Secret {name} is {username}; etcd's administrator is always root");
        return Err(Problem::new("RootUsernameWrong", message));
    }
    let password = text(secret, "password").unwrap_or_default();
    match password.trim_end_matches(['\n', '\r']) {
        "" => Err(Problem::new(
            "RootPasswordMissing",
            format!("put a password for root into Secret {name}"),
        )),
        password => Ok(password.into()),
    }
}
