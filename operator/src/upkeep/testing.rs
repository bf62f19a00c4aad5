//! For tests: a cluster of healthy members, the first of which leads.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use taffrail_crds::{EtcdCluster, EtcdDefragmentation};

use crate::cluster::build;
use crate::cluster::observe::{Member, Objects, Observed};
use crate::etcd::{EtcdError, MemberFacts, Roster, RosterMember};
use crate::names::Names;

pub const NOW: &str = "2026-01-01T03:00:30Z";
pub const GIB: i64 = 1024 * 1024 * 1024;
pub const MIB: i64 = 1024 * 1024;

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// With more in its spec.
pub fn cluster(spec: Value) -> EtcdCluster {
    let mut all = json!({"tls": {"client": {"mode": "Disabled"}, "peer": {"mode": "Disabled"}}});
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let meta = json!({"name": "demo", "namespace": "shop", "uid": "uid-1", "generation": 1,
        "creationTimestamp": "2025-01-01T00:00:00Z"});
    let status = json!({"clusterId": "c1", "observedGeneration": 1});
    let manifest = json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdCluster", "metadata": meta,
        "spec": all, "status": status});
    serde_json::from_value(manifest).unwrap()
}

/// So many members, each with 4 GiB allocated and 1 GiB in use.
pub fn seen(members: i64, spec: Value) -> Observed {
    let cluster = cluster(spec);
    let names = Names::of(&cluster, "cluster.local");
    let objects = Objects {
        members: Vec::new(),
        strays: Vec::new(),
        orphans: Vec::new(),
        highest_serial_of_volumes: None,
        kept: Vec::new(),
    };
    let mut seen = Observed::of(Arc::new(cluster), names, now(), objects);
    seen.members = (0..members).map(|serial| member(&seen, serial)).collect();
    let listed = seen.members.iter().map(|member| RosterMember {
        id: member.id().unwrap(),
        name: member.name().to_owned(),
        peer_urls: vec![member.record.spec.peer_url.clone()],
        ..RosterMember::default()
    });
    seen.roster = Ok(Roster {
        cluster_id: 0xc1,
        members: listed.collect(),
    });
    seen
}

fn member(seen: &Observed, serial: i64) -> Member {
    let name = format!("demo-{serial}");
    let url = format!("http://{}:2380", seen.names.member_host(&name));
    let mut record = build::member(&seen.cluster, name, serial, serial == 0, url);
    record.spec.member_id = Some(format!("{:x}", serial + 1));
    let ready = json!({"phase": "Running", "podIP": format!("10.0.0.{serial}"),
        "conditions": [{"type": "Ready", "status": "True"}]});
    Member {
        record,
        pod: Some(Pod {
            status: serde_json::from_value(ready).unwrap(),
            ..Pod::default()
        }),
        volume: None,
        facts: Ok(MemberFacts {
            member_id: serial.unsigned_abs() + 1,
            leader_id: 1,
            revision: 5000,
            db_size_bytes: 4 * GIB,
            db_size_in_use_bytes: GIB,
            ..MemberFacts::default()
        }),
    }
}

pub fn facts(seen: &mut Observed, at: usize) -> &mut MemberFacts {
    seen.members[at].facts.as_mut().unwrap()
}

pub fn down(seen: &mut Observed, at: usize) {
    seen.members[at].facts = Err(EtcdError::Unreachable("refused".into()));
}

/// Another one leads.
pub fn lead(seen: &mut Observed, at: usize) {
    let leader = at as u64 + 1;
    (0..seen.members.len()).for_each(|one| facts(seen, one).leader_id = leader);
}

/// Of the cluster `demo`, made at this time.
pub fn task(name: &str, born: &str, more: Value, status: Value) -> EtcdDefragmentation {
    let mut spec = json!({"clusterRef": {"name": "demo"}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let meta = json!({"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "creationTimestamp": born});
    let mut manifest = json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdDefragmentation",
        "metadata": meta, "spec": spec});
    if !status.is_null() {
        manifest["status"] = status;
    }
    serde_json::from_value(manifest).unwrap()
}
