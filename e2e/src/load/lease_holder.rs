//! A client whose keys live as long as its lease.

use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::mix;
use super::shared::Shared;
use crate::chance::Chance;
use crate::history::{Body, Delete, Key, Operation, Put, Request, Span};

const TTL_SECONDS: (u64, u64) = (2, 7);
const KEYS_MAX: u64 = 3;
const KEEPALIVES_MAX: u64 = 12;

pub async fn run(shared: Arc<Shared>, member: usize, chance: Chance) {
    let client = shared.recorder.id() as u32;
    let mut holder = Holder {
        shared: &shared,
        client,
        connection: Connection::new(member),
        chance,
    };
    while shared.is_writing() {
        holder.hold_a_lease().await;
    }
}

struct Holder<'a> {
    shared: &'a Shared,
    client: u32,
    connection: Connection,
    chance: Chance,
}

impl Holder<'_> {
    async fn hold_a_lease(&mut self) -> Option<()> {
        let lease = self.shared.recorder.id() as i64;
        let ttl = self.chance.between(TTL_SECONDS.0, TTL_SECONDS.1) as i64;
        self.ask(Request::Grant { lease, ttl })
            .await
            .filter(|granted| granted.answer().is_some())?;
        let mut keys = Vec::new();
        for _ in 0..=self.chance.below(KEYS_MAX) {
            let value = self.shared.recorder.id();
            let key = mix::lease_key(value);
            self.ask(Request::Put(Put {
                key,
                value,
                lease,
                prev: false,
            }))
            .await;
            keys.push(key);
        }
        self.keep_alive(lease, ttl).await?;
        self.let_go(lease, &keys).await
    }

    /// Keeps the lease for a while. None if it turns out to have ended.
    async fn keep_alive(&mut self, lease: i64, ttl: i64) -> Option<()> {
        for _ in 0..self.chance.below(KEEPALIVES_MAX) {
            if !self.shared.is_writing() {
                return None;
            }
            let pause_millis = self.chance.between(100, ttl as u64 * 1000 / 2);
            tokio::time::sleep(Duration::from_millis(pause_millis)).await;
            let kept = self.ask(Request::KeepAlive { lease }).await;
            if kept.as_ref().is_some_and(has_ended) {
                return None;
            }
        }
        Some(())
    }

    /// Most leases are left to expire.
    async fn let_go(&mut self, lease: i64, keys: &[Key]) -> Option<()> {
        match self.chance.below(6) {
            0 | 1 => drop(self.ask(Request::Revoke { lease }).await?),
            2 => drop(
                self.ask(Request::Delete(Delete {
                    span: Span::single(keys[0]),
                    prev: false,
                }))
                .await?,
            ),
            // Without the lease, a key stays until somebody deletes it.
            3 => self.detach(keys[0]).await?,
            _ => {}
        }
        Some(())
    }

    async fn detach(&mut self, key: Key) -> Option<()> {
        self.ask(mix::plain_put(key, self.shared.recorder.id())).await?;
        let delete = Request::Delete(Delete {
            span: Span::single(key),
            prev: true,
        });
        while self.shared.is_writing() {
            let deleted = self.ask(delete.clone()).await;
            if deleted.is_some_and(|deleted| !deleted.is_unknown()) {
                break;
            }
        }
        Some(())
    }

    async fn ask(&mut self, request: Request) -> Option<Operation> {
        if self.chance.percent(5) {
            self.connection
                .turn_to(self.chance.below(self.shared.doors.slots() as u64) as usize);
        }
        self.connection.ask(self.shared, self.client, request).await
    }
}

fn has_ended(operation: &Operation) -> bool {
    matches!(
        operation.answer().map(|answer| &answer.body),
        Some(Body::Lease { ttl: ..=0 })
    )
}
