//! Members, pods and alarms that come from elsewhere, and learners that get nowhere.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::PostParams;
use serde_json::json;
use taffrail_crds::{CLUSTER, LeavingReason, REPLACE};
use taffrail_e2e_kubernetes::bulk::client;
use taffrail_e2e_kubernetes::{Cluster, Image, Life, PATIENCE, wait};
use taffrail_proto::etcdserverpb::{AlarmRequest, AlarmType, MemberAddRequest};

/// A learner that nobody runs: a person began to add it by hand.
async fn a_phantom_is_taken_off(cluster: &Cluster) {
    let request = MemberAddRequest {
        peer_ur_ls: vec!["http://nobody.invalid:2380".into()],
        is_learner: true,
    };
    // etcd refuses as long as it has not been in touch with everybody for a while.
    let added = wait::until("it is added", PATIENCE, async || {
        let request = request.clone();
        client(cluster).await.cluster().member_add(request).await.ok()
    })
    .await;
    let id = added.into_inner().member.map(|member| member.id);
    wait::until("it is off the list", PATIENCE, async || {
        let members = client(cluster).await.members().await;
        members.iter().all(|one| Some(one.id) != id).then_some(())
    })
    .await;
    cluster.settles().await;
}

/// With the labels of a voter, as a tool that copies pods leaves them there.
fn look_alike(of: &Pod) -> Pod {
    let container = json!({
        "name": "client", "image": concat!("taffrail/client:", env!("CARGO_PKG_VERSION")), "command": ["sleep", "3600"],
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    });
    let confined = json!({"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}});
    let spec = json!({"containers": [container], "securityContext": confined, "terminationGracePeriodSeconds": 0});
    let metadata = json!({"name": "look-alike", "labels": of.labels()});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).expect("a pod")
}

async fn a_look_alike_is_not_counted(cluster: &Cluster) {
    let original = cluster.pod(&cluster.follower().await).await.expect("it runs");
    let pods = cluster.namespace.api::<Pod>();
    let made = pods.create(&PostParams::default(), &look_alike(&original)).await;
    let uid = made.expect("it is valid").uid();
    wait::until("it is not counted", PATIENCE, async || {
        let pod = pods.get("look-alike").await.ok()?;
        assert_eq!(pod.uid(), uid, "it was touched otherwise");
        let voters = cluster.namespace.api::<PodDisruptionBudget>().get(&cluster.name).await;
        let counted = voters.ok()?.status?.expected_pods;
        (!pod.labels().contains_key(CLUSTER) && counted == Some(3)).then_some(())
    })
    .await;
    cluster.settles().await;
    assert_eq!(
        cluster.pod(&original.name_any()).await.and_then(|pod| pod.uid()),
        original.uid()
    );
}

/// What a member says once it found its data to differ from the others'.
async fn a_corrupt_member_is_replaced(cluster: &Cluster) {
    let victim = cluster.follower().await;
    let id = u64::from_str_radix(&cluster.id_of(&victim).await, 16).expect("hexadecimal");
    client(cluster).await.raise(AlarmType::Corrupt, id).await;
    wait::until(
        "another stands in its place, and the alarm is off",
        PATIENCE,
        async || {
            let names = cluster.names().await;
            let alarms = client(cluster).await.alarm(AlarmRequest::default()).await.alarms;
            (names.len() == 3 && !names.contains(&victim) && alarms.is_empty()).then_some(())
        },
    )
    .await;
    cluster.settles().await;
}

/// The learner in the place of `victim` never gets far enough, and a second one does.
async fn a_stuck_learner_is_replaced(cluster: &Cluster, victim: &str) {
    let replace = format!("{REPLACE}=please");
    cluster
        .namespace
        .kubectl(&["annotate", "etcdmember", victim, &replace])
        .await
        .unwrap();
    let known = cluster.names().await;
    let learner = wait::until("another member is made", PATIENCE, async || {
        cluster.names().await.into_iter().find(|name| !known.contains(name))
    })
    .await;
    // As soon as there is a process, and again if somebody starts it anew.
    let stands_still = async {
        loop {
            drop(cluster.signal(&learner, "STOP").await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let given_up = wait::until("it is given up", PATIENCE, async || {
        let members = cluster.members().await;
        let left = members
            .iter()
            .find(|one| one.name_any() == learner)?
            .spec
            .leaving
            .clone()?;
        Some(left.reason)
    });
    tokio::select! {
        () = stands_still => {}
        reason = given_up => assert_eq!(reason, LeavingReason::Stuck),
    }
    wait::until("both have gone", PATIENCE, async || {
        let names = cluster.names().await;
        (names.len() == 3 && !names.contains(&learner) && !names.iter().any(|name| name == victim)).then_some(())
    })
    .await;
    cluster.settles().await;
}

async fn strangers_come_and_go(image: Image) {
    let spec = json!({"tls": {"client": {"mode": "Disabled"}}, "repair": {"replaceAfterSeconds": 15}});
    let life = Life::begin(image, spec).await;
    let cluster = &life.cluster;
    life.during("phantom", a_phantom_is_taken_off(cluster)).await;
    life.during("look_alike", a_look_alike_is_not_counted(cluster)).await;
    let victim = cluster.follower().await;
    life.during("stuck_learner", a_stuck_learner_is_replaced(cluster, &victim))
        .await;
    life.during("corrupt", a_corrupt_member_is_replaced(cluster)).await;
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phantoms_look_alikes_corrupt_members_and_stuck_learners_are_dealt_with() {
    strangers_come_and_go(Image::Taffrail).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_etcd_is_freed_of_phantoms_corrupt_members_and_stuck_learners() {
    strangers_come_and_go(Image::Stock).await;
}
