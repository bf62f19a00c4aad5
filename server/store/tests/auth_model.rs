//! Users, roles and permissions against a model that knows no ranges, only keys: a range is permitted if each of the
//! few keys there are is, and what lies between them.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::Fixture;
use common::auth::*;
use proptest::prelude::*;
use proptest::sample::select;
use taffrail_proto::etcdserverpb::InternalRaftRequest;
use taffrail_store::Caller;

const USERS: [&str; 3] = ["u", "v", "w"];
const ROLES: [&str; 3] = ["r", "s", "root"];
/// Every bound that is ever named. Between two of them a permission changes nowhere.
const BOUNDS: [&str; 7] = ["a", "a\0", "b", "b\0", "c", "ca", "d"];

#[derive(Debug, Clone)]
enum Step {
    AddUser(&'static str),
    DeleteUser(&'static str),
    AddRole(&'static str),
    DeleteRole(&'static str),
    Grant(&'static str, &'static str),
    Revoke(&'static str, &'static str),
    Allow(&'static str, i32, usize, End),
    Forbid(&'static str, usize, End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    OneKey,
    Before(usize),
    Open,
}

impl End {
    fn text(self) -> &'static str {
        match self {
            Self::OneKey => "",
            Self::Before(bound) => BOUNDS[bound],
            Self::Open => "\0",
        }
    }

    /// The first piece after a range that begins at `start`.
    fn after(self, start: usize) -> usize {
        match self {
            Self::OneKey => start + 1,
            Self::Before(bound) => bound,
            Self::Open => BOUNDS.len(),
        }
    }

    /// One key is a piece of its own only where its successor is a bound too.
    fn fits(self, start: usize) -> bool {
        match self {
            Self::OneKey => matches!(BOUNDS[start], "a" | "b"),
            Self::Before(bound) => bound > start,
            Self::Open => true,
        }
    }
}

/// A role's permissions by range: the pieces between bounds, the last one without an end, and the kind.
type Permissions = BTreeMap<(usize, End), i32>;

#[derive(Default)]
struct Model {
    revision: u64,
    users: BTreeMap<&'static str, BTreeSet<&'static str>>,
    roles: BTreeMap<&'static str, Permissions>,
}

impl Model {
    /// Whether the request is accepted and changes something.
    fn apply(&mut self, step: &Step) -> bool {
        let changed = self.change(step);
        self.revision += u64::from(changed);
        changed
    }

    fn change(&mut self, step: &Step) -> bool {
        match *step {
            Step::AddUser(user) => !self.users.contains_key(user) && self.users.insert(user, BTreeSet::new()).is_none(),
            Step::DeleteUser(user) => self.users.remove(user).is_some(),
            Step::AddRole(role) => {
                !self.roles.contains_key(role) && self.roles.insert(role, Permissions::new()).is_none()
            }
            // Not while access control is on.
            Step::DeleteRole("root") => false,
            Step::DeleteRole(role) => {
                let known = self.roles.remove(role).is_some();
                for held in self.users.values_mut().filter(|_| known) {
                    held.remove(role);
                }
                known
            }
            Step::Grant(user, role) => {
                let known = role == "root" || self.roles.contains_key(role);
                known && self.users.get_mut(user).is_some_and(|held| held.insert(role))
            }
            Step::Revoke(user, role) => self.users.get_mut(user).is_some_and(|held| held.remove(role)),
            Step::Allow(role, kind, start, end) => {
                let role = self.roles.get_mut(role);
                role.map(|role| role.insert((start, end), kind)).is_some()
            }
            Step::Forbid(role, start, end) => {
                let role = self.roles.get_mut(role);
                role.is_some_and(|role| role.remove(&(start, end)).is_some())
            }
        }
    }

    fn permits(&self, user: &str, wanted: i32, start: usize, end: End) -> bool {
        let Some(held) = self.users.get(user) else {
            return false;
        };
        let allowed = |piece: usize| {
            let mut permissions = held.iter().filter_map(|role| self.roles.get(role)).flatten();
            permissions.any(|(&(from, to), &kind)| {
                (kind == wanted || kind == READWRITE) && (from..to.after(from)).contains(&piece)
            })
        };
        held.contains("root") || (start..end.after(start)).all(allowed)
    }
}

fn request(step: &Step) -> InternalRaftRequest {
    match *step {
        Step::AddUser(user) => user_add(user),
        Step::DeleteUser(user) => user_delete(user),
        Step::AddRole(role) => role_add(role),
        Step::DeleteRole(role) => role_delete(role),
        Step::Grant(user, role) => grant_role(user, role),
        Step::Revoke(user, role) => revoke_role(user, role),
        Step::Allow(role, kind, start, end) => allow(role, kind, BOUNDS[start], end.text()),
        Step::Forbid(role, start, end) => revoke_permission(role, BOUNDS[start], end.text()),
    }
}

fn ranges() -> Vec<(usize, End)> {
    let ends = || (0..BOUNDS.len()).map(End::Before).chain([End::OneKey, End::Open]);
    let starts = 0..BOUNDS.len();
    let all = starts.flat_map(|start| ends().map(move |end| (start, end)));
    all.filter(|(start, end)| end.fits(*start)).collect()
}

fn step() -> impl Strategy<Value = Step> {
    let (user, role) = (|| select(&USERS[..]), || select(&ROLES[..]));
    let range = || select(ranges());
    prop_oneof![
        3 => user().prop_map(Step::AddUser),
        1 => user().prop_map(Step::DeleteUser),
        3 => role().prop_map(Step::AddRole),
        1 => role().prop_map(Step::DeleteRole),
        6 => (user(), role()).prop_map(|(user, role)| Step::Grant(user, role)),
        3 => (user(), role()).prop_map(|(user, role)| Step::Revoke(user, role)),
        12 => (role(), READ..=READWRITE, range()).prop_map(|(role, kind, (key, end))| Step::Allow(role, kind, key, end)),
        3 => (role(), range()).prop_map(|(role, (key, end))| Step::Forbid(role, key, end)),
    ]
}

/// So that permissions matter from the first step on.
fn somebody() -> [Step; 5] {
    [
        Step::AddUser("u"),
        Step::AddRole("r"),
        Step::AddRole("s"),
        Step::Grant("u", "r"),
        Step::Grant("u", "s"),
    ]
}

fn compare(fixture: &Fixture, model: &Model) {
    let view = fixture.view();
    let auth = view.auth();
    assert_eq!(auth.revision(), model.revision);
    for user in USERS {
        let caller = Caller {
            user: user.into(),
            auth_revision: auth.revision(),
        };
        for (start, end) in ranges() {
            let (key, text) = (BOUNDS[start].as_bytes(), end.text().as_bytes());
            let (read, write) = (
                auth.permit_read(&caller, key, text),
                auth.permit_write(&caller, key, text),
            );
            assert_eq!(
                read.is_ok(),
                model.permits(user, READ, start, end),
                "{user} reads {start} {end:?}"
            );
            assert_eq!(
                write.is_ok(),
                model.permits(user, WRITE, start, end),
                "{user} writes {start} {end:?}"
            );
        }
        for role in ROLES {
            let held = model.users.get(user).is_some_and(|held| held.contains(role));
            assert_eq!(auth.holds_role(user, role), held);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn users_may_do_what_their_roles_allow_together(steps in prop::collection::vec(step(), 1..60)) {
        let mut fixture = Fixture::new();
        fixture.all_accepted(&[user_add("root"), grant_role("root", "root"), enable()]);
        let mut model = Model { revision: 3, ..Model::default() };
        for step in somebody().iter().chain(&steps) {
            let answer = fixture.apply(by(&Caller::root(1), request(step))).answer;
            let changed = model.apply(step);
            // What changes nothing may be accepted or refused: that has its own test.
            prop_assert!(answer.is_ok() || !changed, "{:?}: {:?}", step, answer);
            compare(&fixture, &model);
        }
        compare(&fixture.reopen(), &model);
    }
}
