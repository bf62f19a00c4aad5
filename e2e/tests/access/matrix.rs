//! Thousands of requests by random users against a plain model, and side by side with etcd if it was built.

use bytes::Bytes;
use taffrail_e2e::chance::Chance;
use taffrail_e2e::program;
use taffrail_e2e::requests::{grant, put};
use taffrail_proto::authpb::Permission;
use taffrail_proto::authpb::permission::Type;
use taffrail_proto::etcdserverpb as pb;

use crate::ask::{Answer, Ask};
use crate::guarded::{As, Guarded};
use crate::model::{Model, ROOT, Who};

const USERS: [&str; 5] = ["u1", "u2", "u3", "u4", "u5"];
const ROLES: [&str; 4] = ["r1", "r2", "r3", "r4"];
/// Granted once, with keys that nobody touches later.
const LEASES: [i64; 3] = [101, 102, 103];
const ROUNDS: usize = 60;
const REQUESTS_PER_ROUND: usize = 40;
const CHANGES_PER_ROUND: usize = 4;

/// The same cast on one or two members.
struct Stage {
    model: Model,
    members: Vec<Guarded>,
    /// Per member, in the order of [`USERS`] and root at the end.
    tokens: Vec<Vec<As>>,
    chance: Chance,
    next_lease: i64,
}

impl Stage {
    async fn set(members: Vec<Guarded>, seed: u64) -> Stage {
        let mut stage = Stage {
            model: Model::default(),
            members,
            tokens: Vec::new(),
            chance: Chance::new(seed),
            next_lease: 1000,
        };
        for user in USERS {
            stage.model.users.insert(user.into(), Default::default());
        }
        stage.model.users.insert(ROOT.into(), [ROOT.to_owned()].into());
        for role in ROLES {
            stage.model.roles.insert(role.into(), Vec::new());
        }
        for lease in LEASES {
            let keys = ["p1", "p2", "p3"].map(|key| Bytes::from(format!("{key}{lease}")));
            stage.model.attached.insert(lease, keys.into());
        }
        for number in 0..stage.members.len() {
            stage.prepare(number).await;
        }
        stage
    }

    async fn prepare(&mut self, number: usize) {
        let on = &self.members[number];
        for user in USERS {
            on.add_user(user).await;
        }
        for role in ROLES {
            on.add_role(role).await;
        }
        let mut kv = on.member.kv();
        for (lease, keys) in &self.model.attached {
            let granted = on.member.lease().lease_grant(on.root.asks(grant(3600, *lease))).await;
            granted.expect("granted");
            for key in keys {
                let attached = pb::PutRequest {
                    lease: *lease,
                    ..put(key.clone(), "v")
                };
                kv.put(on.root.asks(attached)).await.expect("attached");
            }
        }
        let mut tokens = Vec::new();
        for user in USERS {
            tokens.push(on.log_in(user).await);
        }
        tokens.push(on.root.clone());
        self.tokens.push(tokens);
    }

    async fn change_something(&mut self) {
        let role = (*self.chance.pick(&ROLES)).to_owned();
        let user = (*self.chance.pick(&USERS)).to_owned();
        match self.chance.below(10) {
            0..=5 => self.allow(&role).await,
            6 => self.disallow(&role).await,
            7 | 8 => self.grant(&user, role).await,
            _ => self.revoke(&user).await,
        }
    }

    async fn allow(&mut self, role: &str) {
        let kind = *self.chance.pick(&[Type::Read, Type::Write, Type::Readwrite]);
        let (key, range_end) = range(&mut self.chance);
        let permission = Permission {
            perm_type: kind.into(),
            key,
            range_end,
        };
        let held = self.model.roles.get_mut(role).expect("the role is there");
        // etcd may keep both where a range is granted again beside another one that begins with the same key.
        let begin_alike = held.iter().filter(|p| p.key == permission.key);
        if begin_alike
            .map(|p| &p.range_end)
            .any(|end| *end != permission.range_end)
        {
            return;
        }
        for on in &self.members {
            on.allow(role, permission.clone()).await;
        }
        held.retain(|p| (&p.key, &p.range_end) != (&permission.key, &permission.range_end));
        held.push(permission);
    }

    async fn disallow(&mut self, role: &str) {
        let held = self.model.roles.get_mut(role).expect("the role is there");
        if held.is_empty() {
            return;
        }
        let gone = held.swap_remove(self.chance.below(held.len() as u64) as usize);
        for on in &self.members {
            on.disallow(role, &gone).await;
        }
    }

    async fn grant(&mut self, user: &str, role: String) {
        // Now and then somebody becomes an administrator.
        let role = if self.chance.percent(5) { ROOT.to_owned() } else { role };
        for on in &self.members {
            on.grant_role(user, &role).await;
        }
        self.model.users.get_mut(user).expect("the user is there").insert(role);
    }

    async fn revoke(&mut self, user: &str) {
        let held = self.model.users.get_mut(user).expect("the user is there");
        let Some(role) = held.pop_last() else { return };
        for on in &self.members {
            on.revoke_role(user, &role).await;
        }
    }

    async fn ask_something(&mut self) {
        let number = self.chance.below(USERS.len() as u64 + 3) as usize;
        let who = match number {
            root if root == USERS.len() => Who::User(ROOT.into()),
            nobody if nobody == USERS.len() + 1 => Who::Nobody,
            stranger if stranger == USERS.len() + 2 => Who::Stranger,
            user => Who::User(USERS[user].into()),
        };
        let ask = self.draw().await;
        let decision = self.model.decide(&who, &ask);
        if decision.is_none() && would_spoil(&ask) {
            return;
        }
        let mut answers = Vec::new();
        for (on, tokens) in self.members.iter().zip(&self.tokens) {
            let signed = match &who {
                Who::User(_) => tokens[number].clone(),
                Who::Nobody => As::NOBODY,
                Who::Stranger => As::token("abcdefghijklmnop.1"),
            };
            answers.push(ask.send(on, &signed).await);
        }
        let told = answers[0].refusal();
        match decision {
            Some(text) => assert_eq!(told, Some(text), "{who:?} asks {ask:?}\n{:#?}", self.model),
            None => assert!(
                !is_about_access(told),
                "{who:?} asks {ask:?}: {told:?}\n{:#?}",
                self.model
            ),
        }
        if let [ours, theirs] = &answers[..] {
            assert_eq!(ours, theirs, "{who:?} asks {ask:?}");
        }
        if answers[0] == Answer::Ok {
            self.follow(&ask);
        }
    }

    async fn draw(&mut self) -> Ask {
        let chance = &mut self.chance;
        let lease = *chance.pick(&LEASES);
        match chance.below(40) {
            0..=7 => draw_range(chance),
            8..=13 => draw_put(chance, lease),
            14..=17 => draw_delete(chance),
            18..=23 => draw_txn(chance),
            24..=26 => {
                let (key, end) = range(chance);
                Ask::Watch { key, end }
            }
            27 | 28 => Ask::KeepAlive(lease),
            29 => Ask::TimeToLive(lease, chance.percent(50)),
            30 => Ask::Leases,
            31 => Ask::Revoke(self.fresh_lease().await),
            32 => chance.pick(&[Ask::Status, Ask::Alarms, Ask::Members]).clone(),
            33 => chance.pick(&[Ask::HashKv, Ask::Hash, Ask::MoveLeader]).clone(),
            34 => chance.pick(&[Ask::AuthStatus, Ask::AddUser]).clone(),
            35 => chance.pick(&[Ask::Users, Ask::Roles]).clone(),
            36 | 37 => Ask::User((*chance.pick(&USERS)).into()),
            _ => Ask::Role((*chance.pick(&ROLES)).into()),
        }
    }

    /// With one key on it.
    async fn fresh_lease(&mut self) -> i64 {
        self.next_lease += 1;
        let (id, key) = (self.next_lease, key(&mut self.chance));
        for on in &self.members {
            let granted = on.member.lease().lease_grant(on.root.asks(grant(3600, id))).await;
            granted.expect("granted");
            let attached = pb::PutRequest {
                lease: id,
                ..put(key.clone(), "v")
            };
            on.member.kv().put(on.root.asks(attached)).await.expect("attached");
        }
        self.attach(&key, id);
        id
    }

    fn attach(&mut self, key: &Bytes, lease: i64) {
        for keys in self.model.attached.values_mut() {
            keys.remove(key);
        }
        if lease != 0 {
            self.model.attached.entry(lease).or_default().insert(key.clone());
        }
    }

    /// What was done changes which keys hang on which lease.
    fn follow(&mut self, ask: &Ask) {
        match ask {
            Ask::Put { key, lease, .. } => self.attach(key, *lease),
            Ask::Delete { key, end, .. } => {
                for keys in self.model.attached.values_mut() {
                    let stays = |held: &Bytes| held != key && (end.is_empty() || held < key || held >= end);
                    keys.retain(stays);
                }
            }
            Ask::Revoke(lease) => drop(self.model.attached.remove(lease)),
            Ask::Txn { ops, .. } => ops.iter().for_each(|op| self.follow(op)),
            _ => {}
        }
    }
}

/// Of users and permissions, not of anything else.
fn is_about_access(refusal: Option<&str>) -> bool {
    refusal.is_some_and(|text| {
        ["permission", "user name is empty", "auth"]
            .iter()
            .any(|word| text.contains(word))
    })
}

/// Deleting to the end would take the keys of the leases along, and some things can be done only once.
fn would_spoil(ask: &Ask) -> bool {
    match ask {
        Ask::Delete { key, end, .. } => {
            end.as_ref() == b"\0" || [key, end].iter().any(|at| at.as_ref() >= b"p".as_slice())
        }
        Ask::Txn { ops, .. } => ops.iter().any(would_spoil),
        _ => false,
    }
}

fn key(chance: &mut Chance) -> Bytes {
    let letters = 1 + chance.below(2);
    let key: String = (0..letters).map(|_| *chance.pick(&['a', 'b', 'c', 'd'])).collect();
    key.into()
}

/// One key, keys up to another, the keys of leases, or all from one on.
fn range(chance: &mut Chance) -> (Bytes, Bytes) {
    let (one, other) = (key(chance), key(chance));
    match chance.below(20) {
        0..=6 => (one, Bytes::new()),
        7 => (one, Bytes::from_static(b"\0")),
        8 => (Bytes::from_static(b"p"), Bytes::from_static(b"q")),
        9 => (one.clone(), [&one, &b"\0"[..]].concat().into()),
        _ if one == other => (one, Bytes::new()),
        _ => (one.clone().min(other.clone()), one.max(other)),
    }
}

fn draw_range(chance: &mut Chance) -> Ask {
    let (key, end) = range(chance);
    Ask::Range { key, end }
}

fn draw_put(chance: &mut Chance, lease: i64) -> Ask {
    Ask::Put {
        key: key(chance),
        lease: if chance.percent(30) { lease } else { 0 },
        prev_kv: chance.percent(30),
    }
}

fn draw_delete(chance: &mut Chance) -> Ask {
    let (key, end) = range(chance);
    Ask::Delete {
        key,
        end,
        prev_kv: chance.percent(30),
    }
}

/// Never two changes, so that no key is changed twice.
fn draw_txn(chance: &mut Chance) -> Ask {
    let compares = (0..chance.below(3)).map(|_| range(chance)).collect();
    let mut ops: Vec<Ask> = (0..chance.below(3)).map(|_| draw_range(chance)).collect();
    ops.push(match chance.below(4) {
        0 => draw_put(chance, LEASES[0]),
        1 => draw_delete(chance),
        2 => draw_txn(chance),
        _ => draw_range(chance),
    });
    Ask::Txn { compares, ops }
}

async fn run(members: Vec<Guarded>, seed: u64) {
    let mut stage = Stage::set(members, seed).await;
    for _ in 0..ROUNDS {
        for _ in 0..CHANGES_PER_ROUND {
            stage.change_something().await;
        }
        for _ in 0..REQUESTS_PER_ROUND {
            stage.ask_something().await;
        }
    }
}

#[tokio::test]
async fn every_request_is_decided_as_a_plain_model_decides_it() {
    run(vec![Guarded::fresh().await], 5).await;
}

/// Needs the programs of `e2e/tools/build`; without them there is nothing to compare with.
#[tokio::test]
async fn every_request_is_decided_as_etcd_decides_it() {
    let Some(etcd) = program::tool("upstream/etcd") else {
        return eprintln!("no etcd to compare with");
    };
    let seed = std::env::var("TAFFRAIL_SEED").ok().and_then(|seed| seed.parse().ok());
    let members = vec![Guarded::fresh().await, Guarded::start(Some(&etcd), &[]).await];
    run(members, seed.unwrap_or(6)).await;
}
