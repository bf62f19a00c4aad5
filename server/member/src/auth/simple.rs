//! Simple tokens: random words that every member learns when the entry that gave them out is applied.
//!
//! They live in memory alone, so a member that starts anew knows none of them, and clients authenticate again
//! (etcd auth/simple_token.go). A token is `<16 letters>.<index of its entry>`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use taffrail_store::Auth;
use tokio::time::Instant;

const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const PREFIX_LETTERS: usize = 16;
/// Tokens held at most; one more makes room by ending the one that would end first.
const TOKENS_MAX: usize = 1 << 17;
/// How often ended ones are looked for.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// What is used until the member says otherwise (etcd --auth-token-ttl).
const TTL_DEFAULT: Duration = Duration::from_secs(300);

/// The tokens that are known here.
#[derive(Debug)]
pub(crate) struct SimpleTokens(Mutex<Table>);

#[derive(Debug)]
struct Table {
    ttl: Duration,
    tokens: HashMap<String, Given>,
    swept: Instant,
}

#[derive(Debug)]
struct Given {
    user: String,
    /// The user's hash when it was given out: who changes a password ends all tokens given out for the old one.
    password: Bytes,
    ends: Instant,
}

impl Default for SimpleTokens {
    fn default() -> Self {
        SimpleTokens(Mutex::new(Table {
            ttl: TTL_DEFAULT,
            tokens: HashMap::new(),
            swept: Instant::now(),
        }))
    }
}

impl SimpleTokens {
    pub fn live_for(&self, ttl: Duration) {
        self.table().ttl = ttl;
    }

    /// Learns a token. `auth` is the state right after its entry.
    pub fn learn(&self, token: String, user: &str, auth: &Auth) {
        let Some(record) = auth.user(user) else { return };
        let now = Instant::now();
        let mut table = self.table();
        table.sweep(now);
        let ends = now + table.ttl;
        let given = Given {
            user: user.to_owned(),
            password: record.password.clone(),
            ends,
        };
        table.tokens.insert(token, given);
    }

    /// Whose token it is; its time starts anew.
    pub fn user_of(&self, token: &str, auth: &Auth) -> Option<String> {
        let now = Instant::now();
        let mut table = self.table();
        let ttl = table.ttl;
        let given = table.tokens.get_mut(token)?;
        let stands = auth
            .user(&given.user)
            .is_some_and(|user| user.password == given.password);
        if !stands || now > given.ends {
            table.tokens.remove(token);
            return None;
        }
        given.ends = now + ttl;
        Some(given.user.clone())
    }

    /// Ends all of them.
    pub fn forget(&self) {
        self.table().tokens.clear();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn sweep(&mut self, now: Instant) {
        if now.duration_since(self.swept) >= SWEEP_PAUSE {
            self.swept = now;
            self.tokens.retain(|_, given| given.ends >= now);
        }
        if self.tokens.len() >= TOKENS_MAX {
            let first = self.tokens.iter().min_by_key(|(_, given)| given.ends);
            if let Some(token) = first.map(|(token, _)| token.clone()) {
                self.tokens.remove(&token);
            }
        }
    }
}

/// The random half of a token.
pub(crate) fn prefix() -> std::io::Result<String> {
    let mut letters = String::with_capacity(PREFIX_LETTERS);
    while letters.len() < PREFIX_LETTERS {
        let mut bytes = [0; 4 * PREFIX_LETTERS];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        // Larger bytes would make some letters likelier than others.
        let fair = bytes.iter().filter(|byte| usize::from(**byte) < 4 * LETTERS.len());
        let fair = fair.map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
        letters.extend(fair.take(PREFIX_LETTERS - letters.len()));
    }
    Ok(letters)
}

pub(crate) fn token(prefix: &str, index: u64) -> String {
    format!("{prefix}.{index}")
}

/// The index of the entry that gave a token out; none if it cannot be a token.
pub(crate) fn index_of(token: &str) -> Option<u64> {
    let (_, index) = token.split_once('.')?;
    index.parse().ok()
}

/// What logs may tell of a token.
pub(crate) fn fingerprint(token: &str) -> String {
    let hash = Sha256::digest(token.as_bytes());
    hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_sixteen_letters_and_never_the_same() {
        let (one, other) = (prefix().expect("random"), prefix().expect("random"));
        assert_eq!(one.len(), PREFIX_LETTERS);
        assert!(one.bytes().all(|letter| LETTERS.contains(&letter)));
        assert_ne!(one, other);
    }

    #[test]
    fn only_a_word_with_an_index_can_be_a_token() {
        assert_eq!(index_of("abc.7"), Some(7));
        for wrong in ["", "abc", "abc.", "abc.x", "abc.1.2", "a.-1"] {
            assert_eq!(index_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_fingerprint_is_short_and_tells_tokens_apart() {
        assert_eq!(fingerprint("a.1").len(), 8);
        assert_ne!(fingerprint("a.1"), fingerprint("a.2"));
    }
}
