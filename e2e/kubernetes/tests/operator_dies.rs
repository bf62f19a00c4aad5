//! The operator is killed at any moment, or there are two of it at once. Alone in its file: others need one that lives.

use std::time::Duration;

use serde_json::{Value, json};
use taffrail_e2e::chance::Chance;
use taffrail_e2e_kubernetes::{Image, Kubernetes, Life, wait};

const ROUNDS: u64 = 5;

async fn lose_a_volume(life: &Life) {
    let cluster = &life.cluster;
    let victim = cluster.follower().await;
    let (claim, pod) = (format!("pvc/data-{victim}"), format!("pod/{victim}"));
    cluster
        .namespace
        .kubectl(&["delete", "--wait=false", &claim, &pod])
        .await
        .unwrap();
    wait::until("it is replaced", taffrail_e2e_kubernetes::PATIENCE, async || {
        let names = cluster.names().await;
        (!names.is_empty() && !names.contains(&victim)).then_some(())
    })
    .await;
}

/// The moment is chosen by chance, and so differs from round to round.
async fn dies_meanwhile(kubernetes: &Kubernetes, chance: &mut Chance) {
    let moment = Duration::from_millis(300 + chance.below(6_000));
    tokio::time::sleep(moment).await;
    kubernetes.kill_operators().await.expect("it was there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_may_die_at_any_moment_and_so_may_there_be_two() {
    let life = Life::begin(Image::Taffrail, json!({})).await;
    let kubernetes = Kubernetes::from_env().await;
    let mut chance = Chance::new(7);
    for round in 0..ROUNDS {
        let change = [json!({"replicas": 5}), option(round), json!({"replicas": 3})];
        let step = usize::try_from(round % 4).unwrap_or_default();
        life.during("operator_killed", async {
            let work = async {
                match change.get(step) {
                    Some(change) => life.cluster.change(change.clone()).await,
                    None => lose_a_volume(&life).await,
                }
            };
            tokio::join!(work, dies_meanwhile(&kubernetes, &mut chance));
            life.cluster.settles().await;
        })
        .await;
    }
    kubernetes
        .operator_with(&["--leader-elect=false"], 2)
        .await
        .expect("two roll out");
    life.change("two_operators_scale_out", json!({"replicas": 5})).await;
    life.change("two_operators_roll", option(99)).await;
    life.change("two_operators_scale_in", json!({"replicas": 3})).await;
    kubernetes
        .operator_with(&["--leader-elect"], 2)
        .await
        .expect("it rolls out");
    life.end().await;
}

fn option(round: u64) -> Value {
    json!({"options": {"heartbeat-interval": (100 + round).to_string()}})
}
