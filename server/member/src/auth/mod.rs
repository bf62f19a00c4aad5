//! Who a caller is, and how users and roles are changed.
//!
//! Enters: tokens, common names of certificates, names with passwords, changes of users and roles. Leaves: a
//! [`Caller`] that every request carries from here on, and that the log carries to every member. Always holds:
//! passwords go no further than this room, and neither they nor tokens appear in a log line; hashing them never
//! keeps an async worker busy and is never done while entries are applied. What a caller may do is decided by the
//! store, at the state that the request sees.

mod authenticate;
mod change;
mod jwt;
mod look;
mod password;
mod sec1;
pub(crate) mod simple;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use taffrail_store::{AuthError, Caller};

pub use change::AuthChange;
pub use jwt::{Jwt, JwtConfig, JwtKeyError};
pub use look::AuthStatus;
pub use password::PasswordError;

pub(crate) use password::Passwords;
pub(crate) use simple::SimpleTokens;

use crate::Member;

/// How callers prove who they are (etcd --auth-token, --bcrypt-cost).
#[derive(Debug, Clone)]
pub struct AuthConfig {
    pub tokens: TokenConfig,
    /// Rounds of hashing as a power of two: 4 to 31.
    pub bcrypt_cost: u32,
}

#[derive(Debug, Clone)]
pub enum TokenConfig {
    /// Random, kept in memory by every member, and ending this long after the last use.
    Simple {
        ttl: std::time::Duration,
    },
    Jwt(Arc<Jwt>),
    /// Nobody gets a token; certificates are left.
    None,
}

/// What a request says of who sent it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    pub token: Option<String>,
    /// The common name of a verified client certificate.
    pub common_name: Option<Arc<str>>,
}

/// The token is not one that this member knows, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid auth token")]
pub struct InvalidToken;

/// Prepares for the kind of tokens that is given out.
pub(crate) fn start_tokens(config: &TokenConfig, simple: &SimpleTokens) -> Option<Arc<Jwt>> {
    match config {
        TokenConfig::Simple { ttl } => simple.live_for(*ttl),
        TokenConfig::Jwt(jwt) => return Some(Arc::clone(jwt)),
        TokenConfig::None => simple.live_for(std::time::Duration::ZERO),
    }
    None
}

impl Member {
    pub fn auth_is_enabled(&self) -> bool {
        self.0.ears.auth_enabled.load(Relaxed)
    }

    /// Who sends a request; nobody while authentication is off. A token counts before a certificate.
    pub async fn identify(&self, credentials: &Credentials) -> Result<Caller, InvalidToken> {
        if !self.auth_is_enabled() {
            return Ok(Caller::default());
        }
        match (&credentials.token, &credentials.common_name) {
            // Seldom enough that its state may lie apart from that of every other request.
            (Some(token), _) => Box::pin(self.identify_by_token(token)).await,
            (None, Some(name)) => Ok(Caller {
                user: name.to_string(),
                auth_revision: self.view().auth().revision(),
            }),
            (None, None) => Ok(Caller::default()),
        }
    }

    async fn identify_by_token(&self, token: &str) -> Result<Caller, InvalidToken> {
        let caller = match &self.0.jwt {
            Some(jwt) => jwt.caller(token),
            None => self.caller_of_simple(token).await,
        };
        if caller.is_none() && self.0.invalid_tokens.is_due() {
            let fingerprint = simple::fingerprint(token);
            tracing::warn!(token_fingerprint = fingerprint, "invalid auth token");
        }
        caller.ok_or(InvalidToken)
    }

    /// The token may have been given out by an entry that is not applied here yet.
    async fn caller_of_simple(&self, token: &str) -> Option<Caller> {
        let index = simple::index_of(token)?;
        let applied = self.0.node.wait_applied(index);
        tokio::time::timeout(self.config().request_timeout, applied)
            .await
            .ok()?;
        let view = self.view();
        let user = self.0.ears.tokens.user_of(token, view.auth())?;
        Some(Caller {
            user,
            auth_revision: view.auth().revision(),
        })
    }

    /// This member itself, which may do everything.
    pub fn itself(&self) -> Caller {
        let view = self.view();
        if !view.auth().enabled() {
            return Caller::default();
        }
        Caller::root(view.auth().revision())
    }

    /// Ok for anybody who said who they are (etcd v3_server.go, requireAuthInfo).
    pub fn permit_user(&self, caller: &Caller) -> Result<(), AuthError> {
        let nobody = caller.auth_revision == 0;
        if nobody && self.auth_is_enabled() {
            return Err(AuthError::UserEmpty);
        }
        Ok(())
    }

    pub fn permit_admin(&self, caller: &Caller) -> Result<(), AuthError> {
        self.view().auth().permit_admin(caller)
    }

    /// Whether a caller may watch a range.
    pub fn permit_watch(&self, caller: &Caller, key: &[u8], range_end: &[u8]) -> Result<(), AuthError> {
        self.view().auth().permit_read(caller, key, range_end)
    }
}
