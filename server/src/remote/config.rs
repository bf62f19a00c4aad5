//! What a client of another etcd is told.

use std::fmt;
use std::time::Duration;

use crate::config::{Offer, Security};

#[derive(Debug, Clone)]
pub struct RemoteConfig {
    pub endpoints: Vec<String>,
    /// None is plain, for endpoints that do not say `https` themselves.
    pub security: Option<Security>,
    pub offer: Offer,
    pub user: Option<User>,
    pub dial_max: Duration,
    pub request_max: Duration,
    pub pings: Option<Pings>,
}

/// How a silent connection is found out.
#[derive(Debug, Clone)]
pub struct Pings {
    pub interval: Duration,
    pub timeout: Duration,
    pub while_idle: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub password: String,
}

/// Passwords are not for logs.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

impl User {
    /// `name`, or `name:password` if the password is not said apart. None without a name.
    pub fn parse(user: &str, password: &str) -> Option<User> {
        let (name, password) = match user.split_once(':') {
            Some((name, beside)) if password.is_empty() => (name, beside),
            _ => (user, password),
        };
        let (name, password) = (name.to_owned(), password.to_owned());
        (!name.is_empty()).then_some(User { name, password })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_said_apart_or_behind_the_name() {
        let user = |user, password| User::parse(user, password).map(|user| (user.name, user.password));
        let expected = Some(("root".to_owned(), "secret".to_owned()));
        assert_eq!(user("root", "secret"), expected);
        assert_eq!(user("root:secret", ""), expected);
        assert_eq!(user("", "secret"), None);
    }

    #[test]
    fn a_password_is_not_shown() {
        assert!(!format!("{:?}", User::parse("root:secret", "")).contains("secret"));
    }
}
