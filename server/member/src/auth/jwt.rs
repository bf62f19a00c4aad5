//! JSON web tokens (RFC 7519): signed, so that no member has to remember them.
//!
//! A token carries the state of users and roles it was given out at; any change there ends all of them (etcd
//! auth/jwt.go). Keys are checked when they are read, so that a member does not start with some that cannot work.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use taffrail_store::Caller;

use super::sec1;

/// How tokens are signed.
#[derive(Debug, Clone, Default)]
pub struct JwtConfig {
    /// Such as RS256.
    pub sign_method: String,
    /// PEM: a public key or a certificate.
    pub public_key: Option<Vec<u8>>,
    /// PEM; for HS methods the secret itself. Without it tokens are only verified.
    pub private_key: Option<Vec<u8>>,
    pub ttl: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtKeyError {
    #[error("auth: invalid auth signature method: {0:?} is none of HS, RS, PS 256 384 512, ES256, ES384, EdDSA")]
    Method(String),
    #[error("auth: missing key data")]
    Missing,
    #[error("auth: public and private keys don't match")]
    Mismatch,
    #[error("cannot use the {which} key for {method}: {why}")]
    Unreadable {
        which: &'static str,
        method: String,
        why: String,
    },
}

/// Signs and reads tokens.
pub struct Jwt {
    algorithm: Algorithm,
    signing: Option<EncodingKey>,
    verifying: DecodingKey,
    ttl: Duration,
}

impl std::fmt::Debug for Jwt {
    /// Without keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwt")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    username: String,
    revision: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
}

/// What of a key differs between kinds of methods.
#[derive(Clone, Copy)]
enum Family {
    Secret,
    Rsa,
    Curve,
    Edwards,
}

impl Jwt {
    pub fn new(config: &JwtConfig) -> Result<Jwt, JwtKeyError> {
        let algorithm: Algorithm = config
            .sign_method
            .parse()
            .map_err(|_| JwtKeyError::Method(config.sign_method.clone()))?;
        let keys = Keys {
            config,
            algorithm,
            family: family(algorithm),
        };
        let signing = keys.signing()?;
        Ok(Jwt {
            algorithm,
            verifying: keys.verifying(signing.as_ref())?,
            signing,
            ttl: config.ttl,
        })
    }

    /// # Errors
    /// A text for the client: there may be no key to sign with.
    pub(crate) fn token(&self, user: &str, auth_revision: u64) -> Result<String, String> {
        let Some(key) = &self.signing else {
            return Err("auth: token signing attempted with verify-only key".to_owned());
        };
        let claims = Claims {
            username: user.to_owned(),
            revision: auth_revision as f64,
            exp: Some((now() + self.ttl).as_secs()),
        };
        jsonwebtoken::encode(&Header::new(self.algorithm), &claims, key).map_err(|error| error.to_string())
    }

    /// Whose token it is; none if it is broken, foreign or has ended.
    pub(crate) fn caller(&self, token: &str) -> Option<Caller> {
        let mut validation = Validation::new(self.algorithm);
        validation.required_spec_claims.clear();
        validation.validate_aud = false;
        validation.leeway = 0;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &validation)
            .ok()?
            .claims;
        Some(Caller {
            user: claims.username,
            auth_revision: claims.revision as u64,
        })
    }
}

struct Keys<'a> {
    config: &'a JwtConfig,
    algorithm: Algorithm,
    family: Family,
}

impl Keys<'_> {
    fn signing(&self) -> Result<Option<EncodingKey>, JwtKeyError> {
        let Some(key) = &self.config.private_key else {
            return Ok(None);
        };
        let read = match self.family {
            Family::Secret => Ok(EncodingKey::from_secret(key)),
            Family::Rsa => EncodingKey::from_rsa_pem(key),
            Family::Curve => EncodingKey::from_ec_pem(&sec1::to_pkcs8(key)),
            Family::Edwards => EncodingKey::from_ed_pem(key),
        };
        Ok(Some(read.map_err(|error| self.unreadable("private", &error))?))
    }

    /// From the public key, or from the private one. Given both, they must fit.
    fn verifying(&self, signing: Option<&EncodingKey>) -> Result<DecodingKey, JwtKeyError> {
        if let (Family::Secret, Some(secret)) = (self.family, &self.config.private_key) {
            return Ok(DecodingKey::from_secret(secret));
        }
        let public = self.public()?;
        let derived = signing.map(|key| self.derive(key)).transpose()?;
        match (public, derived, signing) {
            (Some(public), None, _) => Ok(public),
            (Some(public), Some(_), Some(signing)) => self.fitting(public, signing),
            (_, Some(derived), _) => Ok(derived),
            _ => Err(JwtKeyError::Missing),
        }
    }

    fn public(&self) -> Result<Option<DecodingKey>, JwtKeyError> {
        let Some(key) = &self.config.public_key else {
            return Ok(None);
        };
        let read = match self.family {
            // A secret has no public half.
            Family::Secret => return Ok(None),
            Family::Rsa => DecodingKey::from_rsa_pem(key),
            Family::Curve => DecodingKey::from_ec_pem(key),
            Family::Edwards => DecodingKey::from_ed_pem(key),
        };
        Ok(Some(read.map_err(|error| self.unreadable("public", &error))?))
    }

    fn derive(&self, signing: &EncodingKey) -> Result<DecodingKey, JwtKeyError> {
        let derived = Jwk::from_encoding_key(signing, self.algorithm).and_then(|jwk| DecodingKey::from_jwk(&jwk));
        derived.map_err(|error| self.unreadable("private", &error))
    }

    /// What one signs the other must accept.
    fn fitting(&self, verifying: DecodingKey, signing: &EncodingKey) -> Result<DecodingKey, JwtKeyError> {
        let probe = Jwt {
            algorithm: self.algorithm,
            signing: Some(signing.clone()),
            verifying,
            ttl: Duration::from_secs(60),
        };
        let token = probe.token("", 1).map_err(|error| self.unreadable("private", &error))?;
        probe.caller(&token).ok_or(JwtKeyError::Mismatch)?;
        Ok(probe.verifying)
    }

    fn unreadable(&self, which: &'static str, why: &dyn std::fmt::Display) -> JwtKeyError {
        JwtKeyError::Unreadable {
            which,
            method: self.config.sign_method.clone(),
            why: why.to_string(),
        }
    }
}

fn family(algorithm: Algorithm) -> Family {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => Family::Secret,
        Algorithm::ES256 | Algorithm::ES384 => Family::Curve,
        Algorithm::EdDSA => Family::Edwards,
        _ => Family::Rsa,
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made for these tests and used nowhere else.
    const CURVE_KEY: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIM2WPRfJnOWLAk+YyTvcrJgyKQtlUXU9NUsof9zj/1zBoAoGCCqGSM49
AwEHoUQDQgAEzxeAWx7lcW8rok/3l9As3iUyT4hb9S3IHkYtkYAJvsQdI47/7l9Z
pJxXGT4yBMpfsIibjwCQSVbYF7JVTrn4xw==
-----END EC PRIVATE KEY-----";
    const CURVE_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEzxeAWx7lcW8rok/3l9As3iUyT4hb
9S3IHkYtkYAJvsQdI47/7l9ZpJxXGT4yBMpfsIibjwCQSVbYF7JVTrn4xw==
-----END PUBLIC KEY-----";
    const OTHER_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjMSRv2NKePAozZpZe1lN1Mtt83BG
7qJuAlL8rHDDyzRGrlRn0kvms8z5idjz6MDSQqXK55Txv5HZNmELxhKv2A==
-----END PUBLIC KEY-----";
    const EDWARDS_KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIOCH/vHEHy0SYnun2i7V1aNzqlVWjKTGnD0tCidCXChh
-----END PRIVATE KEY-----";

    fn config(method: &str, private: Option<&str>, public: Option<&str>) -> JwtConfig {
        JwtConfig {
            sign_method: method.into(),
            private_key: private.map(Into::into),
            public_key: public.map(Into::into),
            ttl: Duration::from_secs(60),
        }
    }

    fn jwt(method: &str, private: Option<&str>, public: Option<&str>) -> Jwt {
        Jwt::new(&config(method, private, public)).expect("usable keys")
    }

    #[test]
    fn what_is_signed_is_read_back() {
        let alice = Caller {
            user: "alice".into(),
            auth_revision: 7,
        };
        for (method, key) in [("HS256", "secret"), ("ES256", CURVE_KEY), ("EdDSA", EDWARDS_KEY)] {
            let jwt = jwt(method, Some(key), None);
            let token = jwt.token("alice", 7).expect("signed");
            assert_eq!(jwt.caller(&token), Some(alice.clone()), "{method}");
        }
    }

    #[test]
    fn a_public_key_reads_and_does_not_sign() {
        let token = jwt("ES256", Some(CURVE_KEY), None).token("alice", 1).expect("signed");
        let reader = jwt("ES256", None, Some(CURVE_PUBLIC));
        assert!(reader.caller(&token).is_some());
        assert!(reader.token("alice", 1).expect_err("no key").contains("verify-only"));
    }

    #[test]
    fn a_foreign_broken_or_ended_token_is_nobodys() {
        let ours = jwt("HS256", Some("secret"), None);
        let foreign = jwt("HS256", Some("other"), None).token("alice", 1).expect("signed");
        let stronger = jwt("HS512", Some("secret"), None).token("alice", 1).expect("signed");
        let ended = Claims {
            username: "alice".into(),
            revision: 1.0,
            exp: Some(now().as_secs() - 1),
        };
        let key = EncodingKey::from_secret(b"secret");
        let ended = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &ended, &key).expect("signed");
        let unsigned = "eyJhbGciOiJub25lIn0.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjF9.";
        for token in [&foreign, &stronger, &ended, unsigned, "", "a.b.c", "no token"] {
            assert_eq!(ours.caller(token), None, "{token}");
        }
    }

    #[test]
    fn keys_that_cannot_work_are_refused_at_once() {
        let refused = |method, private, public| Jwt::new(&config(method, private, public)).expect_err(method);
        assert!(matches!(refused("none", Some("x"), None), JwtKeyError::Method(_)));
        assert_eq!(refused("RS256", None, None), JwtKeyError::Missing);
        assert_eq!(refused("HS256", None, Some("x")), JwtKeyError::Missing);
        assert_eq!(
            refused("ES256", Some(CURVE_KEY), Some(OTHER_PUBLIC)),
            JwtKeyError::Mismatch
        );
        let unreadable = refused("RS256", Some(CURVE_KEY), None);
        assert!(
            matches!(unreadable, JwtKeyError::Unreadable { which: "private", .. }),
            "{unreadable}"
        );
    }
}
