//! Work on a stopped member's data directory: everything it acknowledged comes along, damage is found, space given back.

use std::fs;
use std::path::{Path, PathBuf};

use taffrail_e2e::requests::{grant, put};
use taffrail_e2e::restore::run;
use taffrail_e2e::{Exit, Member, program};
use taffrail_proto::etcdserverpb::PutRequest;

const KEYS: usize = 500;

/// Our own command on a data directory.
fn ours(words: &[&str], data_dir: &Path, more: &[&str]) -> Exit {
    let data_dir = data_dir.display().to_string();
    let args: Vec<&str> = words
        .iter()
        .chain(&["--data-dir", data_dir.as_str()])
        .chain(more)
        .copied()
        .collect();
    run(program::taffrail(), &args)
}

async fn fill(member: &Member) {
    member.grant(grant(600, 7)).await;
    for number in 0..KEYS {
        let lease = if number % 50 == 0 { 7 } else { 0 };
        let request = PutRequest {
            lease,
            ..put(format!("key {}", number % 100), vec![number as u8; 1000])
        };
        member.put(request).await;
    }
    member.compact(200).await;
    for number in 0..KEYS {
        member.put(put(format!("late {number}"), "value")).await;
    }
}

/// A member of ours that was filled, asked for its hash and killed.
async fn killed() -> (Member, u32, i64) {
    let mut member = Member::fresh().await;
    fill(&member).await;
    let hash = member.hash_kv(0).await;
    member.kill_nine();
    (member, hash.hash, hash.hash_revision)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the temp folder is writable");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(fs::copy(&path, to).expect("copied")),
        }
    }
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).expect("readable");
    bytes[at] ^= 0x40;
    fs::write(file, bytes).expect("writable");
}

fn largest_file(dir: &Path, wanted: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.extend(wanted(&path).then_some(path)),
            }
        }
    }
    found
        .into_iter()
        .max_by_key(|path| fs::metadata(path).expect("there").len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_etcd_is_taken_over_with_all_it_acknowledged() {
    let (Some(etcd), true) = (program::tool("upstream/etcd"), program::is_ours()) else {
        return;
    };
    let slowly = "--backend-batch-interval=60s".to_owned();
    let mut from = Member::builder().program(&etcd).flags([slowly]).start().await;
    fill(&from).await;
    let from_dir = from.data_dir().display().to_string();
    let mut to = Member::builder().build();
    let refused = ours(&["migrate", "--from-etcd-dir", &from_dir], to.data_dir(), &[]);
    assert!(
        refused.code == Some(1) && refused.log.contains("in use by etcd"),
        "{}",
        refused.log
    );
    from.kill_nine();
    let flags = to.founding_flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let report = ours(&["migrate", "--from-etcd-dir", &from_dir], to.data_dir(), &flags).success();
    assert!(!report.contains("left out"), "{report}");
    from.start().await;
    to.start().await;
    let (theirs, ours) = (from.hash_kv(0).await, to.hash_kv(0).await);
    assert_eq!(
        (ours.hash, ours.hash_revision, ours.compact_revision),
        (theirs.hash, theirs.hash_revision, theirs.compact_revision)
    );
    assert_eq!(to.lease_ids().await, from.lease_ids().await);
    assert_eq!(to.time_to_live(7).await.keys, from.time_to_live(7).await.keys);
    to.put(put("it goes on", "here")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_member_becomes_a_snapshot_file() {
    if !program::is_ours() {
        return;
    }
    let (member, hash, revision) = killed().await;
    let folder = tempfile::tempdir().expect("the temp folder is writable");
    let file = folder.path().join("snapshot.db").display().to_string();
    ours(&["snapshot", "save", &file], member.data_dir(), &[]).success();
    let expected = format!("{hash}, {revision}, 200\n");
    let found = run(program::taffrail(), &["snapshot", "hashkv", &file]).success();
    assert!(found.starts_with(&expected), "{found}");
    let [Some(etcdutl), Some(etcd)] = ["etcdutl", "upstream/etcd"].map(program::tool) else {
        return;
    };
    for format in ["simple", "json", "table", "fields"] {
        let of = |program: &Path| run(program, &["snapshot", "status", &file, "-w", format]).success();
        assert_eq!(of(program::taffrail()), of(&etcdutl), "{format}");
    }
    // Not compared with `etcdutl hashkv`: it crashes on a file in which a key is attached to a lease.
    let mut theirs = Member::builder().program(&etcd).build();
    theirs.restore(&etcdutl, Path::new(&file), &[]).success();
    theirs.start().await;
    let restored = theirs.hash_kv(0).await;
    assert_eq!((restored.hash, restored.hash_revision), (hash, revision));
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bytes_in_log_and_engine_are_found() {
    if !program::is_ours() {
        return;
    }
    let (member, ..) = killed().await;
    // Small data is in the engine's journal alone until it is written out.
    ours(&["defragment"], member.data_dir(), &[]).success();
    let whole = ours(&["check"], member.data_dir(), &[]).success();
    assert!(whole.contains("no damage found"), "{whole}");
    let is_log = |path: &Path| path.extension().is_some_and(|kind| kind == "log");
    let is_table = |path: &Path| path.parent().is_some_and(|parent| parent.ends_with("tables"));
    let largest = [
        largest_file(member.data_dir(), &is_log),
        largest_file(member.data_dir(), &is_table),
    ];
    for file in largest {
        let folder = tempfile::tempdir().expect("the temp folder is writable");
        copy(member.data_dir(), folder.path());
        let file = file.expect("there is one");
        let inside = file.strip_prefix(member.data_dir()).expect("it is in there");
        let file = folder.path().join(inside);
        flip(&file, 2000);
        let found = ours(&["check"], folder.path(), &[]);
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(found.code == Some(1) && found.log.contains(&name), "{}", found.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_shown_and_a_running_member_left_alone() {
    if !program::is_ours() {
        return;
    }
    let mut member = Member::fresh().await;
    member.put(put("shown", "in the dump")).await;
    for command in [
        &["check"][..],
        &["defragment"],
        &["log", "dump"],
        &["snapshot", "save", "/nowhere"],
    ] {
        let refused = ours(command, member.data_dir(), &[]);
        assert!(
            refused.code == Some(1) && refused.log.contains("stop it first"),
            "{}",
            refused.log
        );
    }
    assert_eq!(ours(&["check", "--no-such-flag"], member.data_dir(), &[]).code, Some(2));
    member.kill_nine();
    let puts = ours(&["log", "dump"], member.data_dir(), &["--type", "put"]).success();
    assert!(
        puts.contains(r#"key="shown" value="in the dump""#) && puts.lines().count() == 1,
        "{puts}"
    );
    let json = ours(&["log", "dump"], member.data_dir(), &["--json"]).success();
    let lines: Vec<serde_json::Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(lines.iter().any(|line| line["type"] == "membership") && lines.iter().any(|line| line["type"] == "vote"));
}

#[tokio::test(flavor = "multi_thread")]
async fn defragmenting_gives_space_back_and_nothing_else() {
    if !program::is_ours() {
        return;
    }
    let mut member = Member::fresh().await;
    for number in 0..3_000u32 {
        member.put(put("the same", vec![(number % 251) as u8; 4_000])).await;
    }
    let revision = member.revision().await;
    member.compact(revision).await;
    let hash = member.hash_kv(0).await.hash;
    member.kill_nine();
    let report = ours(&["defragment"], member.data_dir(), &[]).success();
    let sizes: Vec<u64> = report
        .lines()
        .filter_map(|line| line.strip_suffix(" bytes")?.rsplit(' ').next()?.parse().ok())
        .collect();
    assert!(sizes.len() == 2 && sizes[1] < sizes[0], "{report}");
    member.start().await;
    assert_eq!(member.hash_kv(0).await.hash, hash);
}
