//! A client that asks one thing after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::mix::Mix;
use super::shared::Shared;
use crate::chance::Chance;
use crate::history::{Body, Operation, Pair, Request};

pub async fn run(shared: Arc<Shared>, member: usize, chance: Chance) {
    let client = shared.recorder.id() as u32;
    let mut connection = Connection::new(member);
    let mut mix = Mix {
        shared: &shared,
        chance,
        seen: HashMap::new(),
    };
    while shared.is_writing() {
        let request = mix.request();
        if let Some(operation) = connection.ask(&shared, client, request).await {
            remember(&mut mix, &operation);
        }
        let pause = pause(&shared, &mut mix.chance);
        tokio::time::sleep(pause).await;
    }
}

/// Keeps the rate, but not in step.
fn pause(shared: &Shared, chance: &mut Chance) -> Duration {
    let clients = (shared.settings.clients_per_member * shared.doors.slots()) as u64;
    let average_micros = clients * 1_000_000 / shared.settings.operations_per_second.max(1);
    Duration::from_micros(chance.below(2 * average_micros))
}

fn remember(mix: &mut Mix<'_>, operation: &Operation) {
    let Some(answer) = operation.answer() else { return };
    match (&operation.request, &answer.body) {
        (Request::Range(range), Body::Range { pairs, .. }) if range.revision == 0 => learn(mix, pairs),
        (_, Body::Txn { steps, .. }) => steps.iter().for_each(|step| {
            if let Body::Range { pairs, .. } = step {
                learn(mix, pairs);
            }
        }),
        _ => {}
    }
}

fn learn(mix: &mut Mix<'_>, pairs: &[Pair]) {
    mix.seen.extend(pairs.iter().map(|pair| (pair.key, *pair)));
}
