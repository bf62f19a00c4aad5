//! The pages about the process: profiles and variables.

use prost::Message;
use taffrail_e2e::requests::put;
use taffrail_e2e::{Member, http};
use taffrail_proto::profiles::Profile;

async fn profiled() -> Member {
    Member::builder().arg("--enable-pprof").start().await
}

fn decoded(compressed: &[u8]) -> Profile {
    let mut profile = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(compressed), &mut profile).unwrap();
    Profile::decode(&profile[..]).unwrap()
}

#[tokio::test]
async fn a_profile_names_the_functions_that_ran() {
    let member = profiled().await;
    let address = member.address();
    let recording = tokio::spawn(async move { http::get_bytes(&address, "/debug/pprof/profile?seconds=2").await });
    while !recording.is_finished() {
        member.put(put("k", "v")).await;
    }
    let profile = decoded(&recording.await.unwrap());
    let text = |place: i64| profile.string_table[usize::try_from(place).unwrap()].as_str();
    let units: Vec<_> = profile
        .sample_type
        .iter()
        .map(|kind| (text(kind.r#type), text(kind.unit)))
        .collect();
    assert_eq!(units, [("samples", "count"), ("cpu", "nanoseconds")]);
    assert!(!profile.sample.is_empty());
    let ours = profile
        .function
        .iter()
        .any(|function| text(function.system_name).contains("taffrail"));
    assert!(ours, "{:?}", profile.string_table);
    let known = |id: &u64| profile.location.iter().any(|location| location.id == *id);
    assert!(profile.sample.iter().flat_map(|sample| &sample.location_id).all(known));
}

#[tokio::test]
async fn a_profile_of_the_heap_tells_who_allocated_and_what_is_alive() {
    let member = profiled().await;
    let profile = decoded(&http::get_bytes(&member.address(), "/debug/pprof/heap").await);
    let text = |place: i64| profile.string_table[usize::try_from(place).unwrap()].as_str();
    let kinds: Vec<_> = profile.sample_type.iter().map(|kind| text(kind.r#type)).collect();
    assert_eq!(kinds, ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"]);
    // The log's first segment alone is larger than what is kept one of.
    let sum = |column: usize| profile.sample.iter().map(|sample| sample.value[column]).sum::<i64>();
    assert!(sum(1) >= sum(3) && sum(3) > 1 << 20, "{} of {}", sum(3), sum(1));
    let own = |name: &str| name.contains("profile::heap::");
    assert!(!profile.function.iter().any(|function| own(text(function.name))));
    let plain = Member::builder().arg("--log-level=debug").start().await;
    assert_eq!(http::get(&plain.address(), "/debug/pprof/heap").await.status, 501);
}

#[tokio::test]
async fn there_is_one_profile_at_a_time() {
    let member = profiled().await;
    let path = "/debug/pprof/profile?seconds=1";
    let address = member.address();
    let (one, other) = tokio::join!(http::get_bytes(&address, path), http::get_bytes(&address, path));
    let refused = |answer: &[u8]| String::from_utf8_lossy(answer).contains("cpu profiling already in use");
    assert!(refused(&one) != refused(&other));
}

#[tokio::test]
async fn what_is_not_there_says_why() {
    let member = profiled().await;
    let index = http::get(&member.address(), "/debug/pprof/").await;
    assert_eq!(index.status, 200);
    for (name, status) in [("goroutine", 501), ("symbol", 501), ("nothing", 404), ("cmdline", 200)] {
        let page = http::get(&member.address(), &format!("/debug/pprof/{name}")).await;
        assert_eq!(page.status, status, "{name}: {}", page.body);
    }
    let wrong = http::get(&member.address(), "/debug/pprof/profile?seconds=soon").await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn nobody_profiles_a_member_that_was_not_asked_to_allow_it() {
    let member = Member::fresh().await;
    assert_eq!(http::get(&member.address(), "/debug/pprof/").await.status, 404);
}

#[tokio::test]
async fn variables_are_told_as_json() {
    let member = Member::fresh().await;
    let page = http::get(&member.address(), "/debug/vars").await;
    let vars: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(vars["raft.status"]["raftState"], "StateLeader");
    assert_eq!(vars["raft.status"]["id"], format!("{:x}", member.member_id().await));
    assert!(
        vars["file_descriptor_limit"].as_u64() > Some(0) && vars["cmdline"].is_array(),
        "{vars}"
    );
    assert_eq!(http::post(&member.address(), "/debug/vars", "").await.status, 405);
}
