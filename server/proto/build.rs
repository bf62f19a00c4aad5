//! Compiles the wire contract without protoc.

use std::path::{Path, PathBuf};

use prost::Message;

const PROTOS: [&str; 15] = [
    "mvccpb/kv.proto",
    "etcdserverpb/kv.proto",
    "etcdserverpb/watch.proto",
    "etcdserverpb/lease.proto",
    "etcdserverpb/cluster.proto",
    "etcdserverpb/maintenance.proto",
    "etcdserverpb/auth.proto",
    "etcdserverpb/raft.proto",
    "v3lockpb/lock.proto",
    "v3electionpb/election.proto",
    "grpc/health/v1/health.proto",
    "taffrail/peer.proto",
    "taffrail/question.proto",
    "opentelemetry/trace.proto",
    "profile.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let services = std::env::var_os("CARGO_FEATURE_SERVICES").is_some();
    let root = Path::new("proto");
    let descriptors = protox::compile(PROTOS, [root])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let mut bare = descriptors.clone();
    // The comments are for those who read the sources.
    bare.file.iter_mut().for_each(|file| file.source_code_info = None);
    std::fs::write(out.join("descriptors.bin"), bare.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(services)
        .build_server(services)
        // Keys and values are slices of the received frame, not copies of it.
        .bytes(".")
        .codec_path("crate::codec::FittingCodec")
        .compile_fds(descriptors)?;
    Ok(())
}
