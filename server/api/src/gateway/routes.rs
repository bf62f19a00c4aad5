//! Which path stands for which method: etcd's table, and what is known about each method's messages.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};
use taffrail_proto::FILE_DESCRIPTOR_SET;

/// HTTP path below `/v3/`, service, method (etcd rpc.proto, v3lock.proto, v3election.proto: `google.api.http`).
const ROUTES: [(&str, &str, &str); 51] = [
    ("kv/range", "etcdserverpb.KV", "Range"),
    ("kv/put", "etcdserverpb.KV", "Put"),
    ("kv/deleterange", "etcdserverpb.KV", "DeleteRange"),
    ("kv/txn", "etcdserverpb.KV", "Txn"),
    ("kv/compaction", "etcdserverpb.KV", "Compact"),
    ("watch", "etcdserverpb.Watch", "Watch"),
    ("lease/grant", "etcdserverpb.Lease", "LeaseGrant"),
    ("lease/revoke", "etcdserverpb.Lease", "LeaseRevoke"),
    ("kv/lease/revoke", "etcdserverpb.Lease", "LeaseRevoke"),
    ("lease/keepalive", "etcdserverpb.Lease", "LeaseKeepAlive"),
    ("lease/timetolive", "etcdserverpb.Lease", "LeaseTimeToLive"),
    ("kv/lease/timetolive", "etcdserverpb.Lease", "LeaseTimeToLive"),
    ("lease/leases", "etcdserverpb.Lease", "LeaseLeases"),
    ("kv/lease/leases", "etcdserverpb.Lease", "LeaseLeases"),
    ("cluster/member/add", "etcdserverpb.Cluster", "MemberAdd"),
    ("cluster/member/remove", "etcdserverpb.Cluster", "MemberRemove"),
    ("cluster/member/update", "etcdserverpb.Cluster", "MemberUpdate"),
    ("cluster/member/list", "etcdserverpb.Cluster", "MemberList"),
    ("cluster/member/promote", "etcdserverpb.Cluster", "MemberPromote"),
    ("maintenance/alarm", "etcdserverpb.Maintenance", "Alarm"),
    ("maintenance/status", "etcdserverpb.Maintenance", "Status"),
    ("maintenance/defragment", "etcdserverpb.Maintenance", "Defragment"),
    ("maintenance/hash", "etcdserverpb.Maintenance", "Hash"),
    ("maintenance/hashkv", "etcdserverpb.Maintenance", "HashKV"),
    ("maintenance/snapshot", "etcdserverpb.Maintenance", "Snapshot"),
    (
        "maintenance/transfer-leadership",
        "etcdserverpb.Maintenance",
        "MoveLeader",
    ),
    ("maintenance/downgrade", "etcdserverpb.Maintenance", "Downgrade"),
    ("auth/enable", "etcdserverpb.Auth", "AuthEnable"),
    ("auth/disable", "etcdserverpb.Auth", "AuthDisable"),
    ("auth/status", "etcdserverpb.Auth", "AuthStatus"),
    ("auth/authenticate", "etcdserverpb.Auth", "Authenticate"),
    ("auth/user/add", "etcdserverpb.Auth", "UserAdd"),
    ("auth/user/get", "etcdserverpb.Auth", "UserGet"),
    ("auth/user/list", "etcdserverpb.Auth", "UserList"),
    ("auth/user/delete", "etcdserverpb.Auth", "UserDelete"),
    ("auth/user/changepw", "etcdserverpb.Auth", "UserChangePassword"),
    ("auth/user/grant", "etcdserverpb.Auth", "UserGrantRole"),
    ("auth/user/revoke", "etcdserverpb.Auth", "UserRevokeRole"),
    ("auth/role/add", "etcdserverpb.Auth", "RoleAdd"),
    ("auth/role/get", "etcdserverpb.Auth", "RoleGet"),
    ("auth/role/list", "etcdserverpb.Auth", "RoleList"),
    ("auth/role/delete", "etcdserverpb.Auth", "RoleDelete"),
    ("auth/role/grant", "etcdserverpb.Auth", "RoleGrantPermission"),
    ("auth/role/revoke", "etcdserverpb.Auth", "RoleRevokePermission"),
    ("lock/lock", "v3lockpb.Lock", "Lock"),
    ("lock/unlock", "v3lockpb.Lock", "Unlock"),
    ("election/campaign", "v3electionpb.Election", "Campaign"),
    ("election/proclaim", "v3electionpb.Election", "Proclaim"),
    ("election/leader", "v3electionpb.Election", "Leader"),
    ("election/observe", "v3electionpb.Election", "Observe"),
    ("election/resign", "v3electionpb.Election", "Resign"),
];

/// A method that can be called in JSON.
pub(super) struct Route {
    /// Its path in gRPC.
    pub method: String,
    pub request: MessageDescriptor,
    pub response: MessageDescriptor,
    pub client_streams: bool,
    pub server_streams: bool,
}

pub(super) struct Routes(HashMap<&'static str, Route>);

impl Routes {
    pub fn new() -> Self {
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the build wrote a valid descriptor set");
        let route = |(path, service, method)| (path, route(&pool, service, method));
        Routes(ROUTES.into_iter().map(route).collect())
    }

    /// By the path below `/v3/`.
    pub fn find(&self, path: &str) -> Option<&Route> {
        self.0.get(path)
    }
}

fn route(pool: &DescriptorPool, service: &str, method: &str) -> Route {
    let described: MethodDescriptor = pool
        .get_service_by_name(service)
        .and_then(|service| service.methods().find(|each| each.name() == method))
        .expect("the table names methods of the contract");
    Route {
        method: format!("/{service}/{method}"),
        request: described.input(),
        response: described.output(),
        client_streams: described.is_client_streaming(),
        server_streams: described.is_server_streaming(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::grpc::Method;

    #[test]
    fn every_path_leads_to_a_method_that_is_served() {
        for route in Routes::new().0.values() {
            assert!(Method::find(&route.method).is_some(), "{}", route.method);
        }
    }

    #[test]
    fn every_method_but_range_stream_and_health_has_a_path() {
        let routes = Routes::new();
        let reached = |path: &str| routes.0.values().any(|route| route.method == path);
        let missing: Vec<_> = Method::all().map(Method::path).filter(|path| !reached(path)).collect();
        assert_eq!(
            missing,
            [
                "/etcdserverpb.KV/RangeStream",
                "/grpc.health.v1.Health/Check",
                "/grpc.health.v1.Health/Watch",
            ]
        );
    }

    /// JSON shows fields in the order in which they are declared; messages are walked by number.
    #[test]
    fn fields_are_declared_in_the_order_of_their_numbers() {
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("valid");
        let shown = |message: &MessageDescriptor| message.full_name() != "etcdserverpb.InternalRaftRequest";
        for message in pool.all_messages().filter(shown) {
            let declared: Vec<_> = message
                .descriptor_proto()
                .field
                .iter()
                .map(|field| field.number())
                .collect();
            assert!(declared.is_sorted(), "{}", message.full_name());
        }
    }
}
