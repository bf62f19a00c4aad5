//! Wrong requests are refused, and a data folder that cannot be right is never served from.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use taffrail_e2e::requests::{FROM_KEY, get, grant, put, range};
use taffrail_e2e::{Exit, Member, program};
use taffrail_proto::etcdserverpb::RangeRequest;
use tonic::Code;

/// It ended by itself, with a failure, and said why on one line that names what it is about.
fn assert_refused(exit: &Exit, about: &[&str]) {
    assert!(
        exit.code.is_some_and(|code| code != 0),
        "it should have failed: {exit:?}"
    );
    assert!(
        !exit.log.contains("panicked at"),
        "a refusal is not a crash: {}",
        exit.log
    );
    let told = about
        .iter()
        .all(|word| exit.log.to_lowercase().contains(&word.to_lowercase()));
    assert!(told, "the log should speak of {about:?}: {}", exit.log);
}

fn ours() -> bool {
    program::is_ours()
}

#[tokio::test]
async fn odd_numbers_are_harmless() {
    let member = Member::fresh().await;
    member.put(put("k", "v")).await;
    assert_eq!(
        member
            .range(RangeRequest {
                revision: -5,
                ..get("k")
            })
            .await
            .count,
        1
    );
    assert_eq!(member.range(RangeRequest { limit: -1, ..get("k") }).await.count, 1);
    let all = RangeRequest {
        min_mod_revision: i64::MIN,
        max_mod_revision: i64::MAX,
        ..range(FROM_KEY, FROM_KEY)
    };
    assert_eq!(member.range(all).await.kvs.len(), 1);
    assert!(
        member
            .kv()
            .range(RangeRequest {
                revision: i64::MAX,
                ..get("k")
            })
            .await
            .is_err()
    );
    let negative = member.lease().lease_grant(grant(-1, 5)).await.unwrap().into_inner();
    assert!(negative.ttl > 0, "a lease lives for a while in any case");
    assert_eq!(member.range(get("k")).await.count, 1);
}

#[tokio::test]
async fn bytes_that_are_no_message_do_not_harm() {
    let member = Member::fresh().await;
    let garbage = tonic::client::Grpc::new(member.channel());
    assert_eq!(raw_call(garbage, vec![0xff; 64]).await, Code::Internal);
    member.put(put("k", "v")).await;
}

/// Sends bytes as if they were a PutRequest.
async fn raw_call(mut grpc: tonic::client::Grpc<tonic::transport::Channel>, bytes: Vec<u8>) -> Code {
    grpc.ready().await.unwrap();
    let path = "/etcdserverpb.KV/Put".parse().unwrap();
    let answer: Result<tonic::Response<()>, _> = grpc.unary(tonic::Request::new(bytes), path, raw::RawCodec).await;
    answer.err().map_or(Code::Ok, |error| error.code())
}

mod raw {
    use tonic::Status;
    use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

    /// Sends bytes as they are and takes any answer.
    #[derive(Default)]
    pub struct RawCodec;

    impl Codec for RawCodec {
        type Encode = Vec<u8>;
        type Decode = ();
        type Encoder = Self;
        type Decoder = Self;
        fn encoder(&mut self) -> Self {
            Self
        }
        fn decoder(&mut self) -> Self {
            Self
        }
    }
    impl Encoder for RawCodec {
        type Item = Vec<u8>;
        type Error = Status;
        fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
            bytes::BufMut::put_slice(into, &item);
            Ok(())
        }
    }
    impl Decoder for RawCodec {
        type Item = ();
        type Error = Status;
        fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
            bytes::Buf::advance(from, bytes::Buf::remaining(from));
            Ok(Some(()))
        }
    }
}

#[tokio::test]
async fn metadata_that_is_no_text_is_refused() {
    let member = Member::fresh().await;
    let mut request = tonic::Request::new(get("k"));
    let value = tonic::metadata::AsciiMetadataValue::try_from(&b"3.\xff"[..]).unwrap();
    request.metadata_mut().insert("client-api-version", value);
    let refused = member.kv().range(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::InvalidArgument, "etcdserver: invalid client api version")
    );
}

#[tokio::test]
async fn an_unknown_flag_is_an_error_that_names_it() {
    let exit = Member::builder().arg("--no-such-flag=1").start_in_vain().await;
    assert_refused(&exit, &["no-such-flag"]);
}

#[tokio::test]
async fn flags_that_contradict_each_other_are_refused() {
    let exit = Member::builder()
        .arg("--heartbeat-interval=1000")
        .arg("--election-timeout=1000")
        .start_in_vain()
        .await;
    assert_refused(&exit, &["election-timeout"]);
    let exit = Member::builder()
        .arg("--initial-cluster=other=http://127.0.0.1:1")
        .start_in_vain()
        .await;
    assert_refused(&exit, &["initial", "cluster"]);
}

#[tokio::test]
async fn a_data_folder_in_use_is_refused_and_the_owner_goes_on() {
    if !ours() {
        return; // etcd waits for the lock for ever.
    }
    let member = Member::fresh().await;
    let exit = Member::builder().data_dir(member.data_dir()).start_in_vain().await;
    assert_refused(&exit, &["in use"]);
    member.put(put("k", "v")).await;
}

#[tokio::test]
async fn a_data_folder_of_etcd_is_refused_with_advice() {
    if !ours() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("member/snap")).unwrap();
    std::fs::create_dir_all(folder.path().join("member/wal")).unwrap();
    std::fs::write(folder.path().join("member/snap/db"), [0; 16384]).unwrap();
    let exit = Member::builder().data_dir(folder.path()).start_in_vain().await;
    assert_refused(&exit, &["snapshot"]);
    assert_eq!(
        std::fs::read(folder.path().join("member/snap/db")).unwrap(),
        [0; 16384],
        "it is left alone"
    );
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // Permissions do not stop root, a file in the way stops everybody.
    let in_the_way = folder.path().join("file");
    std::fs::write(&in_the_way, "").unwrap();
    let exit = Member::builder()
        .data_dir(&in_the_way.join("data"))
        .start_in_vain()
        .await;
    assert_refused(&exit, &[in_the_way.to_str().unwrap()]);
}

/// Every file of the data folder that holds something.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else if entry.metadata().unwrap().len() > 0 {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// A stopped member with some hundred keys, and their hash.
async fn stopped() -> (Member, u32) {
    let mut member = Member::fresh().await;
    for number in 0..300 {
        member.put(put(format!("k{}", number % 50), vec![b'v'; 500])).await;
    }
    let hash = member.hash_kv(0).await.hash;
    member.terminate().await;
    (member, hash)
}

/// Either it refuses to start, or what it serves is right: never anything else.
async fn assert_refuses_or_is_right(member: &Member, copy: &Path, hash: u32, what: &str) {
    let mut damaged = Member::builder().data_dir(copy).build();
    let _ = member;
    match damaged.try_start().await {
        Err(exit) => assert_refused(&exit, &[]),
        Ok(()) => assert_eq!(damaged.hash_kv(0).await.hash, hash, "wrong data served after {what}"),
    }
}

#[tokio::test]
async fn damaged_files_are_never_served() {
    if !ours() {
        return;
    }
    let (member, hash) = stopped().await;
    for file in files(member.data_dir()) {
        let length = std::fs::metadata(&file).unwrap().len();
        for at in [0, length / 2, length.saturating_sub(9)] {
            let copy = copy_of(member.data_dir());
            let target = copy.path().join(file.strip_prefix(member.data_dir()).unwrap());
            flip(&target, at);
            assert_refuses_or_is_right(
                &member,
                copy.path(),
                hash,
                &format!("{} flipped at {at}", file.display()),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn missing_files_are_never_overlooked() {
    if !ours() {
        return;
    }
    let (member, hash) = stopped().await;
    for file in files(member.data_dir()) {
        let copy = copy_of(member.data_dir());
        std::fs::remove_file(copy.path().join(file.strip_prefix(member.data_dir()).unwrap())).unwrap();
        assert_refuses_or_is_right(&member, copy.path(), hash, &format!("{} removed", file.display())).await;
    }
}

fn copy_of(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let done = std::process::Command::new("cp")
        .arg("-a")
        .arg(dir.join("."))
        .arg(copy.path())
        .status()
        .unwrap();
    assert!(done.success());
    copy
}

fn flip(path: &Path, at: u64) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}
