//! Rules that look at a value, or at several.

use crate::dry_run::Row;

const fn bad(spec: &'static str, field: &'static str, message: &'static str) -> Row {
    Row {
        kind: "EtcdCluster",
        spec,
        field,
        message,
    }
}
const fn good(spec: &'static str) -> Row {
    Row {
        kind: "EtcdCluster",
        spec,
        field: "",
        message: "",
    }
}

pub const BAD: &[Row] = &[
    bad(
        "{auth: {enabled: true, rootSecretRef: {name: root}}, tls: {client: {mode: Disabled}}}",
        "spec",
        "authentication needs TLS towards clients, or passwords would travel in the clear: set spec.tls.client.mode",
    ),
    bad(
        "{auth: {enabled: true}}",
        "spec.auth",
        "rootSecretRef is needed: a Secret with username root and a password",
    ),
    bad(
        "{tls: {client: {mode: Secrets, secrets: {server: web}}}}",
        "spec",
        "spec.tls.client.secrets.client is needed: the operator is a client too",
    ),
    bad(
        "{tls: {peer: {acceptPlaintext: true}}}",
        "spec",
        "spec.tls.peer.acceptPlaintext: only clients can be served in both ways",
    ),
    bad(
        "{tls: {client: {mode: Disabled, acceptPlaintext: true}}}",
        "spec",
        "spec.tls.client.acceptPlaintext means nothing without TLS",
    ),
    bad(
        "{tls: {client: {mode: CertManager}}}",
        "spec.tls.client",
        "mode CertManager and the field certManager belong together",
    ),
    bad(
        "{tls: {client: {certManager: {issuerRef: {name: ca}}}}}",
        "spec.tls.client",
        "mode CertManager and the field certManager belong together",
    ),
    bad(
        "{tls: {client: {mode: Secrets}}}",
        "spec.tls.client",
        "mode Secrets and the field secrets belong together",
    ),
    bad(
        "{tls: {peer: {mode: CertManager}}}",
        "spec.tls.peer",
        "mode CertManager and the field certManager belong together",
    ),
    bad(
        "{tls: {peer: {secrets: {server: web}}}}",
        "spec.tls.peer",
        "mode Secrets and the field secrets belong together",
    ),
    bad(
        "{quota: 9Gi}",
        "spec",
        "spec.quota is larger than spec.storage.size: the disk would be full before the quota is reached",
    ),
    bad("{quota: much}", "spec.quota", "is no quantity: write it as 4Gi"),
    bad(
        "{storage: {size: much}}",
        "spec.storage.size",
        "is no quantity: write it as 8Gi",
    ),
    bad(
        "{storage: {size: 63Mi}}",
        "spec.storage.size",
        "a member needs at least 64Mi",
    ),
    bad(
        "{compaction: {mode: Revision, retention: 8h}}",
        "spec.compaction",
        "retention is a duration as 8h for mode Periodic, a number of revisions for mode Revision",
    ),
    bad(
        "{compaction: {mode: Periodic, retention: often}}",
        "spec.compaction",
        "retention is a duration as 8h for mode Periodic, a number of revisions for mode Revision",
    ),
    bad("{image: 'two words'}", "spec.image", "is no name of an image"),
    bad(
        "{options: {--heartbeat-interval: '100'}}",
        "spec.options",
        "flags are written without dashes in front: heartbeat-interval",
    ),
    bad(
        "{options: {data-dir: /elsewhere}}",
        "spec.options",
        "holds a flag that the operator sets itself: look for a field of the spec that means it",
    ),
    bad(
        "{options: {peer-cert-file: mine.pem}}",
        "spec.options",
        "holds a flag that the operator sets itself: look for a field of the spec that means it",
    ),
    bad(
        "{options: {force-new-cluster: 'true'}}",
        "spec.options",
        "holds a flag that the operator sets itself: look for a field of the spec that means it",
    ),
    bad(
        "{podTemplate: {metadata: {labels: {app.kubernetes.io/name: mine}}}}",
        "spec.podTemplate.metadata.labels",
        "labels of etcd.taffrail.dev and app.kubernetes.io are the operator's",
    ),
    bad(
        "{podTemplate: {metadata: {labels: {etcd.taffrail.dev/cluster: mine}}}}",
        "spec.podTemplate.metadata.labels",
        "labels of etcd.taffrail.dev and app.kubernetes.io are the operator's",
    ),
    bad(
        "{podTemplate: {metadata: {annotations: {etcd.taffrail.dev/hash: mine}}}}",
        "spec.podTemplate.metadata.annotations",
        "annotations of etcd.taffrail.dev are the operator's",
    ),
    bad(
        "{podTemplate: {env: [{name: ETCD_NAME, value: mine}]}}",
        "spec.podTemplate.env",
        "flags of etcd belong into spec.options, not into variables ETCD_*",
    ),
    bad(
        "{podTemplate: {imagePullPolicy: Sometimes}}",
        "spec.podTemplate.imagePullPolicy",
        "is Always, IfNotPresent or Never",
    ),
    bad(
        "{service: {type: ExternalName}}",
        "spec.service.type",
        "is ClusterIP, NodePort or LoadBalancer",
    ),
    bad(
        "{service: {ipFamilyPolicy: Any}}",
        "spec.service.ipFamilyPolicy",
        "is SingleStack, PreferDualStack or RequireDualStack",
    ),
    bad("{version: v3.6.14}", "spec.version", "is a version of etcd as 3.6.14"),
    bad("{version: 2.3.8}", "spec.version", "is a version of etcd as 3.6.14"),
];

pub const GOOD: &[Row] = &[
    good("{}"),
    good("{replicas: 0}"),
    good("{replicas: 2}"),
    good("{replicas: 9}"),
    good("{auth: null, quota: null, compaction: null, image: null}"),
    good("{auth: {enabled: false}, tls: {client: {mode: Disabled}}}"),
    good("{auth: {enabled: true, rootSecretRef: {name: root}}}"),
    good("{tls: {client: {mode: Disabled}, peer: {mode: Disabled}}}"),
    good("{tls: {client: {acceptPlaintext: true}}}"),
    good("{tls: {client: {mode: CertManager, certManager: {issuerRef: {name: ca}}}}}"),
    good(
        "{tls: {client: {mode: Secrets, secrets: {server: a, client: b}}, peer: {mode: Secrets, secrets: {server: c}}}}",
    ),
    good("{quota: 8Gi}"),
    good("{quota: '2147483648', storage: {size: 2Gi}}"),
    good("{storage: {size: 64Mi}}"),
    good("{compaction: {mode: Periodic, retention: 1h30m}}"),
    good("{compaction: {mode: Periodic, retention: '8'}}"),
    good("{compaction: {mode: Revision, retention: '1000'}}"),
    good("{image: 'registry.example/etcd:3.6.14@sha256:0000'}"),
    good("{options: {heartbeat-interval: '100', election-timeout: '1000'}}"),
    good("{podTemplate: {env: [{name: ETCD_COMPATIBILITY_VERSION, value: 3.6.14}, {name: GOGC, value: '50'}]}}"),
    good("{podTemplate: {metadata: {labels: {team: a}, annotations: {note: b}}, imagePullPolicy: Never}}"),
    good("{service: {type: LoadBalancer, ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv4, IPv6]}}"),
    good("{paused: true, quorumRecovery: Automatic, repair: {replaceAfterSeconds: 0}}"),
    good("{version: 3.5.21}"),
];
