//! A client's connection to one member.

use std::time::Duration;

use tonic::transport::Channel;

use super::{call, outcome, shared::Shared};
use crate::history::{Operation, Outcome, Record, Request};

/// Shorter than etcd's own patience with a proposal, so that outcomes stay unknown now and then.
const CALL_PATIENCE: Duration = Duration::from_secs(4);
/// Between attempts to reach a member that is down.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

pub struct Connection {
    pub member: usize,
    channel: Option<Channel>,
}

impl Connection {
    pub fn new(member: usize) -> Self {
        Self { member, channel: None }
    }

    /// Asks and records. None if the member cannot be reached, after a short pause.
    pub async fn ask(&mut self, shared: &Shared, client: u32, request: Request) -> Option<Operation> {
        let channel = self.channel(shared).await?;
        let (id, invoked) = (shared.recorder.id(), shared.recorder.clock.now());
        let called = tokio::time::timeout(CALL_PATIENCE, call::call(channel, &request)).await;
        let outcome = match called {
            Ok(Ok(answer)) => Outcome::Ok(answer),
            Ok(Err(status)) => outcome::of(&status),
            Err(_) => Outcome::Unknown("no answer in time".to_owned()),
        };
        let returned = shared.recorder.clock.now();
        if outcome::breaks_the_connection(&outcome) {
            self.channel = None;
        }
        let operation = Operation {
            id,
            client,
            member: self.member,
            invoked,
            returned,
            request,
            outcome,
        };
        shared.learn(&operation);
        shared.recorder.write(&Record::Operation(operation.clone()));
        Some(operation)
    }

    pub async fn channel(&mut self, shared: &Shared) -> Option<Channel> {
        if self.channel.is_none() {
            self.channel = shared.doors.open(self.member).await.ok();
        }
        if self.channel.is_none() {
            shared.figures.count_unreached();
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
        self.channel.clone()
    }

    /// Another member from now on.
    pub fn turn_to(&mut self, member: usize) {
        if member != self.member {
            *self = Self::new(member);
        }
    }
}
