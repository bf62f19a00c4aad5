//! Rules and bounds of users and roles.

use crate::dry_run::Row;

const USER: &str = "EtcdUser";
const ROLE: &str = "EtcdRole";

const fn row(kind: &'static str, spec: &'static str, field: &'static str, message: &'static str) -> Row {
    Row {
        kind,
        spec,
        field,
        message,
    }
}

const LONG: &str = "may not be more than 253 ";
const EMPTY: &str = "at least 1 chars long";

pub const BAD: &[Row] = &[
    row(USER, "{clusterRef: null}", "spec.clusterRef", "Required value"),
    row(USER, "{clusterRef: {}}", "spec.clusterRef.name", "Required value"),
    row(USER, "{clusterRef: {name: ''}}", "spec.clusterRef.name", EMPTY),
    row(USER, "{clusterRef: {name: '@254'}}", "spec.clusterRef.name", LONG),
    row(USER, "{userName: ''}", "spec.userName", EMPTY),
    row(USER, "{userName: '@254'}", "spec.userName", LONG),
    row(
        USER,
        "{userName: root}",
        "spec.userName",
        "root is kept by spec.auth of the EtcdCluster",
    ),
    row(
        USER,
        "{noPassword: false}",
        "spec",
        "exactly one of passwordSecretRef and noPassword: true is needed",
    ),
    row(
        USER,
        "{passwordSecretRef: {name: web}}",
        "spec",
        "exactly one of passwordSecretRef and noPassword: true is needed",
    ),
    row(
        USER,
        "{noPassword: null, passwordSecretRef: {}}",
        "spec.passwordSecretRef.name",
        "Required value",
    ),
    row(
        USER,
        "{noPassword: null, passwordSecretRef: {name: ''}}",
        "spec.passwordSecretRef.name",
        EMPTY,
    ),
    row(
        USER,
        "{noPassword: null, passwordSecretRef: {name: '@254'}}",
        "spec.passwordSecretRef.name",
        LONG,
    ),
    row(
        USER,
        "{noPassword: null, passwordSecretRef: {name: web, key: ''}}",
        "spec.passwordSecretRef.key",
        EMPTY,
    ),
    row(
        USER,
        "{noPassword: null, passwordSecretRef: {name: web, key: '@254'}}",
        "spec.passwordSecretRef.key",
        LONG,
    ),
    row(USER, "{roles: ['@@65']}", "spec.roles", "must have at most 64 items"),
    row(USER, "{roles: ['']}", "spec.roles[0]", EMPTY),
    row(USER, "{roles: ['@254']}", "spec.roles[0]", LONG),
    row(USER, "{roles: [app, app]}", "spec.roles", "a role is named twice"),
    row(
        USER,
        "{deletionPolicy: Sometimes}",
        "spec.deletionPolicy",
        "Unsupported value",
    ),
    row(ROLE, "{clusterRef: null}", "spec.clusterRef", "Required value"),
    row(ROLE, "{clusterRef: {}}", "spec.clusterRef.name", "Required value"),
    row(ROLE, "{roleName: ''}", "spec.roleName", EMPTY),
    row(ROLE, "{roleName: '@254'}", "spec.roleName", LONG),
    row(
        ROLE,
        "{roleName: root}",
        "spec.roleName",
        "root is kept by spec.auth of the EtcdCluster",
    ),
    row(
        ROLE,
        "{permissions: ['@@65']}",
        "spec.permissions",
        "must have at most 64 items",
    ),
    row(
        ROLE,
        "{permissions: [{key: a}]}",
        "spec.permissions[0].type",
        "Required value",
    ),
    row(
        ROLE,
        "{permissions: [{type: Read}]}",
        "spec.permissions[0].key",
        "Required value",
    ),
    row(
        ROLE,
        "{permissions: [{type: Look, key: a}]}",
        "spec.permissions[0].type",
        "Unsupported value",
    ),
    row(
        ROLE,
        "{permissions: [{type: Read, key: '@1025'}]}",
        "spec.permissions[0].key",
        "may not be more than 1024 ",
    ),
    row(
        ROLE,
        "{permissions: [{type: Read, key: a, rangeEnd: ''}]}",
        "spec.permissions[0].rangeEnd",
        EMPTY,
    ),
    row(
        ROLE,
        "{permissions: [{type: Read, key: a, rangeEnd: '@1025'}]}",
        "spec.permissions[0].rangeEnd",
        "may not be more than 1024 ",
    ),
    row(
        ROLE,
        "{permissions: [{type: Read, key: a, rangeEnd: b, prefix: true}]}",
        "spec.permissions[0]",
        "prefix and rangeEnd exclude each other",
    ),
    row(
        ROLE,
        "{permissions: [{type: Read, key: ''}]}",
        "spec.permissions[0]",
        "an empty key is a prefix of all keys: say prefix: true if that is meant",
    ),
    row(
        ROLE,
        "{deletionPolicy: Sometimes}",
        "spec.deletionPolicy",
        "Unsupported value",
    ),
];

pub const GOOD: &[Row] = &[
    row(USER, "{}", "", ""),
    row(
        USER,
        "{noPassword: null, passwordSecretRef: {name: web, key: pw}, userName: the web, roles: [app, root], deletionPolicy: Retain}",
        "",
        "",
    ),
    row(ROLE, "{}", "", ""),
    row(
        ROLE,
        "{permissions: [{type: ReadWrite, key: /app/, prefix: true}, {type: Read, key: a, rangeEnd: \"\\0\"}, {type: Write, key: '', prefix: true}], deletionPolicy: Delete}",
        "",
        "",
    ),
];
