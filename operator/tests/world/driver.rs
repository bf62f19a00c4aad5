//! Runs an operator in a world: once, with its death at every write, or beside another.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Display;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::runtime::controller::Action;
use serde::de::DeserializeOwned;
use taffrail_crds::{EtcdBackup, EtcdBackupSchedule, EtcdCluster, EtcdDefragmentation, EtcdRole, EtcdUser};
use taffrail_operator::access;
use taffrail_operator::backup::{backups, schedules};
use taffrail_operator::context::Context;
use taffrail_operator::upkeep;

use super::api::client;
use super::{FakeEtcd, Incarnation, Moment, Summary, World};

/// Passes without a change after which nothing more is expected.
const QUIET_PASSES: usize = 3;

/// The operator's reconciliation of one EtcdCluster.
pub type Reconcile =
    Arc<dyn Fn(Arc<EtcdCluster>, Arc<Context>) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Production code as a [`Reconcile`].
pub fn operator<F, W, E>(reconcile: F) -> Reconcile
where
    F: Fn(Arc<EtcdCluster>, Arc<Context>) -> W + Send + Sync + 'static,
    W: Future<Output = Result<Action, E>> + Send + 'static,
    E: Display,
{
    Arc::new(move |cluster, context| {
        reconcile(cluster, context)
            .map(|outcome| outcome.map(drop).map_err(|error| error.to_string()))
            .boxed()
    })
}

/// Runs a test in a runtime of one thread in which time passes only when nothing else can happen.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(test);
}

/// One life of the operator, with what it remembers.
#[derive(Clone)]
pub struct Life {
    pub incarnation: Arc<Incarnation>,
    pub context: Arc<Context>,
    reconcile: Reconcile,
}

impl Life {
    pub fn begin(world: &World, incarnation: Incarnation, reconcile: &Reconcile) -> Self {
        let incarnation = Arc::new(incarnation);
        let etcd = FakeEtcd {
            world: world.clone(),
            incarnation: incarnation.clone(),
        };
        let settings = world.state().settings.clone();
        let context = context(client(world, &incarnation), Arc::new(etcd), world.clock(), settings);
        Self {
            incarnation,
            context: Arc::new(context),
            reconcile: reconcile.clone(),
        }
    }

    /// Reconciles every object of the kinds that are kept once. False if it died over it.
    pub async fn pass(&self, world: &World) -> bool {
        for cluster in all::<EtcdCluster>(world, "EtcdCluster") {
            let name = cluster.metadata.name.clone().unwrap_or_default();
            let work = (self.reconcile)(Arc::new(cluster), self.context.clone());
            if !self.lived_through(world, &name, work).await {
                return false;
            }
        }
        // Of others it would only be read that there is nothing to do.
        let kept = |one: &EtcdCluster| {
            let keeps_access = one.status.as_ref().is_some_and(|status| status.access.is_some());
            one.spec.defragmentation.is_some() || is_without_space(one) || keeps_access
        };
        for cluster in all::<EtcdCluster>(world, "EtcdCluster").into_iter().filter(kept) {
            let name = cluster.metadata.name.clone().unwrap_or_default();
            let work = plainly(upkeep::cluster::reconcile(Arc::new(cluster), self.context.clone()));
            if !self.lived_through(world, &name, work).await {
                return false;
            }
        }
        for role in all::<EtcdRole>(world, "EtcdRole") {
            let name = role.metadata.name.clone().unwrap_or_default();
            let work = plainly(access::reconcile(Arc::new(role), self.context.clone()));
            if !self.lived_through(world, &name, work).await {
                return false;
            }
        }
        for user in all::<EtcdUser>(world, "EtcdUser") {
            let name = user.metadata.name.clone().unwrap_or_default();
            let work = plainly(access::reconcile(Arc::new(user), self.context.clone()));
            if !self.lived_through(world, &name, work).await {
                return false;
            }
        }
        for task in all::<EtcdDefragmentation>(world, "EtcdDefragmentation") {
            let name = task.metadata.name.clone().unwrap_or_default();
            let work = plainly(upkeep::defragmentation::reconcile(Arc::new(task), self.context.clone()));
            if !self.lived_through(world, &name, work).await {
                return false;
            }
        }
        for backup in all::<EtcdBackup>(world, "EtcdBackup") {
            let name = backup.metadata.name.clone().unwrap_or_default();
            let work = plainly(backups::reconcile(Arc::new(backup), self.context.clone()));
            if !self.lived_through(world, &name, work).await {
                return false;
            }
        }
        for schedule in all::<EtcdBackupSchedule>(world, "EtcdBackupSchedule") {
            let name = schedule.metadata.name.clone().unwrap_or_default();
            let work = plainly(schedules::reconcile(Arc::new(schedule), self.context.clone()));
            if !self.lived_through(world, &name, work).await {
                return false;
            }
        }
        true
    }

    async fn lived_through(&self, world: &World, name: &str, work: BoxFuture<'static, Result<(), String>>) -> bool {
        let reconciliation = tokio::spawn(work);
        let stop = reconciliation.abort_handle();
        let outcome = tokio::select! {
            outcome = reconciliation => outcome,
            () = self.incarnation.died() => {
                stop.abort();
                return false;
            }
        };
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => world.state().note(format!("{name}: {error}")),
            Err(panic) => panic!("the operator panicked: {panic}\n{}", world.trace()),
        }
        true
    }
}

fn is_without_space(cluster: &EtcdCluster) -> bool {
    let conditions = cluster.status.iter().flat_map(|status| &status.conditions);
    let mut of_space = conditions.filter(|one| one.type_ == "NoSpace");
    of_space.any(|one| one.status == "True")
}

fn plainly<E: Display>(
    work: impl Future<Output = Result<Action, E>> + Send + 'static,
) -> BoxFuture<'static, Result<(), String>> {
    work.map(|outcome| outcome.map(drop).map_err(|error| error.to_string()))
        .boxed()
}

fn context(
    client: kube::Client,
    etcd: Arc<dyn taffrail_operator::etcd::Etcd>,
    clock: taffrail_operator::context::Clock,
    settings: taffrail_operator::context::Settings,
) -> Context {
    Context {
        client,
        etcd,
        clock,
        settings: Arc::new(settings),
        outlets: Default::default(),
    }
}

fn all<K: DeserializeOwned>(world: &World, kind: &str) -> Vec<K> {
    let parse = |object| serde_json::from_value(object).expect("as its type says");
    world.all(kind).into_iter().map(parse).collect()
}

/// How far a life led.
#[derive(Debug)]
pub enum End {
    /// Nothing changes any more and the goal is reached, after so many passes.
    Converged(usize),
    Died,
}

/// What has to be the case at the end; what is not, in words.
pub type Goal = Arc<dyn Fn(&World) -> Result<(), String> + Send + Sync>;

/// Pass, tick, pass, tick, until the goal is reached and all is quiet.
pub async fn converge(world: &World, life: &Life, goal: &Goal, passes_max: usize) -> Result<End, String> {
    let mut quiet = 0;
    for pass in 0..passes_max {
        let before = fingerprint(world);
        if !life.pass(world).await {
            return Ok(End::Died);
        }
        world.tick();
        quiet = if fingerprint(world) == before && goal(world).is_ok() {
            quiet + 1
        } else {
            0
        };
        if quiet == QUIET_PASSES {
            return Ok(End::Converged(pass));
        }
    }
    let why = goal(world).err().unwrap_or_else(|| "it never came to rest".into());
    Err(format!("after {passes_max} passes: {why}\n{}", world.trace()))
}

/// Everything but what changes by itself: times, status, versions of objects.
fn fingerprint(world: &World) -> u64 {
    let state = world.state();
    let mut hasher = DefaultHasher::new();
    for (key, object) in state
        .api
        .objects
        .iter()
        .filter(|(key, _)| !matches!(key.kind, "Event" | "Lease"))
    {
        let mut object = object.clone();
        object.as_object_mut().expect("an object").remove("status");
        object["metadata"]
            .as_object_mut()
            .expect("metadata")
            .remove("resourceVersion");
        (key, object.to_string()).hash(&mut hasher);
    }
    for history in &state.histories {
        history
            .members
            .iter()
            .for_each(|(id, member)| (id, member.is_learner).hash(&mut hasher));
        history.auth.hash(&mut hasher);
        (&history.users, &history.roles).hash(&mut hasher);
    }
    state.processes.keys().for_each(|uid| uid.hash(&mut hasher));
    hasher.finish()
}

/// A world that is at rest, what happens to it, and what has to become of it.
#[derive(Clone)]
pub struct Scenario {
    pub name: &'static str,
    /// It is never touched: every run has its own copy.
    pub begin: World,
    pub disturb: Arc<dyn Fn(&World) + Send + Sync>,
    pub goal: Goal,
    pub passes_max: usize,
}

impl Scenario {
    /// Another one that begins where this one ends.
    pub async fn then(
        self,
        reconcile: &Reconcile,
        name: &'static str,
        disturb: impl Fn(&World) + Send + Sync + 'static,
        goal: impl Fn(&World) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let (world, _, _) = self.once(reconcile).await;
        Self {
            name,
            begin: world,
            disturb: Arc::new(disturb),
            goal: Arc::new(goal),
            passes_max: self.passes_max,
        }
    }

    fn disturbed(&self) -> World {
        let world = self.begin.fork();
        (self.disturb)(&world);
        world
    }

    /// Undisturbed by deaths: the world at the end, the writes that changed something, and the passes.
    pub async fn once(&self, reconcile: &Reconcile) -> (World, Vec<usize>, usize) {
        let (world, life, passes) = self.lived(reconcile).await;
        (world, life.incarnation.effective_writes(), passes)
    }

    async fn lived(&self, reconcile: &Reconcile) -> (World, Life, usize) {
        let world = self.disturbed();
        let life = Life::begin(&world, Incarnation::recorded("operator"), reconcile);
        let passes = match converge(&world, &life, &self.goal, self.passes_max).await {
            Ok(End::Converged(passes)) => passes,
            other => panic!("{}: {other:?}", self.name),
        };
        self.check(&world, "undisturbed");
        (world, life, passes)
    }

    fn check(&self, world: &World, how: &str) {
        let violations = world.violations();
        assert!(
            violations.is_empty(),
            "{}, {how}: {violations:#?}\n{}",
            self.name,
            world.trace()
        );
    }
}

/// What was shown by a scenario.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    pub writes: usize,
    pub runs: usize,
    pub passes: usize,
}

/// The operator dies at each of its writes, in both flavours; another takes over. The end is the same, and nothing
/// happens on the way that must not.
///
/// Nothing of a life survives its death but the world, so every death of one life is played from where it would have
/// left the world; what two deaths would leave behind alike is played once.
pub async fn exhaustively(scenario: &Scenario, reconcile: &Reconcile) -> Shown {
    with_deaths(scenario, reconcile, usize::MAX).await
}

/// As [`exhaustively`], with no more than so many deaths, spread over the whole life and over both flavours.
pub async fn with_deaths(scenario: &Scenario, reconcile: &Reconcile, deaths_max: usize) -> Shown {
    let (world, life, passes) = scenario.lived(reconcile).await;
    let expected = Summary::of(&world);
    let moments = life.incarnation.moments();
    // Flavours alternate: an odd stride meets both.
    let stride = moments.len().div_ceil(deaths_max) | 1;
    let sampled = moments.iter().step_by(stride);
    let runs = sampled.len();
    for moment in sampled {
        let end = taken_over(scenario, reconcile, moment).await;
        scenario.check(&end, &moment.how);
        assert_eq!(
            Summary::of(&end),
            expected,
            "{}, {}\n{}",
            scenario.name,
            moment.how,
            end.trace()
        );
    }
    Shown {
        writes: life.incarnation.effective_writes().len(),
        runs,
        passes,
    }
}

async fn taken_over(scenario: &Scenario, reconcile: &Reconcile, moment: &Moment) -> World {
    let world = moment.world.fork();
    world.state().note(format!("the operator is {}", moment.how));
    world.state().memory.changes_unseen = 0;
    world.tick();
    let second = Life::begin(&world, Incarnation::immortal("second"), reconcile);
    let end = converge(&world, &second, &scenario.goal, scenario.passes_max).await;
    assert!(
        matches!(end, Ok(End::Converged(_))),
        "{}, {}: {end:?}",
        scenario.name,
        moment.how
    );
    world
}

/// Two operators at once, neither of which knows of the other; every call of theirs comes in an order that `seed`
/// makes. The end is that of one operator alone.
pub async fn two_operators(scenario: &Scenario, reconcile: &Reconcile, seed: u64) {
    let (world, _, _) = scenario.once(reconcile).await;
    let expected = Summary::of(&world);
    let world = scenario.disturbed();
    world.state().memory.several_operators = true;
    let lives = ["one", "two"].map(|name| Life::begin(&world, Incarnation::stepped(name), reconcile));
    let mut chance = Chance(seed);
    let mut quiet = 0;
    for _ in 0..scenario.passes_max {
        let before = fingerprint(&world);
        interleaved(&world, &lives, &mut chance).await;
        world.tick();
        quiet = if fingerprint(&world) == before && (scenario.goal)(&world).is_ok() {
            quiet + 1
        } else {
            0
        };
        if quiet == QUIET_PASSES {
            break;
        }
    }
    let how = format!("two operators, seed {seed}");
    scenario.check(&world, &how);
    assert_eq!(
        (scenario.goal)(&world),
        Ok(()),
        "{}, {how}\n{}",
        scenario.name,
        world.trace()
    );
    assert_eq!(
        Summary::of(&world),
        expected,
        "{}, {how}\n{}",
        scenario.name,
        world.trace()
    );
}

async fn interleaved(world: &World, lives: &[Life; 2], chance: &mut Chance) {
    let passes = lives.clone().map(|life| {
        let world = world.clone();
        tokio::spawn(async move { life.pass(&world).await })
    });
    loop {
        // Time is paused: it passes once nobody can do anything without us.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let waiting: Vec<&Life> = lives.iter().filter(|life| life.incarnation.waiting() > 0).collect();
        if waiting.is_empty() {
            break;
        }
        waiting[chance.below(waiting.len())].incarnation.let_one_through();
        if chance.below(16) == 0 {
            world.tick();
        }
    }
    for pass in passes {
        pass.await.expect("a pass");
    }
}

/// Numbers without order that a seed repeats (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}
