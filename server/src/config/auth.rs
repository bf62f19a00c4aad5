//! How callers prove who they are: `--auth-token`, its time to live, the cost of hashing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use taffrail_member::{AuthConfig, Jwt, JwtConfig, TokenConfig};

use super::{duration, number};
use crate::args::Settings;

/// How long a web token lasts where nothing is said (etcd auth/options.go).
const JWT_TTL_DEFAULT: &str = "5m";
const JWT_OPTIONS: [&str; 4] = ["sign-method", "pub-key", "priv-key", "ttl"];

pub fn auth(settings: &Settings) -> Result<AuthConfig> {
    let ttl = Duration::from_secs(number(settings, "auth-token-ttl")?);
    let text = settings.get("auth-token");
    let tokens = tokens(text, ttl).with_context(|| format!("--auth-token={text}"))?;
    Ok(AuthConfig {
        tokens,
        bcrypt_cost: number(settings, "bcrypt-cost")?,
    })
}

fn tokens(text: &str, ttl: Duration) -> Result<TokenConfig> {
    let mut words = text.split(',');
    match words.next().unwrap_or_default() {
        "simple" => Ok(TokenConfig::Simple { ttl }),
        "jwt" => jwt(&options(words)?),
        "" => Ok(TokenConfig::None),
        other => bail!("auth: invalid auth options: {other:?} is neither simple nor jwt"),
    }
}

fn options<'a>(words: impl Iterator<Item = &'a str>) -> Result<BTreeMap<&'a str, &'a str>> {
    let mut options = BTreeMap::new();
    for word in words {
        let pair = word.split_once('=').filter(|(_, value)| !value.contains('='));
        let (name, value) = pair.with_context(|| format!("auth: invalid auth options: {word:?} is not NAME=VALUE"))?;
        ensure!(
            options.insert(name, value).is_none(),
            "auth: invalid auth options: {name} is given twice"
        );
        if !JWT_OPTIONS.contains(&name) {
            tracing::warn!(option = name, "unknown JWT options");
        }
    }
    Ok(options)
}

fn jwt(options: &BTreeMap<&str, &str>) -> Result<TokenConfig> {
    let given = |name: &str| options.get(name).copied().filter(|value| !value.is_empty());
    let key = |name: &str| {
        let read = |path: &str| std::fs::read(path).with_context(|| format!("cannot read {name} {path}"));
        given(name).map(read).transpose()
    };
    let ttl = given("ttl").unwrap_or(JWT_TTL_DEFAULT);
    let jwt = Jwt::new(&JwtConfig {
        sign_method: given("sign-method").unwrap_or_default().to_owned(),
        public_key: key("pub-key")?,
        private_key: key("priv-key")?,
        ttl: duration::parse(ttl).with_context(|| format!("ttl={ttl} is not a duration"))?,
    })?;
    Ok(TokenConfig::Jwt(Arc::new(jwt)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<TokenConfig> {
        tokens(text, Duration::from_secs(300))
    }

    #[test]
    fn simple_tokens_need_nothing_more() {
        assert!(matches!(of("simple"), Ok(TokenConfig::Simple { ttl }) if ttl.as_secs() == 300));
        assert!(matches!(of(""), Ok(TokenConfig::None)));
    }

    #[test]
    fn a_secret_makes_web_tokens() {
        let dir = tempfile::tempdir().expect("a folder");
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "a long secret").expect("written");
        let text = format!("jwt,sign-method=HS256,ttl=1s,priv-key={}", secret.display());
        assert!(matches!(of(&text), Ok(TokenConfig::Jwt(_))));
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        for (text, why) in [
            ("kerberos", "neither simple nor jwt"),
            ("jwt", "invalid auth signature method"),
            ("jwt,sign-method=RS256", "missing key data"),
            ("jwt,sign-method=RS256,ttl=soon", "ttl=soon"),
            ("jwt,sign-method", "not NAME=VALUE"),
            ("jwt,ttl=1s,ttl=2s", "given twice"),
            (
                "jwt,sign-method=RS256,priv-key=/nowhere/key",
                "cannot read priv-key /nowhere/key",
            ),
        ] {
            let error = format!("{:#}", of(text).expect_err(text));
            assert!(error.contains(why), "{error}");
        }
    }
}
