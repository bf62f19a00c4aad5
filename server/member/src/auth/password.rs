//! Hashing passwords: slow by intent, so few at a time and never on an async worker.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Semaphore;

/// Costs that bcrypt knows; others fall back to the default, as in etcd (auth/store.go, NewAuthStore).
const COST_MIN: u32 = 4;
const COST_MAX: u32 = 31;
const COST_DEFAULT: u32 = 10;
/// Longer ones would be cut off without a word.
const PASSWORD_BYTES_MAX: usize = 72;

/// Why a password could not be hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("bcrypt: password length exceeds 72 bytes")]
    TooLong,
    #[error("bcrypt: {0}")]
    Failed(String),
}

/// Hashes and compares passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    cost: u32,
    /// As many at a time as leave the machine something for others.
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub fn new(cost: u32) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Passwords {
            cost: allowed(cost),
            turns: Arc::new(Semaphore::new(cores.div_ceil(2))),
        }
    }

    /// The form that the log carries: the hash in base64.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::TooLong);
        }
        let cost = self.cost;
        let hashed = self.apart(move || bcrypt::hash(password, cost)).await?;
        Ok(STANDARD.encode(hashed.map_err(|error| PasswordError::Failed(error.to_string()))?))
    }

    /// Whether a password is the one that was hashed.
    pub async fn matches(&self, password: String, hash: Vec<u8>) -> Result<bool, PasswordError> {
        let compare = move || {
            let hash = String::from_utf8(hash).ok()?;
            bcrypt::verify(password, &hash).ok()
        };
        Ok(self.apart(compare).await?.unwrap_or(false))
    }

    async fn apart<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|error| PasswordError::Failed(error.to_string()))?;
        let work = move || {
            // Kept to the end even if the client has left: the work goes on.
            let _turn = turn;
            work()
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| PasswordError::Failed(error.to_string()))
    }
}

fn allowed(cost: u32) -> u32 {
    if (COST_MIN..=COST_MAX).contains(&cost) {
        return cost;
    }
    tracing::warn!(
        min_cost = COST_MIN,
        max_cost = COST_MAX,
        given_cost = cost,
        default_cost = COST_DEFAULT,
        "use default bcrypt cost instead of the invalid given cost"
    );
    COST_DEFAULT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new(4);
        let hash = passwords.hash("secret".into()).await.expect("hashed");
        let hash = STANDARD.decode(hash).expect("base64");
        assert!(
            passwords
                .matches("secret".into(), hash.clone())
                .await
                .expect("compared")
        );
        assert!(!passwords.matches("Secret".into(), hash).await.expect("compared"));
        assert!(
            !passwords
                .matches("secret".into(), b"broken".to_vec())
                .await
                .expect("compared")
        );
    }

    #[tokio::test]
    async fn a_password_that_would_be_cut_off_is_refused() {
        let passwords = Passwords::new(4);
        assert_eq!(passwords.hash("x".repeat(73)).await, Err(PasswordError::TooLong));
        assert!(passwords.hash("x".repeat(72)).await.is_ok());
    }

    #[test]
    fn a_cost_that_bcrypt_does_not_know_becomes_the_default() {
        assert_eq!([3, 4, 31, 32].map(allowed), [10, 4, 31, 10]);
    }
}
