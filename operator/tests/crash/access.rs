//! Users and roles come, change and go.

use std::sync::Arc;

use serde_json::{Value, json};
use taffrail_operator::etcd::{AccessChange, Permission, PermissionKind};

use crate::ends::{End, ensure, members};
use crate::show::{creating, creating_with, production};
use crate::world::{History, Scenario, World};

const API: &str = "apiVersion: etcd.taffrail.dev/v1alpha1";

fn etcd(world: &World) -> History {
    world.state().histories.last().cloned().unwrap_or_default()
}

fn secret(world: &World) {
    world.secret("web", &[("password", "secret\n")]);
}

/// `more`: of the spec, as YAML.
fn user(world: &World, name: &str, more: &str) {
    let spec = format!("{{clusterRef: {{name: main}}, passwordSecretRef: {{name: web}}, {more}}}");
    world.create(&format!(
        "{{{API}, kind: EtcdUser, metadata: {{name: {name}}}, spec: {spec}}}"
    ));
}

fn role(world: &World, more: &str) {
    let permission = "permissions: [{type: ReadWrite, key: /app/, prefix: true}]";
    let spec = format!("{{clusterRef: {{name: main}}, {permission}, {more}}}");
    world.create(&format!(
        "{{{API}, kind: EtcdRole, metadata: {{name: app}}, spec: {spec}}}"
    ));
}

fn declare(world: &World) {
    secret(world);
    user(world, "web", "roles: [app]");
    role(world, "");
}

fn app(kind: PermissionKind) -> Permission {
    Permission {
        key: b"/app/".to_vec(),
        range_end: b"/app0".to_vec(),
        kind,
    }
}

/// The reason of the condition Ready, with its status.
fn ready(world: &World, kind: &'static str, name: &str) -> (String, String) {
    let object = world.get(kind, name).unwrap_or_default();
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions
        .into_iter()
        .find(|one| one["type"] == "Ready")
        .unwrap_or_default();
    let word = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
    (word("status"), word("reason"))
}

fn is(told: &(String, String), status: &str, reason: &str) -> End {
    ensure(told.0 == status && told.1 == reason, told)
}

fn kept(world: &World) -> (usize, usize) {
    let cluster = world.get("EtcdCluster", "main").unwrap_or_default();
    let count = |kind: &str| cluster["status"]["access"][kind].as_array().map_or(0, Vec::len);
    (count("users"), count("roles"))
}

/// The user web with this password and these roles, and the role app with this permission; both are kept.
fn as_declared(password: &str, roles: &[&str], kind: PermissionKind) -> impl Fn(&World) -> End + Send + Sync + 'static {
    let (password, roles) = (
        password.to_owned(),
        roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>(),
    );
    move |world| {
        members(1)(world)?;
        let etcd = etcd(world);
        let web = etcd.users.get("web").ok_or("no user")?;
        let has = web.password.as_deref() == Some(password.as_str()) && web.roles.iter().eq(&roles);
        ensure(has && etcd.users.len() == 1, &etcd.users)?;
        ensure(etcd.roles["app"].iter().eq([&app(kind)]), &etcd.roles)?;
        let reason = if etcd.auth { "Kept" } else { "AuthDisabled" };
        is(&ready(world, "EtcdUser", "web"), "True", reason)?;
        is(&ready(world, "EtcdRole", "app"), "True", reason)?;
        ensure(kept(world) == (1, 1), kept(world))
    }
}

fn usual() -> impl Fn(&World) -> End + Send + Sync + 'static {
    as_declared("secret", &["app"], PermissionKind::ReadWrite)
}

pub async fn declared() -> Scenario {
    let mut before = creating_with(
        1,
        "auth: {enabled: true, rootSecretRef: {name: root}}, tls: {peer: {mode: Disabled}}",
    );
    before.begin.secret("root", &[("password", "root")]);
    before.goal = Arc::new(|world| {
        members(1)(world)?;
        ensure(etcd(world).auth, "authentication is off")
    });
    before.then(&production(), "user and role", declare, usual()).await
}

/// What begins where a user and a role are declared and made.
async fn then(
    name: &'static str,
    disturb: impl Fn(&World) + Send + Sync + 'static,
    goal: impl Fn(&World) -> End + Send + Sync + 'static,
) -> Scenario {
    let made = creating(1).then(&production(), "user and role", declare, usual()).await;
    made.then(&production(), name, disturb, goal).await
}

fn waits(world: &World) -> End {
    members(1)(world)?;
    let roles = etcd(world).users.get("web").map(|user| user.roles.len());
    ensure(roles == Some(0), roles)?;
    is(&ready(world, "EtcdUser", "web"), "False", "RoleMissing")
}

pub async fn without_its_role() -> Scenario {
    let alone = |world: &World| {
        secret(world);
        user(world, "web", "roles: [app]");
    };
    creating(1)
        .then(&production(), "user without its role", alone, waits)
        .await
}

pub async fn with_its_role() -> Scenario {
    let before = without_its_role().await;
    before
        .then(&production(), "its role comes", |world| role(world, ""), usual())
        .await
}

pub async fn changed() -> Scenario {
    let change = |world: &World| {
        let less = json!({"spec": {"permissions": [{"type": "Read", "key": "/app/", "prefix": true}]}});
        world.change("EtcdRole", "app", less);
        world.change("EtcdUser", "web", json!({"spec": {"roles": []}}));
    };
    then("less", change, as_declared("secret", &[], PermissionKind::Read)).await
}

fn write_secret(world: &World, password: &str) {
    world.change("Secret", "web", json!({"stringData": {"password": password}}));
}

pub async fn another_password() -> Scenario {
    let end = as_declared("new", &["app"], PermissionKind::ReadWrite);
    then("another password", |world| write_secret(world, "new"), end).await
}

/// Only with authentication etcd tells whether it has it already; a change would be the same password anyway.
pub async fn same_password() -> Scenario {
    let annotate = |world: &World| world.change("Secret", "web", json!({"metadata": {"annotations": {"a": "b"}}}));
    let end = |world: &World| {
        usual()(world)?;
        let changed = world.trace().contains("another password");
        ensure(!changed, "the password was changed")
    };
    declared()
        .await
        .then(&production(), "the same password", annotate, end)
        .await
}

pub async fn deleted() -> Scenario {
    let delete = |world: &World| {
        world.delete("EtcdUser", "web");
        world.delete("EtcdRole", "app");
    };
    let end = |world: &World| {
        members(1)(world)?;
        let etcd = etcd(world);
        ensure(
            etcd.users.is_empty() && etcd.roles.is_empty(),
            (&etcd.users, &etcd.roles),
        )?;
        ensure(kept(world) == (0, 0), kept(world))
    };
    then("both deleted", delete, end).await
}

pub async fn retained() -> Scenario {
    let retain = |world: &World| world.change("EtcdUser", "web", json!({"spec": {"deletionPolicy": "Retain"}}));
    let written = |world: &World| {
        let cluster = world.get("EtcdCluster", "main").unwrap_or_default();
        let policy = &cluster["status"]["access"]["users"][0]["deletionPolicy"];
        ensure(policy == "Retain", policy)
    };
    let end = |world: &World| {
        members(1)(world)?;
        ensure(etcd(world).users.contains_key("web"), "it has gone")?;
        ensure(kept(world) == (0, 1), kept(world))
    };
    let before = then("to be retained", retain, written).await;
    before
        .then(&production(), "retained", |world| world.delete("EtcdUser", "web"), end)
        .await
}

pub async fn drifted() -> Scenario {
    let tamper = |world: &World| {
        let role = || "app".to_owned();
        world.change_access(AccessChange::RevokeRole {
            user: "web".into(),
            role: role(),
        });
        world.change_access(AccessChange::AddRole { name: "admin".into() });
        world.change_access(AccessChange::GrantRole {
            user: "web".into(),
            role: "admin".into(),
        });
        world.change_access(AccessChange::Revoke {
            role: role(),
            key: b"/app/".to_vec(),
            range_end: b"/app0".to_vec(),
        });
        let all = Permission {
            key: vec![0],
            range_end: vec![0],
            kind: PermissionKind::ReadWrite,
        };
        world.change_access(AccessChange::Grant {
            role: role(),
            permission: all,
        });
    };
    let end = |world: &World| {
        usual()(world)?;
        // It is nobody's, and nobody touches it.
        ensure(
            etcd(world).roles.contains_key("admin"),
            "a role that nobody declared was removed",
        )
    };
    then("changed by hand", tamper, end).await
}

fn by_hand(world: &World) {
    declare(world);
    world.change_access(AccessChange::AddUser {
        name: "web".into(),
        password: Some("theirs".into()),
    });
}

pub async fn foreign() -> Scenario {
    let end = |world: &World| {
        members(1)(world)?;
        let password = etcd(world).users.get("web").and_then(|user| user.password.clone());
        ensure(password.as_deref() == Some("theirs"), password)?;
        is(&ready(world, "EtcdUser", "web"), "False", "Exists")?;
        ensure(kept(world) == (0, 1), kept(world))
    };
    creating(1).then(&production(), "made by hand", by_hand, end).await
}

pub async fn adopted() -> Scenario {
    let adopt = json!({"metadata": {"annotations": {"etcd.taffrail.dev/adopt": "true"}}});
    let take = move |world: &World| world.change("EtcdUser", "web", adopt.clone());
    let before = foreign().await;
    before.then(&production(), "taken over", take, usual()).await
}

pub async fn rivals() -> Scenario {
    let rival = |world: &World| user(world, "another", "userName: web, roles: []");
    let end = |world: &World| {
        usual()(world)?;
        is(&ready(world, "EtcdUser", "another"), "False", "Conflict")
    };
    then("two of one name", rival, end).await
}

/// As after a restore: etcd has a user of that name with what it was long ago.
pub async fn another_era() -> Scenario {
    let restore = |world: &World| {
        let old: Value = json!({"status": {"clusterId": "1"}});
        let key = crate::world::Key::new("EtcdUser", "default", "web");
        world.state().api.merge(&key, &old, true).expect("changed");
        let (name, password) = ("web".to_owned(), "long ago".to_owned());
        world.change_access(AccessChange::ChangePassword { name, password });
    };
    then("another era", restore, usual()).await
}
