use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use tokio::sync::watch;

use super::*;
use crate::backup::snapshot::made_up;
use crate::backup::testing::*;
use taffrail_crds::{BackupTarget, Compression};

/// More than one part of 5 MiB, once compression is off.
const PAGES: usize = 1500;

fn never() -> (watch::Sender<bool>, Stop) {
    watch::channel(false)
}

async fn attempt(store: &Store, request: &Take) -> Result<Artifact, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let (_send, stop) = never();
    into(store.clone(), request, &places(folder.path()), stop).await
}

async fn names(store: &Store) -> Vec<String> {
    let mut names: Vec<_> = store.list("ns").await.unwrap().into_iter().map(|one| one.key).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_is_an_object_and_a_manifest_that_says_what_is_in_it() {
    let (member, store) = (FakeMember::with(made_up(10, 1)).await, memory());
    let artifact = attempt(&store, &take_of(&[&member], BackupTarget::default()))
        .await
        .unwrap();
    assert_eq!(
        names(&store).await,
        [format!("{KEY}.snap.zst"), format!("{KEY}.snap.zst.json")]
    );
    assert_eq!(
        (
            artifact.revision,
            artifact.keys,
            artifact.hash_kv,
            artifact.compact_revision
        ),
        (42, 12, 99, -1)
    );
    assert_eq!(
        (artifact.cluster_id.as_str(), artifact.etcd_version.as_str()),
        ("c1", "3.6.14")
    );
    assert_eq!(artifact.snapshot_bytes, 10 * 4096 + 32);
    let text = store
        .read_small(&Manifest::key_of(&artifact.key), MANIFEST_BYTES_MAX)
        .await
        .unwrap()
        .unwrap();
    let manifest = Manifest::decode(&text).unwrap();
    assert_eq!((manifest.artifact, manifest.origin), (artifact, origin()));
}

#[tokio::test]
async fn a_snapshot_that_is_not_whole_leaves_nothing() {
    let snapshot = made_up(PAGES, 1);
    let (member, server, folder) = (
        FakeMember::with(snapshot.clone()).await,
        FakeS3::start().await,
        tempfile::tempdir().unwrap(),
    );
    let places = places(folder.path());
    let late = snapshot.len() - 4096;
    let faults = [
        (Fault::EndsAfter(0), Reason::Truncated),
        (Fault::EndsAfter(100), Reason::ChecksumMismatch),
        (Fault::EndsAfter(late), Reason::ChecksumMismatch),
        (Fault::EndsAfter(snapshot.len() - 32), Reason::Truncated),
        (Fault::EndsAfter(snapshot.len() - 1), Reason::Truncated),
        (Fault::BreaksAfter(late), Reason::Truncated),
        (Fault::BreaksAfter(0), Reason::NoMember),
        (Fault::Flips(late), Reason::ChecksumMismatch),
        (Fault::Flips(snapshot.len() - 1), Reason::ChecksumMismatch),
        (Fault::StallsAfter(late), Reason::Stalled),
    ];
    for target in [s3(&server, "bucket"), volume()] {
        for (fault, reason) in faults {
            member.set(|state| state.fault = fault);
            let mut request = Take {
                compression: Compression::None,
                ..take_of(&[&member], target.clone())
            };
            request.stall_seconds = 1;
            let (_send, stop) = never();
            let failure = take(&request, &places, Arc::default(), stop).await.unwrap_err();
            assert!(
                failure.reason == reason || failure.is_damage() && reason != Reason::Stalled,
                "{fault:?}: {failure}"
            );
            assert_eq!(server.keys(), [""; 0], "{fault:?}");
            assert_eq!(files(&places.volume), [""; 0], "{fault:?}");
        }
    }
    let state = server.state.lock().unwrap();
    assert!(
        state.parts.is_empty() && state.aborts == state.uploads && state.uploads >= 5,
        "{} of {}",
        state.aborts,
        state.uploads
    );
}

fn files(folder: &std::path::Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.path().is_dir() {
                true => folders.push(entry.path()),
                false => all.push(entry.path().display().to_string()),
            }
        }
    }
    all
}

#[tokio::test]
async fn what_an_attempt_finished_is_found_by_the_next() {
    let (member, store) = (FakeMember::with(made_up(10, 1)).await, memory());
    let request = take_of(&[&member], BackupTarget::default());
    let first = attempt(&store, &request).await.unwrap();
    assert_eq!(attempt(&store, &request).await, Ok(first));
    assert_eq!(
        (names(&store).await.len(), member.calls("Maintenance/Snapshot")),
        (2, 1)
    );
}

#[tokio::test]
async fn nothing_is_ever_written_over() {
    let (member, objects) = (FakeMember::with(made_up(10, 1)).await, Arc::new(InMemory::new()));
    let store = Store::around(objects.clone(), Arc::default(), STALL);
    let mut request = take_of(&[&member], BackupTarget::default());
    attempt(&store, &request).await.unwrap();
    let before = all(&objects).await;
    request.origin.backup_uid = "somebody-else".into();
    let second = attempt(&store, &request).await.unwrap();
    assert_eq!(second.key, format!("{KEY}-2.snap.zst"));
    objects
        .put(
            &format!("{KEY}-3.snap.zst").into(),
            PutPayload::from_static(b"an upload without a manifest"),
        )
        .await
        .unwrap();
    request.origin.backup_uid = "a third".into();
    assert_eq!(
        attempt(&store, &request).await.unwrap().key,
        format!("{KEY}-4.snap.zst")
    );
    let after = all(&objects).await;
    assert!(before.iter().all(|one| after.contains(one)));
}

async fn all(objects: &InMemory) -> Vec<(String, bytes::Bytes)> {
    let metas: Vec<_> = objects.list(None).try_collect().await.unwrap();
    let mut all = Vec::new();
    for meta in metas {
        let bytes = objects.get(&meta.location).await.unwrap().bytes().await.unwrap();
        all.push((meta.location.to_string(), bytes));
    }
    all
}

#[tokio::test]
async fn an_object_that_was_damaged_since_is_not_reported_as_the_backup() {
    let (member, objects) = (FakeMember::with(made_up(10, 1)).await, Arc::new(InMemory::new()));
    let store = Store::around(objects.clone(), Arc::default(), STALL);
    let request = take_of(&[&member], BackupTarget::default());
    let first = attempt(&store, &request).await.unwrap();
    let mut bytes = all(&objects)
        .await
        .into_iter()
        .find(|(key, _)| *key == first.key)
        .unwrap()
        .1
        .to_vec();
    bytes[500] ^= 1;
    objects.put(&first.key.as_str().into(), bytes.into()).await.unwrap();
    assert_eq!(
        attempt(&store, &request).await.unwrap().key,
        format!("{KEY}-2.snap.zst")
    );
}

#[tokio::test]
async fn a_crash_between_any_two_steps_leaves_no_manifest_and_the_next_attempt_succeeds() {
    let (member, folder) = (FakeMember::with(made_up(PAGES, 1)).await, tempfile::tempdir().unwrap());
    let places = places(folder.path());
    let request = Take {
        compression: Compression::None,
        ..take_of(&[&member], BackupTarget::default())
    };
    let (mut polls, mut crashes) = (1, 0);
    loop {
        let (store, (_send, stop)) = (memory(), never());
        let work = into(store.clone(), &request, &places, stop.clone());
        let done = Crashing(Box::pin(work), polls).await;
        let manifests = names(&store)
            .await
            .into_iter()
            .filter(|name| name.ends_with(".json"))
            .count();
        if done.is_none() {
            crashes += 1;
            let artifact = into(store.clone(), &request, &places, stop).await.unwrap();
            let found = names(&store).await;
            assert_eq!(
                found.iter().filter(|name| name.ends_with(".json")).count(),
                1,
                "{polls}: {found:?}"
            );
            assert!(found.contains(&Manifest::key_of(&artifact.key)) && manifests <= 1);
        } else {
            assert_eq!(manifests, 1);
            break;
        }
        polls += 1 + polls / 6;
    }
    assert!(crashes > 8, "{crashes}");
}

#[tokio::test]
async fn whoever_is_behind_corrupt_or_gone_is_passed_over() {
    let (behind, sound) = (
        FakeMember::with(made_up(1, 1)).await,
        FakeMember::with(made_up(1, 1)).await,
    );
    behind.set(|state| state.revision = 7);
    sound.set(|state| state.id = 8);
    let gone = FakeMember {
        url: "http://127.0.0.1:1".into(),
        state: sound.state.clone(),
    };
    let request = take_of(&[&gone, &behind, &sound], BackupTarget::default());
    let artifact = attempt(&memory(), &request).await.unwrap();
    assert_eq!((artifact.member.as_str(), artifact.revision), ("demo-2", 42));
    let alone = take_of(&[&behind], BackupTarget::default());
    assert_eq!(
        attempt(&memory(), &alone).await.unwrap_err().reason,
        Reason::MemberBehind
    );
}

#[tokio::test]
async fn a_corrupt_member_is_not_backed_up() {
    let member = FakeMember::with(made_up(1, 1)).await;
    member.set(|state| state.corrupt = vec![7]);
    let failure = attempt(&memory(), &take_of(&[&member], BackupTarget::default()))
        .await
        .unwrap_err();
    assert_eq!(
        (failure.reason, member.calls("Maintenance/Snapshot")),
        (Reason::CorruptMember, 0)
    );
}

#[tokio::test]
async fn a_learner_is_backed_up_with_the_hash_of_a_voter() {
    let (learner, voter) = (
        FakeMember::with(made_up(1, 1)).await,
        FakeMember::with(made_up(1, 1)).await,
    );
    learner.set(|state| state.learner = true);
    let request = take_of(&[&learner, &voter], BackupTarget::default());
    let artifact = attempt(&memory(), &request).await.unwrap();
    assert_eq!((artifact.member.as_str(), artifact.hash_kv), ("demo-0", 99));
    assert_eq!(
        (
            learner.calls("Maintenance/Snapshot"),
            voter.calls("Maintenance/Snapshot")
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn a_compaction_that_overtakes_a_snapshot_moves_the_revision_on() {
    let member = FakeMember::with(made_up(1, 1)).await;
    member.set(|state| state.compactions = 2);
    let request = take_of(&[&member], BackupTarget::default());
    assert_eq!(attempt(&memory(), &request).await.unwrap().revision, 62);
    member.set(|state| state.compactions = 100);
    let store = memory();
    assert!(attempt(&store, &request).await.is_err());
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test]
async fn who_is_told_to_end_takes_the_upload_back() {
    let (member, server, folder) = (
        FakeMember::with(made_up(PAGES, 1)).await,
        FakeS3::start().await,
        tempfile::tempdir().unwrap(),
    );
    member.set(|state| state.fault = Fault::StallsAfter(PAGES * 4096));
    let request = Take {
        compression: Compression::None,
        ..take_of(&[&member], s3(&server, "bucket"))
    };
    let (send, stop) = never();
    let state = server.state.clone();
    tokio::spawn(async move {
        while state.lock().unwrap().parts.is_empty() {
            tokio::task::yield_now().await;
        }
        send.send_replace(true);
        send.closed().await;
    });
    let failure = take(&request, &places(folder.path()), Arc::default(), stop)
        .await
        .unwrap_err();
    assert_eq!(failure.reason, Reason::Stopped);
    let aborts = server.state.lock().unwrap().aborts;
    assert_eq!((aborts, server.keys().len()), (1, 0));
}

/// In MiB, of this process: as it is, and at its highest since it was asked to forget.
fn memory_of_process(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|one| one.strip_prefix(line)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes half a minute, and measures the process that it is in"]
async fn memory_does_not_grow_with_the_snapshot() {
    let (member, server) = (FakeMember::with(noise(300 << 20)).await, FakeS3::start().await);
    server.trouble(Trouble::Discards);
    let folder = tempfile::tempdir().unwrap();
    let recipients = vec![age::x25519::Identity::generate().to_public().to_string()];
    let request = Take {
        recipients,
        part_bytes: 8 << 20,
        stall_seconds: 60,
        ..take_of(&[&member], s3(&server, "bucket"))
    };
    let (_send, stop) = never();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, began) = (memory_of_process("VmRSS:"), std::time::Instant::now());
    let artifact = take(&request, &places(folder.path()), Arc::default(), stop)
        .await
        .unwrap();
    let (peak, took) = (memory_of_process("VmHWM:") - before, began.elapsed());
    println!(
        "{} bytes, in {took:?}, with {peak} MiB above the {before} MiB of the doubles",
        artifact.size_bytes
    );
    assert!(artifact.size_bytes > 290 << 20 && peak < 120, "{peak} MiB");
}

/// A snapshot that does not become smaller.
fn noise(bytes: usize) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let (mut snapshot, mut state) = (made_up(1, 0)[..4096].to_vec(), 88_172_645_463_325_252_u64);
    while snapshot.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        snapshot.extend_from_slice(&state.to_le_bytes());
    }
    let digest = Sha256::digest(&snapshot);
    snapshot.extend_from_slice(digest.as_slice());
    snapshot
}
