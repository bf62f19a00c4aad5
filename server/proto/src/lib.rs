//! etcd's v3 wire contract.
//!
//! The `.proto` files under `proto/` carry etcd's package, message and field names and numbers, so every etcd
//! client understands them. The feature `messages` gives the messages alone; `services` adds tonic's clients and
//! servers. [`etcdserverpb::InternalRaftRequest`] is also the format of an entry in the raft log.

#[cfg(feature = "services")]
pub mod codec;

/// Every message and service described, as an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Versioned keys and their changes.
pub mod mvccpb {
    include!(concat!(env!("OUT_DIR"), "/mvccpb.rs"));
}

/// Users, roles and permissions as they are stored.
pub mod authpb {
    include!(concat!(env!("OUT_DIR"), "/authpb.rs"));
}

/// What the log says about members and versions.
pub mod membershippb {
    include!(concat!(env!("OUT_DIR"), "/membershippb.rs"));
}

/// Every etcd service and its messages.
pub mod etcdserverpb {
    include!(concat!(env!("OUT_DIR"), "/etcdserverpb.rs"));
}

/// Mutual exclusion by name.
pub mod v3lockpb {
    include!(concat!(env!("OUT_DIR"), "/v3lockpb.rs"));
}

/// One leader per name.
pub mod v3electionpb {
    include!(concat!(env!("OUT_DIR"), "/v3electionpb.rs"));
}

/// gRPC's own health service.
pub mod health {
    include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
}

/// What a collector of traces is told.
pub mod otlp {
    include!(concat!(env!("OUT_DIR"), "/opentelemetry.proto.collector.trace.v1.rs"));
}

/// Profiles as `go tool pprof` reads them.
pub mod profiles {
    include!(concat!(env!("OUT_DIR"), "/perftools.profiles.rs"));
}

/// What members say to each other; the only messages that are not etcd's.
pub mod taffrailpb {
    include!(concat!(env!("OUT_DIR"), "/taffrailpb.rs"));
}
