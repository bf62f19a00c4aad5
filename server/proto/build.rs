//! Compiles the wire contract without protoc.

use std::path::Path;

const PROTOS: [&str; 11] = [
    "mvccpb/kv.proto",
    "etcdserverpb/kv.proto",
    "etcdserverpb/watch.proto",
    "etcdserverpb/lease.proto",
    "etcdserverpb/cluster.proto",
    "etcdserverpb/maintenance.proto",
    "etcdserverpb/auth.proto",
    "etcdserverpb/raft.proto",
    "grpc/health/v1/health.proto",
    "taffrail/peer.proto",
    "taffrail/question.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let services = std::env::var_os("CARGO_FEATURE_SERVICES").is_some();
    let root = Path::new("proto");
    let descriptors = protox::compile(PROTOS, [root])?;
    tonic_prost_build::configure()
        .build_client(services)
        .build_server(services)
        // Keys and values are slices of the received frame, not copies of it.
        .bytes(".")
        .codec_path("crate::codec::FittingCodec")
        .compile_fds(descriptors)?;
    Ok(())
}
