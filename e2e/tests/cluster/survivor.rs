//! When all but one are lost for ever.

use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::put;
use taffrail_e2e::wait;

use crate::changes::join;

#[tokio::test]
async fn one_survivor_becomes_a_new_cluster_with_all_data() {
    let mut cluster = Plain::of(3).spare(1).start().await;
    for number in 0..20 {
        cluster.client(number % 3).put(put(format!("k{number}"), "v")).await;
    }
    let (_, followers) = cluster.roles().await;
    let survivor = followers[0];
    let before = cluster.client(survivor).revision().await;
    let (id, hash) = (
        cluster.client(survivor).member_id().await,
        cluster.client(survivor).hash_kv(before).await.hash,
    );
    (0..3).for_each(|member| cluster.kill_nine(member));

    cluster.start_with(survivor, &["--force-new-cluster"]).unwrap();
    let client = cluster.client(survivor).clone();
    wait::until("the survivor to take writes", async || {
        client.kv().put(put("new", "v")).await.ok()
    })
    .await;
    assert_eq!(client.revision().await, before + 1);
    assert_eq!(client.hash_kv(before).await.hash, hash);
    let members: Vec<_> = client.members().await.iter().map(|member| member.id).collect();
    assert_eq!(members, [id]);

    cluster.kill_nine(survivor);
    cluster.run(survivor);
    wait::until("the survivor to serve without the flag", async || {
        client.kv().put(put("k", "v")).await.ok()
    })
    .await;
    join(&mut cluster, survivor, 3, false).await;
    wait::until("a new member to serve", async || {
        cluster.client(3).kv().put(put("k", "w")).await.ok()
    })
    .await;
    assert_eq!(cluster.client(3).text("k19").await.as_deref(), Some("v"));
}
