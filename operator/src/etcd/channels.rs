//! Connections to members, kept between calls.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint as Dial, Identity};
use tonic::{Request, Status};

use super::{Access, ClientTls, Endpoint, EtcdError, refusal};

/// Beyond it, the connection that was used longest ago is closed: many times what the members of one cluster need.
pub(super) const CONNECTIONS_MAX: usize = 512;
const KEEPALIVE: Duration = Duration::from_secs(30);

/// One connection, and the token that was given for it.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub channel: Channel,
    pub token: Token,
}

/// What [`Door::token`] adds to each call.
#[derive(Clone, Debug, Default)]
pub(super) struct Token(pub Option<MetadataValue<Ascii>>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("token", token.clone());
        }
        Ok(request)
    }
}

/// Connections by member and by who asks. Private keys and passwords are not kept, only their hash.
#[derive(Default)]
pub(super) struct Channels {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    doors: HashMap<Key, (u64, Door)>,
    uses: u64,
}

type Key = (Endpoint, [u8; 32]);

impl Channels {
    /// The connection that is there, or a new one.
    pub(super) async fn open(&self, access: &Access, at: &Endpoint) -> Result<Door, EtcdError> {
        let key = key(access, at);
        if let Some(door) = self.kept().used(&key) {
            return Ok(door);
        }
        let channel = dial(access.tls.as_ref(), at).await?;
        let door = Door {
            channel,
            token: Token::default(),
        };
        self.kept().put(key, door.clone());
        Ok(door)
    }

    /// Calls through this door carry the token from now on.
    pub(super) fn keep_token(&self, access: &Access, at: &Endpoint, door: &Door) {
        self.kept().put(key(access, at), door.clone());
    }

    /// The next call connects anew.
    pub(super) fn close(&self, access: &Access, at: &Endpoint) {
        self.kept().doors.remove(&key(access, at));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn used(&mut self, key: &Key) -> Option<Door> {
        self.uses += 1;
        let (used, door) = self.doors.get_mut(key)?;
        *used = self.uses;
        Some(door.clone())
    }

    fn put(&mut self, key: Key, door: Door) {
        self.uses += 1;
        self.doors.insert(key, (self.uses, door));
        if self.doors.len() > CONNECTIONS_MAX {
            let idle = self
                .doors
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(key, _)| key.clone());
            idle.map(|key| self.doors.remove(&key));
        }
    }
}

fn key(access: &Access, at: &Endpoint) -> Key {
    (at.clone(), fingerprint(access))
}

/// A hash of everything that says who asks. Lengths keep neighbouring parts apart.
fn fingerprint(access: &Access) -> [u8; 32] {
    let tls = access
        .tls
        .iter()
        .flat_map(|tls| [&tls.authorities, &tls.certificate, &tls.key]);
    let user = access.user.iter().flat_map(|(name, password)| [name, password]);
    let mut hash = Sha256::new();
    hash.update([u8::from(access.tls.is_some()), u8::from(access.user.is_some())]);
    for part in tls.chain(user) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

async fn dial(tls: Option<&ClientTls>, at: &Endpoint) -> Result<Channel, EtcdError> {
    let unreachable = |error: tonic::transport::Error| refusal::connecting(&error);
    let mut dial = Dial::from_shared(at.url.clone())
        .map_err(unreachable)?
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE);
    if let Some(tls) = tls {
        dial = dial.tls_config(config(tls, at)).map_err(unreachable)?;
    }
    dial.connect().await.map_err(unreachable)
}

fn config(tls: &ClientTls, at: &Endpoint) -> ClientTlsConfig {
    ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&tls.authorities))
        .identity(Identity::from_pem(&tls.certificate, &tls.key))
        .domain_name(at.server_name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door() -> Door {
        Door {
            channel: Dial::from_static("http://[::1]:1").connect_lazy(),
            token: Token::default(),
        }
    }

    fn member(number: usize) -> Key {
        let at = Endpoint {
            url: format!("http://{number}"),
            server_name: String::new(),
        };
        key(&Access::default(), &at)
    }

    #[tokio::test]
    async fn the_connection_that_was_used_longest_ago_makes_room() {
        let mut kept = Kept::default();
        (0..CONNECTIONS_MAX).for_each(|number| kept.put(member(number), door()));
        assert!(kept.used(&member(0)).is_some());
        kept.put(member(CONNECTIONS_MAX), door());
        assert_eq!(kept.doors.len(), CONNECTIONS_MAX);
        assert!(kept.used(&member(0)).is_some() && kept.used(&member(1)).is_none());
    }

    #[test]
    fn whoever_asks_with_something_else_gets_another_connection() {
        let user = |name: &str, password: &str| Access {
            tls: None,
            user: Some((name.into(), password.into())),
        };
        assert_ne!(fingerprint(&user("ab", "c")), fingerprint(&user("a", "bc")));
        assert_ne!(fingerprint(&user("", "")), fingerprint(&Access::default()));
    }
}
