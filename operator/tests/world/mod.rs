//! The world around the operator, in memory: an API server, kubelets with disks, and members that follow etcd's rules.
//!
//! Nothing here takes real time and nothing happens by itself: [`World::tick`] is five seconds in which Kubernetes and
//! the members do what they would. Production code runs against it unchanged, through a `kube::Client` and the trait
//! `Etcd`. What must never happen is watched at every step and found in [`World::violations`].
//!
//! A test crate uses it by `mod world;`.
#![allow(dead_code, reason = "every test crate uses its own part of the world")]
#![allow(unused_imports, reason = "as above")]

pub mod api;
mod controls;
pub mod driver;
pub mod etcd;
mod incarnation;
pub mod invariants;
mod kubelet;
mod summary;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use taffrail_operator::context::Settings;

pub use api::{Key, Refusal, Seen, Store, kind_named};
pub use controls::Controls;
pub use driver::{
    End, Goal, Life, Reconcile, Scenario, Shown, converge, exhaustively, operator, run, two_operators, with_deaths,
};
pub use etcd::{FakeEtcd, History};
pub use incarnation::{Flavour, Incarnation, Moment};
pub use kubelet::{Disk, Process};
pub use summary::Summary;

/// What one tick lasts.
pub const TICK: SignedDuration = SignedDuration::from_secs(5);
/// Lines of the trace that are kept for who looks into a failure.
const TRACE_LINES_MAX: usize = 400;

/// A handle; clones are the same world.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

#[derive(Clone)]
pub struct State {
    pub api: Store,
    pub now: Timestamp,
    pub ticks: u64,
    /// By UID of the volume claim.
    pub disks: BTreeMap<String, Disk>,
    /// Running members by UID of their pod.
    pub processes: BTreeMap<String, Process>,
    /// Every cluster of etcd that ever was.
    pub histories: Vec<History>,
    pub controls: Controls,
    /// Where backups are kept, by key.
    pub bucket: BTreeMap<String, Stored>,
    /// What every request that was ever made needed to be granted.
    pub requests: BTreeSet<Seen>,
    pub violations: Vec<String>,
    pub memory: invariants::Memory,
    pub trace: VecDeque<String>,
    /// Changes by any incarnation, events not counted.
    pub writes: usize,
    /// What the next operators are started with.
    pub settings: Settings,
    ips: u64,
}

/// A backup in the bucket.
#[derive(Clone, Debug)]
pub struct Stored {
    pub backup_uid: String,
    pub schedule: Option<String>,
    pub cluster_uid: String,
    pub taken_at: Timestamp,
    /// What clients had written.
    pub log: Vec<u64>,
    pub root_password: Option<String>,
    pub auth: bool,
}

impl World {
    /// Three nodes, two storage classes that can grow (`standard`, the default, and `other`), one that cannot
    /// (`fixed`), and a namespace `default`.
    pub fn new() -> Self {
        let mut state = State {
            api: Store::default(),
            now: "2026-01-01T00:00:00Z".parse().expect("a time"),
            ticks: 0,
            disks: BTreeMap::new(),
            processes: BTreeMap::new(),
            histories: Vec::new(),
            controls: Controls::default(),
            bucket: BTreeMap::new(),
            requests: BTreeSet::new(),
            violations: Vec::new(),
            memory: invariants::Memory::default(),
            trace: VecDeque::new(),
            writes: 0,
            ips: 0,
            settings: Settings {
                operator_image: Some("taffrail-operator:test".into()),
                ..Settings::default()
            },
        };
        state.api.now = state.now.to_string();
        kubelet::furnish(&mut state);
        Self(Arc::new(Mutex::new(state)))
    }

    /// Another world that is the same up to now.
    pub fn fork(&self) -> Self {
        Self::of(self.state().clone())
    }

    fn of(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Five seconds pass.
    pub fn tick(&self) {
        let mut state = self.state();
        let state = &mut *state;
        state.ticks += 1;
        state.now += TICK;
        state.api.now = state.now.to_string();
        kubelet::tick(state);
        etcd::tick(state);
        kubelet::report(state);
        invariants::after_tick(state);
    }

    /// The world's own clock.
    pub fn clock(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let world = self.clone();
        Arc::new(move || world.state().now)
    }

    /// What must never happen and did.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// Creates an object as a user would: YAML or JSON.
    pub fn create(&self, yaml: &str) -> Value {
        let object: Value = serde_yaml_ng::from_str(yaml).expect("YAML");
        let kind = kind_named(object["kind"].as_str().expect("kind"));
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned();
        self.state().api.create(kind, &namespace, object).expect("created")
    }

    /// Merge patch of an object as a user would send it.
    pub fn change(&self, kind: &'static str, name: &str, patch: Value) {
        let namespace = if kind_named(kind).namespaced { "default" } else { "" };
        self.state()
            .api
            .merge(&Key::new(kind, namespace, name), &patch, false)
            .expect("changed");
    }

    pub fn get(&self, kind: &'static str, name: &str) -> Option<Value> {
        let namespace = if kind_named(kind).namespaced { "default" } else { "" };
        self.state().api.objects.get(&Key::new(kind, namespace, name)).cloned()
    }

    pub fn all(&self, kind: &str) -> Vec<Value> {
        self.state()
            .api
            .of_kind(kind)
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// Everything that was done, for who looks into a failure.
    pub fn trace(&self) -> String {
        self.state().trace.iter().map(|line| format!("{line}\n")).collect()
    }
}

impl State {
    pub fn note(&mut self, line: impl Into<String>) {
        if self.trace.len() == TRACE_LINES_MAX {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("t{:<4} {}", self.ticks, line.into()));
    }

    pub fn violated(&mut self, what: impl Into<String>) {
        let what = format!("t{}: {}", self.ticks, what.into());
        self.note(format!("VIOLATION {what}"));
        self.violations.push(what);
    }
}
