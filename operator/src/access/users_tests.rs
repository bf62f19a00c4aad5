use std::collections::BTreeSet;

use serde_json::{Value, json};
use taffrail_crds::EtcdUser;

use super::content::{Content, Plan};
use super::password::Password;
use super::users::Found;
use crate::etcd::AccessChange;
use crate::problem::Problem;

fn user(status: Value) -> EtcdUser {
    let spec = json!({"clusterRef": {"name": "a"}, "passwordSecretRef": {"name": "s"}, "roles": ["app", "log"]});
    let head = "etcd.taffrail.dev/v1alpha1";
    let meta = json!({"name": "web", "namespace": "ns", "uid": "u"});
    let user = json!({"apiVersion": head, "kind": "EtcdUser", "metadata": meta, "spec": spec, "status": status});
    serde_json::from_value(user).unwrap()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn found(roles: Option<&[&str]>, in_force: bool) -> Found {
    let (text, digest) = ("secret".to_owned(), "d".to_owned());
    Found {
        roles: roles.map(set),
        absent: BTreeSet::new(),
        password: Ok(Some(Password { text, digest })),
        in_force,
    }
}

fn words(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(AccessChange::words).collect()
}

const MADE: [&str; 3] = [
    "user web is made",
    "user web has the role app",
    "user web has the role log",
];

#[test]
fn a_user_is_made_with_its_password_and_its_roles() {
    let plan = EtcdUser::plan(&user(json!(null)), &found(None, false), true);
    assert_eq!(words(&plan), MADE);
    assert!(plan.made && plan.problem.is_none() && plan.password_hash.as_deref() == Some("d"));
}

#[test]
fn one_that_has_gone_from_etcd_is_made_again() {
    let plan = EtcdUser::plan(&user(json!({"passwordHash": "d"})), &found(None, false), false);
    assert_eq!(words(&plan), MADE);
    assert!(!plan.declared_anew, "that it had gone was drift");
}

#[test]
fn one_of_another_era_is_made_anew_since_nobody_knows_its_password() {
    let plan = EtcdUser::plan(&user(json!(null)), &found(Some(&["app", "admin"]), true), true);
    assert_eq!(words(&plan)[0], "user web is removed");
    assert_eq!(words(&plan)[1..], MADE);
}

#[test]
fn roles_that_are_too_much_go_first_and_a_password_in_force_stays() {
    let told = user(json!({"passwordHash": "d"}));
    let plan = EtcdUser::plan(&told, &found(Some(&["admin", "app"]), true), false);
    let expected = ["user web has the role admin no more", "user web has the role log"];
    assert_eq!(words(&plan), expected);
    assert!(!plan.declared_anew);
    let plan = EtcdUser::plan(&told, &found(Some(&["app", "log"]), true), false);
    assert!(plan.changes.is_empty() && plan.made);
}

#[test]
fn another_password_is_a_change_and_no_drift() {
    let plan = EtcdUser::plan(
        &user(json!({"passwordHash": "c"})),
        &found(Some(&["app", "log"]), false),
        false,
    );
    assert_eq!(words(&plan), ["user web has another password"]);
    assert!(plan.declared_anew);
}

#[test]
fn without_its_secret_no_user_is_made_and_too_many_roles_go_all_the_same() {
    let told = user(json!({"passwordHash": "d"}));
    let mut lost = found(None, true);
    lost.password = Err(Problem::new("SecretMissing", "there is no Secret s"));
    let plan = EtcdUser::plan(&told, &lost, true);
    assert!(plan.changes.is_empty() && !plan.made);
    lost.roles = Some(set(&["app", "log", "admin"]));
    for fresh in [true, false] {
        let plan = EtcdUser::plan(&told, &lost, fresh);
        assert_eq!(words(&plan), ["user web has the role admin no more"]);
        assert_eq!((plan.made, plan.password_hash.as_deref()), (!fresh, Some("d")));
        assert_eq!(plan.problem.map(|problem| problem.reason), Some("SecretMissing"));
    }
}

#[test]
fn a_role_that_is_not_there_is_waited_for_and_the_others_are_granted() {
    let mut lacking = found(Some(&[]), true);
    lacking.absent = set(&["app"]);
    let plan = EtcdUser::plan(&user(json!({"passwordHash": "d"})), &lacking, false);
    assert_eq!(words(&plan), ["user web has the role log"]);
    assert_eq!(plan.problem.map(|problem| problem.reason), Some("RoleMissing"));
}
