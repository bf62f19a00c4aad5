//! Authentication in etcd as it is declared: on, off, and root's password.
//!
//! Enters: the cluster as declared and members that answer. Leaves: whether authentication is on and who the operator
//! is there. Always holds: a password is written down before etcd is told, so that whoever goes on after a crash knows
//! both the one that may be in force and the one that was before.

mod password;
#[cfg(test)]
mod tests;

use taffrail_crds::{Auth, EtcdCluster, TlsMode};

use crate::context::Context;
use crate::etcd::{Access, Endpoint, EtcdError};
use crate::problem::Problem;
use password::Passwords;

/// Name and password.
pub type User = (String, String);

const ROOT: &str = "root";

/// What is the case with authentication.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AuthState {
    /// It is on in etcd.
    pub enabled: bool,
    /// Who the operator has to be there; none if its certificate is enough.
    pub user: Option<User>,
    pub problems: Vec<Problem>,
}

/// Why it could not be kept; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("authentication: {0}")]
    Kube(#[from] kube::Error),
    #[error("authentication: {0}")]
    Etcd(#[from] EtcdError),
}

/// Who the operator has to be towards members before [`keep`] has looked; none if its certificate is enough or
/// nothing was applied yet.
///
/// # Errors
/// If the API server does not answer or refuses.
pub async fn user(context: &Context, cluster: &EtcdCluster) -> Result<Option<User>, AuthError> {
    let on = cluster.status.as_ref().is_some_and(|status| status.auth_enabled);
    if !on || cluster.spec.tls.client.mode == TlsMode::Operator {
        return Ok(None);
    }
    let passwords = Passwords::read(context, cluster).await?;
    Ok(passwords.known().into_iter().next().map(root))
}

/// Brings authentication to what is declared. `through`: members that answer; with none, nothing is asked.
///
/// # Errors
/// If the API server or etcd do not answer or refuse.
pub async fn keep(
    context: &Context,
    cluster: &EtcdCluster,
    access: &Access,
    through: &[Endpoint],
) -> Result<AuthState, AuthError> {
    let was_on = cluster.status.as_ref().is_some_and(|status| status.auth_enabled);
    // What was restored may have it on, though nobody declared it.
    let restored = cluster.status.as_ref().is_some_and(|status| status.restore.is_some());
    if cluster.spec.auth.is_none() && !was_on && !restored {
        return Ok(AuthState::default());
    }
    let passwords = Passwords::read(context, cluster).await?;
    let keeper = Keeper {
        context,
        through,
        passwords,
        access: access.clone(),
    };
    let is_founded = cluster
        .status
        .as_ref()
        .is_some_and(|status| status.cluster_id.is_some());
    if through.is_empty() || !is_founded {
        return Ok(keeper.unasked(was_on));
    }
    match &cluster.spec.auth {
        // Nobody asked for it to be on or off.
        None => keeper.left_alone().await,
        Some(Auth { enabled: false, .. }) => keeper.off().await,
        Some(Auth { enabled: true, .. }) => keeper.on().await,
    }
}

struct Keeper<'a> {
    context: &'a Context,
    through: &'a [Endpoint],
    passwords: Passwords,
    access: Access,
}

impl Keeper<'_> {
    fn unasked(self, enabled: bool) -> AuthState {
        AuthState {
            enabled,
            user: self.access.user,
            problems: self.passwords.problems,
        }
    }

    async fn left_alone(mut self) -> Result<AuthState, AuthError> {
        let Some(enabled) = self.enter().await? else {
            return Ok(self.locked_out());
        };
        Ok(self.state(enabled))
    }

    async fn off(mut self) -> Result<AuthState, AuthError> {
        let Some(enabled) = self.enter().await? else {
            return Ok(self.locked_out());
        };
        if enabled {
            self.context.etcd.disable_auth(&self.access, self.through).await?;
        }
        self.access.user = None;
        // Root's password is of no use now, nor is its lack a problem.
        self.passwords.problems.clear();
        Ok(self.state(false))
    }

    async fn on(mut self) -> Result<AuthState, AuthError> {
        let Some(enabled) = self.enter().await? else {
            return Ok(self.locked_out());
        };
        if !self.passwords.problems.is_empty() {
            return Ok(self.state(enabled));
        }
        self.set_password(enabled).await?;
        if !enabled {
            self.context.etcd.enable_auth(&self.access, self.through).await?;
            return self.entered_anew().await;
        }
        Ok(self.state(true))
    }

    /// With authentication just switched on: by certificate or as root?
    async fn entered_anew(mut self) -> Result<AuthState, AuthError> {
        match self.enter().await? {
            Some(enabled) => Ok(self.state(enabled)),
            None => Ok(self.locked_out()),
        }
    }

    /// Gives root the declared password, unless it has it; written down before and after.
    async fn set_password(&mut self, enabled: bool) -> Result<(), AuthError> {
        let Some(wanted) = self.passwords.wanted.clone() else {
            return Ok(());
        };
        if enabled && self.passwords.is_applied(&wanted) {
            return Ok(());
        }
        self.passwords.intend(&wanted).await?;
        self.context.etcd.set_root(&self.access, self.through, &wanted).await?;
        self.passwords.applied(&wanted).await?;
        if self.access.user.is_some() {
            self.access.user = Some(root(wanted));
        }
        Ok(())
    }

    /// Finds out whether authentication is on, and gets in: by certificate, else as root with any password that may
    /// be in force, the newest first. None: none of them is accepted.
    async fn enter(&mut self) -> Result<Option<bool>, AuthError> {
        let known = self.passwords.known().into_iter().map(root).map(Some);
        for user in std::iter::once(None).chain(known) {
            self.access.user = user;
            match self.context.etcd.auth_enabled(&self.access, self.through).await {
                Ok(enabled) => return Ok(Some(enabled)),
                Err(EtcdError::Denied(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.access.user = None;
        Ok(None)
    }

    fn state(self, enabled: bool) -> AuthState {
        AuthState {
            enabled,
            user: self.access.user,
            problems: self.passwords.problems,
        }
    }

    fn locked_out(self) -> AuthState {
        let mut state = self.state(true);
        state.problems.push(Problem::new(
            "RootPasswordRefused",
            "etcd takes neither the operator's certificate nor any password that was given to it for root: put the \
             password that root has in etcd into the Secret of spec.auth.rootSecretRef",
        ));
        state
    }
}

fn root(password: String) -> User {
    (ROOT.into(), password)
}
