//! A name and a password become a token.

use taffrail_proto::etcdserverpb::{AuthenticateRequest, InternalAuthenticateRequest};
use taffrail_store::{AuthError, Caller, Response};

use super::simple;
use crate::entry::Proposal;
use crate::{AuthenticateError, Member, WriteError};

/// Whose password fits, and at which state of users and roles.
struct Checked {
    auth_revision: u64,
}

impl Member {
    /// Gives out a token. Checked and given out at the same state of users and roles: a change between both makes it
    /// start over (etcd v3_server.go, Authenticate).
    pub async fn authenticate(&self, request: AuthenticateRequest) -> Result<String, AuthenticateError> {
        self.barrier().await?;
        loop {
            let checked = self.check_password(&request).await?;
            let (token, auth_revision) = self.give_token(&request.name).await?;
            if checked.auth_revision == auth_revision {
                return Ok(token);
            }
            tracing::info!("users or roles changed while a password was checked; checking it again");
        }
    }

    async fn check_password(&self, request: &AuthenticateRequest) -> Result<Checked, AuthenticateError> {
        let (hash, auth_revision) = {
            let view = self.view();
            let auth = view.auth();
            if !auth.enabled() {
                return Err(AuthError::NotEnabled.into());
            }
            let user = auth.user(&request.name).ok_or(AuthError::Failed)?;
            if user.options.as_ref().is_some_and(|options| options.no_password) {
                return Err(AuthError::NoPasswordUser.into());
            }
            (user.password.to_vec(), auth.revision())
        };
        if self.0.passwords.matches(request.password.clone(), hash).await? {
            return Ok(Checked { auth_revision });
        }
        tracing::warn!(user = request.name, "invalid authentication was requested");
        Err(AuthError::Failed.into())
    }

    /// The entry carries no password: it was compared already.
    async fn give_token(&self, name: &str) -> Result<(String, u64), AuthenticateError> {
        let simple_token = match &self.0.jwt {
            Some(_) => String::new(),
            None => simple::prefix().map_err(|error| AuthenticateError::Token(error.to_string()))?,
        };
        let request = InternalAuthenticateRequest {
            name: name.to_owned(),
            simple_token,
            ..Default::default()
        };
        let answer = self
            .propose(&Caller::default(), Proposal::Authenticate, request)
            .await?;
        let Response::Authenticated {
            user,
            auth_revision,
            simple_token,
            index,
        } = answer
        else {
            return Err(WriteError::Unexpected.into());
        };
        let token = match &self.0.jwt {
            Some(jwt) => jwt.token(&user, auth_revision).map_err(AuthenticateError::Token)?,
            None => simple::token(&simple_token, index),
        };
        Ok((token, auth_revision))
    }
}
