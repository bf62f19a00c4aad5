//! Rules that compare with what was there.

use crate::dry_run::Update;

pub const BAD: &[Update] = &[
    Update {
        kind: "EtcdCluster",
        before: "{paused: true, storage: {size: 8Gi}}",
        after: "{storage: {size: 4Gi}}",
        field: "spec.storage.size",
        message: "volumes cannot shrink: make a new cluster and restore a backup into it",
    },
    Update {
        kind: "EtcdMember",
        before: "{clusterName: a, serial: 1, peerUrl: 'https://a:2380'}",
        after: "{serial: 2}",
        field: "spec",
        message: "a member's cluster, serial number and peer URL never change",
    },
    Update {
        kind: "EtcdBackup",
        before: "{}",
        after: "{retries: 7}",
        field: "<nil>",
        message: "a backup is of one cluster in one place for good: make another one",
    },
    Update {
        kind: "EtcdDefragmentation",
        before: "{}",
        after: "{timeoutSeconds: 7}",
        field: "<nil>",
        message: "a defragmentation is what it was asked to be: make another one",
    },
    Update {
        kind: "EtcdUser",
        before: "{}",
        after: "{clusterRef: {name: b}}",
        field: "spec",
        message: "clusterRef cannot change: make another EtcdUser",
    },
    Update {
        kind: "EtcdUser",
        before: "{}",
        after: "{userName: other}",
        field: "spec",
        message: "userName cannot change: make another EtcdUser",
    },
    Update {
        kind: "EtcdUser",
        before: "{}",
        after: "{noPassword: null, passwordSecretRef: {name: web}}",
        field: "spec",
        message: "etcd does not let a user with a password become one without, nor back",
    },
    Update {
        kind: "EtcdRole",
        before: "{}",
        after: "{clusterRef: {name: b}}",
        field: "spec",
        message: "clusterRef cannot change: make another EtcdRole",
    },
    Update {
        kind: "EtcdRole",
        before: "{}",
        after: "{roleName: other}",
        field: "spec",
        message: "roleName cannot change: make another EtcdRole",
    },
];

pub const GOOD: &[Update] = &[
    Update {
        kind: "EtcdBackupSchedule",
        before: "{}",
        after: "{schedule: '@hourly', template: {retries: 7}}",
        field: "",
        message: "",
    },
    Update {
        kind: "EtcdCluster",
        before: "{paused: true}",
        after: "{storage: {size: 9Gi}}",
        field: "",
        message: "",
    },
    // The same size in other words.
    Update {
        kind: "EtcdCluster",
        before: "{paused: true}",
        after: "{storage: {size: 8192Mi}}",
        field: "",
        message: "",
    },
    Update {
        kind: "EtcdCluster",
        before: "{paused: true, replicas: 3}",
        after: "{replicas: 5}",
        field: "",
        message: "",
    },
    Update {
        kind: "EtcdUser",
        before: "{noPassword: null, passwordSecretRef: {name: web}}",
        after: "{passwordSecretRef: {name: other}, roles: [app], deletionPolicy: Retain}",
        field: "",
        message: "",
    },
    Update {
        kind: "EtcdRole",
        before: "{}",
        after: "{permissions: [{type: Read, key: a}]}",
        field: "",
        message: "",
    },
];
