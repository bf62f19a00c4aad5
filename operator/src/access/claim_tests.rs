use serde_json::{Value, json};
use taffrail_crds::{DeletionPolicy, EtcdUser};

use super::*;

fn entry(name: &str, object: &str) -> KeptAccess {
    KeptAccess {
        name: name.into(),
        object: object.into(),
        uid: format!("uid-{object}"),
        deletion_policy: DeletionPolicy::Delete,
    }
}

fn kept(users: &[KeptAccess]) -> AccessRecord {
    AccessRecord {
        users: users.to_vec(),
        roles: Vec::new(),
    }
}

fn others(uids: &[&str], eldest: Option<KeptAccess>) -> Others {
    Others {
        uids: uids.iter().map(|uid| (*uid).to_owned()).collect(),
        eldest,
    }
}

fn reason(claim: &Claim) -> &'static str {
    match claim {
        Claim::Refused(problem) => problem.reason,
        Claim::Held => "held",
        Claim::Write(_) => "write",
    }
}

#[test]
fn whose_a_name_is_follows_from_the_record_first_and_from_age_then() {
    let (mine, other) = (entry("web", "a"), entry("web", "b"));
    let table = [
        (vec![], others(&["uid-a"], Some(mine.clone())), (false, false), "write"),
        (vec![], others(&["uid-a"], Some(mine.clone())), (true, false), "Exists"),
        (vec![], others(&["uid-a"], Some(mine.clone())), (true, true), "write"),
        (
            vec![],
            others(&["uid-a", "uid-b"], Some(other.clone())),
            (false, true),
            "Conflict",
        ),
        (
            vec![other.clone()],
            others(&["uid-a", "uid-b"], Some(mine.clone())),
            (true, true),
            "Conflict",
        ),
        (
            vec![other.clone()],
            others(&["uid-a"], Some(mine.clone())),
            (true, true),
            "BeingRemoved",
        ),
    ];
    for (users, others, there, told) in table {
        let claim = claim(&kept(&users), Kind::User, &mine, &others, there);
        assert_eq!(reason(&claim), told, "{users:?} {others:?} {there:?}");
    }
}

#[test]
fn a_user_and_a_role_of_one_name_do_not_meet() {
    let (mine, users) = (entry("web", "a"), kept(&[entry("web", "b")]));
    let Claim::Write(record) = claim(&users, Kind::Role, &mine, &others(&["uid-a"], None), (false, false)) else {
        panic!("refused");
    };
    assert_eq!((record.users.len(), record.roles), (1, vec![mine]));
}

#[test]
fn a_policy_that_changed_is_written_down_before_anything_else() {
    let mut mine = entry("web", "a");
    let users = kept(&[mine.clone()]);
    assert_eq!(held(&users, Kind::User, &mine), Some(Claim::Held));
    mine.deletion_policy = DeletionPolicy::Retain;
    let written = Claim::Write(kept(&[mine.clone()]));
    assert_eq!(held(&users, Kind::User, &mine), Some(written));
    assert_eq!(held(&users, Kind::User, &entry("web", "b")), None);
}

#[test]
fn a_full_record_takes_no_more() {
    let users: Vec<_> = (0..ACCESS_MAX).map(|n| entry(&format!("u{n}"), "x")).collect();
    let claim = claim(
        &kept(&users),
        Kind::User,
        &entry("web", "a"),
        &others(&["uid-a"], None),
        (false, false),
    );
    assert_eq!(reason(&claim), "TooMany");
}

fn user(name: &str, cluster: &str, made: &str, in_etcd: Value) -> EtcdUser {
    let meta = json!({"name": name, "namespace": "ns", "uid": name, "creationTimestamp": made});
    let spec = json!({"clusterRef": {"name": cluster}, "userName": in_etcd, "noPassword": true});
    let head = "etcd.taffrail.dev/v1alpha1";
    serde_json::from_value(json!({"apiVersion": head, "kind": "EtcdUser", "metadata": meta, "spec": spec})).unwrap()
}

#[test]
fn the_eldest_is_that_of_the_same_name_in_the_same_cluster() {
    let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    let all = [
        user("web", "a", new, Value::Null),
        user("elder", "a", old, json!("web")),
        user("elsewhere", "b", old, json!("web")),
        user("other", "a", old, Value::Null),
    ];
    let eldest = |of: &EtcdUser| Others::of(of, BTreeSet::new(), &all).eldest.unwrap().object;
    assert_eq!((eldest(&all[0]), eldest(&all[3])), ("elder".into(), "other".into()));
}
