//! Bounds: how long, how many, how large, and which of a few. `@9` is a text of nine letters, `@@9` nine items.

use crate::dry_run::Row;

const fn bad(spec: &'static str, field: &'static str, message: &'static str) -> Row {
    Row {
        kind: "EtcdCluster",
        spec,
        field,
        message,
    }
}

const EMPTY: &str = "should be at least 1 chars long";
const NEEDED: &str = "Required value";
const OTHER: &str = "Unsupported value";

pub const BAD: &[Row] = &[
    bad("{replicas: -1}", "spec.replicas", "greater than or equal to 0"),
    bad("{replicas: 10}", "spec.replicas", "less than or equal to 9"),
    bad("{version: '@33'}", "spec.version", "may not be more than 32 "),
    bad("{image: ''}", "spec.image", EMPTY),
    bad("{image: '@513'}", "spec.image", "may not be more than 512 "),
    bad("{quota: ''}", "spec.quota", EMPTY),
    bad("{quota: '@33'}", "spec.quota", "may not be more than 32 "),
    bad("{quorumRecovery: Always}", "spec.quorumRecovery", OTHER),
    bad(
        "{repair: {replaceAfterSeconds: -1}}",
        "spec.repair.replaceAfterSeconds",
        "greater than or equal to 0",
    ),
    bad(
        "{repair: {replaceAfterSeconds: 604801}}",
        "spec.repair.replaceAfterSeconds",
        "less than or equal to 604800",
    ),
    bad("{options: {'@@65': x}}", "spec.options", "must have at most 64 items"),
    bad("{auth: {}}", "spec.auth.enabled", NEEDED),
    bad(
        "{auth: {enabled: true, rootSecretRef: {}}}",
        "spec.auth.rootSecretRef.name",
        NEEDED,
    ),
    bad(
        "{auth: {enabled: true, rootSecretRef: {name: ''}}}",
        "spec.auth.rootSecretRef.name",
        EMPTY,
    ),
    bad(
        "{auth: {enabled: true, rootSecretRef: {name: '@254'}}}",
        "spec.auth.rootSecretRef.name",
        "may not be more than 253 ",
    ),
    bad("{compaction: {retention: 8h}}", "spec.compaction.mode", NEEDED),
    bad("{compaction: {mode: Periodic}}", "spec.compaction.retention", NEEDED),
    bad(
        "{compaction: {mode: Never, retention: 8h}}",
        "spec.compaction.mode",
        OTHER,
    ),
    bad(
        "{compaction: {mode: Periodic, retention: ''}}",
        "spec.compaction.retention",
        EMPTY,
    ),
    bad(
        "{compaction: {mode: Periodic, retention: '@33'}}",
        "spec.compaction.retention",
        "may not be more than 32 ",
    ),
    bad("{storage: {size: ''}}", "spec.storage.size", EMPTY),
    bad(
        "{storage: {size: '@33'}}",
        "spec.storage.size",
        "may not be more than 32 ",
    ),
    bad("{storage: {className: ''}}", "spec.storage.className", EMPTY),
    bad(
        "{storage: {className: '@254'}}",
        "spec.storage.className",
        "may not be more than 253 ",
    ),
    bad(
        "{storage: {retention: {whenScaled: Keep}}}",
        "spec.storage.retention.whenScaled",
        OTHER,
    ),
    bad(
        "{storage: {retention: {whenDeleted: Keep}}}",
        "spec.storage.retention.whenDeleted",
        OTHER,
    ),
    bad(
        "{service: {ipFamilies: ['@@3']}}",
        "spec.service.ipFamilies",
        "must have at most 2 items",
    ),
    bad(
        "{podTemplate: {runAsUser: 0}}",
        "spec.podTemplate.runAsUser",
        "greater than or equal to 1",
    ),
    bad(
        "{podTemplate: {runAsUser: 2147483648}}",
        "spec.podTemplate.runAsUser",
        "less than or equal to 2147483647",
    ),
    bad(
        "{podTemplate: {terminationGracePeriodSeconds: 0}}",
        "spec.podTemplate.terminationGracePeriodSeconds",
        "greater than or equal to 1",
    ),
    bad(
        "{podTemplate: {terminationGracePeriodSeconds: 3601}}",
        "spec.podTemplate.terminationGracePeriodSeconds",
        "less than or equal to 3600",
    ),
    bad(
        "{podTemplate: {metadata: {labels: {'@@65': x}}}}",
        "spec.podTemplate.metadata.labels",
        "must have at most 64 items",
    ),
    bad(
        "{podTemplate: {metadata: {annotations: {'@@65': x}}}}",
        "spec.podTemplate.metadata.annotations",
        "must have at most 64 items",
    ),
    bad(
        "{podTemplate: {env: ['@@65']}}",
        "spec.podTemplate.env",
        "must have at most 64 items",
    ),
    bad(
        "{podTemplate: {env: [{value: x}]}}",
        "spec.podTemplate.env[0].name",
        NEEDED,
    ),
    bad(
        "{podTemplate: {env: [{name: ''}]}}",
        "spec.podTemplate.env[0].name",
        EMPTY,
    ),
    bad(
        "{podTemplate: {env: [{name: '@257'}]}}",
        "spec.podTemplate.env[0].name",
        "may not be more than 256 ",
    ),
    bad(
        "{podTemplate: {env: [{name: x, value: '@4097'}]}}",
        "spec.podTemplate.env[0].value",
        "may not be more than 4096 ",
    ),
    bad("{tls: {client: {mode: Maybe}}}", "spec.tls.client.mode", OTHER),
    bad("{tls: {peer: {mode: Maybe}}}", "spec.tls.peer.mode", OTHER),
    bad(
        "{tls: {client: {validityDays: 0}}}",
        "spec.tls.client.validityDays",
        "greater than or equal to 1",
    ),
    bad(
        "{tls: {client: {validityDays: 3651}}}",
        "spec.tls.client.validityDays",
        "less than or equal to 3650",
    ),
    bad(
        "{tls: {client: {caValidityDays: 1}}}",
        "spec.tls.client.caValidityDays",
        "greater than or equal to 2",
    ),
    bad(
        "{tls: {client: {caValidityDays: 36501}}}",
        "spec.tls.client.caValidityDays",
        "less than or equal to 36500",
    ),
    bad("{tls: {client: {caRotation: ''}}}", "spec.tls.client.caRotation", EMPTY),
    bad(
        "{tls: {client: {caRotation: '@64'}}}",
        "spec.tls.client.caRotation",
        "may not be more than 63 ",
    ),
    bad(
        "{tls: {client: {extraNames: ['@@33']}}}",
        "spec.tls.client.extraNames",
        "must have at most 32 items",
    ),
    bad(
        "{tls: {client: {extraNames: ['']}}}",
        "spec.tls.client.extraNames[0]",
        EMPTY,
    ),
    bad(
        "{tls: {client: {extraNames: ['@254']}}}",
        "spec.tls.client.extraNames[0]",
        "may not be more than 253 ",
    ),
    bad(
        "{tls: {client: {mode: Secrets, secrets: {}}}}",
        "spec.tls.client.secrets.server",
        NEEDED,
    ),
    bad(
        "{tls: {client: {mode: Secrets, secrets: {server: ''}}}}",
        "spec.tls.client.secrets.server",
        EMPTY,
    ),
    bad(
        "{tls: {client: {mode: Secrets, secrets: {server: '@254'}}}}",
        "spec.tls.client.secrets.server",
        "may not be more than 253 ",
    ),
    bad(
        "{tls: {client: {mode: Secrets, secrets: {server: a, client: ''}}}}",
        "spec.tls.client.secrets.client",
        EMPTY,
    ),
    bad(
        "{tls: {client: {mode: Secrets, secrets: {server: a, client: '@254'}}}}",
        "spec.tls.client.secrets.client",
        "may not be more than 253 ",
    ),
    bad(
        "{tls: {client: {mode: CertManager, certManager: {}}}}",
        "spec.tls.client.certManager.issuerRef",
        NEEDED,
    ),
    bad(
        "{tls: {client: {mode: CertManager, certManager: {issuerRef: {}}}}}",
        "spec.tls.client.certManager.issuerRef.name",
        NEEDED,
    ),
    bad(
        "{tls: {client: {mode: CertManager, certManager: {issuerRef: {name: '', kind: '', group: ''}}}}}",
        "spec.tls.client.certManager.issuerRef.name",
        EMPTY,
    ),
    bad(
        "{tls: {client: {mode: CertManager, certManager: {issuerRef: {name: '@254', kind: '@64', group: '@254'}}}}}",
        "spec.tls.client.certManager.issuerRef.name",
        "may not be more than 253 ",
    ),
];
