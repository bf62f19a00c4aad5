//! Rules and bounds of defragmentations and their policy.

use crate::dry_run::Row;

const TASK: &str = "EtcdDefragmentation";
const CLUSTER: &str = "EtcdCluster";

const fn bad(kind: &'static str, spec: &'static str, field: &'static str, message: &'static str) -> Row {
    Row {
        kind,
        spec,
        field,
        message,
    }
}

pub const BAD: &[Row] = &[
    bad(TASK, "{clusterRef: null}", "spec.clusterRef", "Required value"),
    bad(TASK, "{clusterRef: {}}", "spec.clusterRef.name", "Required value"),
    bad(
        TASK,
        "{clusterRef: {name: ''}}",
        "spec.clusterRef.name",
        "at least 1 chars long",
    ),
    bad(
        TASK,
        "{clusterRef: {name: '@254'}}",
        "spec.clusterRef.name",
        "may not be more than 253 ",
    ),
    bad(
        TASK,
        "{timeoutSeconds: 0}",
        "spec.timeoutSeconds",
        "greater than or equal to 1",
    ),
    bad(
        TASK,
        "{timeoutSeconds: 86401}",
        "spec.timeoutSeconds",
        "less than or equal to 86400",
    ),
    bad(
        TASK,
        "{onlyIf: {minFreeBytes: much}}",
        "spec.onlyIf.minFreeBytes",
        "is no quantity: write it as 256Mi",
    ),
    bad(
        TASK,
        "{onlyIf: {minFreeBytes: ''}}",
        "spec.onlyIf.minFreeBytes",
        "at least 1 chars long",
    ),
    bad(
        TASK,
        "{onlyIf: {minFreeBytes: '@33'}}",
        "spec.onlyIf.minFreeBytes",
        "may not be more than 32 ",
    ),
    bad(
        TASK,
        "{onlyIf: {minFreePercent: 0}}",
        "spec.onlyIf.minFreePercent",
        "greater than or equal to 1",
    ),
    bad(
        TASK,
        "{onlyIf: {minFreePercent: 101}}",
        "spec.onlyIf.minFreePercent",
        "less than or equal to 100",
    ),
    bad(
        TASK,
        "{onlyIf: {minQuotaPercent: 0}}",
        "spec.onlyIf.minQuotaPercent",
        "greater than or equal to 1",
    ),
    bad(
        TASK,
        "{onlyIf: {minQuotaPercent: 101}}",
        "spec.onlyIf.minQuotaPercent",
        "less than or equal to 100",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {}}",
        "spec.defragmentation.schedule",
        "Required value",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: ''}}",
        "spec.defragmentation.schedule",
        "at least 1 chars long",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: '@129'}}",
        "spec.defragmentation.schedule",
        "may not be more than 128 ",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: '* * * * *', timeZone: ''}}",
        "spec.defragmentation.timeZone",
        "at least 1 chars long",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: '* * * * *', timeZone: '@65'}}",
        "spec.defragmentation.timeZone",
        "may not be more than 64 ",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: '* * * * *', minFreeBytes: much}}",
        "spec.defragmentation.minFreeBytes",
        "is no quantity: write it as 256Mi",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: '* * * * *', minFreeBytes: ''}}",
        "spec.defragmentation.minFreeBytes",
        "at least 1 chars long",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: '* * * * *', minFreeBytes: '@33'}}",
        "spec.defragmentation.minFreeBytes",
        "may not be more than 32 ",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: '* * * * *', minFreePercent: 0}}",
        "spec.defragmentation.minFreePercent",
        "greater than or equal to 1",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: '* * * * *', minFreePercent: 101}}",
        "spec.defragmentation.minFreePercent",
        "less than or equal to 100",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: '* * * * *', minQuotaPercent: 0}}",
        "spec.defragmentation.minQuotaPercent",
        "greater than or equal to 1",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: '* * * * *', minQuotaPercent: 101}}",
        "spec.defragmentation.minQuotaPercent",
        "less than or equal to 100",
    ),
];

pub const GOOD: &[Row] = &[
    bad(TASK, "{}", "", ""),
    bad(
        TASK,
        "{onlyIf: {minFreeBytes: 256Mi, minFreePercent: 100, minQuotaPercent: 1}, timeoutSeconds: 86400}",
        "",
        "",
    ),
    bad(
        CLUSTER,
        "{defragmentation: {schedule: '0 3 * * 0', timeZone: Europe/Berlin, minFreeBytes: 1Gi, suspend: true}}",
        "",
        "",
    ),
];
