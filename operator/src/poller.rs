//! Asks members how they are, all the time, because Kubernetes does not tell when etcd changes its leader, raises an
//! alarm or stops answering.
//!
//! Enters: where members are and how to get in, as the last look at each cluster found out. Leaves: the names of
//! clusters whose picture has changed. What is to be done about it is not decided here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;

use crate::etcd::{Access, Endpoint, Etcd, Roster};

/// Members that are asked at a time.
const CONCURRENCY: usize = 16;

/// Namespace and name of a cluster.
pub type Key = (String, String);

/// The clusters that are asked; filled by every look at one.
#[derive(Clone, Default)]
pub struct Watchlist(Arc<Mutex<BTreeMap<Key, Watched>>>);

/// How to ask the members of one cluster.
#[derive(Clone, Default, PartialEq)]
pub struct Watched {
    pub access: Access,
    pub members: Vec<Endpoint>,
}

impl Watchlist {
    pub fn set(&self, key: Key, watched: Watched) {
        self.all().insert(key, watched);
    }

    pub fn forget(&self, key: &Key) {
        self.all().remove(key);
    }

    /// How members let the operator in; none before the first look at the cluster.
    pub fn access(&self, key: &Key) -> Option<Access> {
        self.all().get(key).map(|watched| watched.access.clone())
    }

    /// As the last look at the cluster left it; none before the first.
    pub fn watched(&self, key: &Key) -> Option<Watched> {
        self.all().get(key).cloned()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Key, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one member showed: none if it did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Face {
    leader_id: u64,
    is_learner: bool,
    /// Alarms among them.
    errors: Vec<String>,
    /// Whom it takes for members: somebody may add or remove one by hand.
    listed: Option<Roster>,
}

type Picture = BTreeMap<Endpoint, Option<Face>>;

/// The pictures of all clusters as they were seen last.
pub struct Poller {
    etcd: Arc<dyn Etcd>,
    watchlist: Watchlist,
    pictures: BTreeMap<Key, Picture>,
}

impl Poller {
    pub fn new(etcd: Arc<dyn Etcd>, watchlist: Watchlist) -> Self {
        Self {
            etcd,
            watchlist,
            pictures: BTreeMap::new(),
        }
    }

    /// Asks for ever. `changed` says whether the word was taken; if not, it is said again the next time.
    pub async fn poll(mut self, interval: Duration, changed: impl Fn(&Key) -> bool) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.round(interval, &changed).await;
        }
    }

    async fn round(&mut self, patience: Duration, changed: &impl Fn(&Key) -> bool) {
        let asked = self.watchlist.all().clone();
        let mut now: BTreeMap<Key, Picture> = asked.keys().map(|key| (key.clone(), Picture::new())).collect();
        let questions = asked.iter().flat_map(|(key, watched)| {
            let etcd = &self.etcd;
            let question = move |member| ask(etcd, key, &watched.access, member, patience);
            watched.members.iter().map(question)
        });
        let questions: Vec<_> = questions.collect();
        let mut answers = futures::stream::iter(questions).buffer_unordered(CONCURRENCY);
        while let Some((key, member, face)) = answers.next().await {
            now.entry(key).or_default().insert(member, face);
        }
        drop(answers);
        self.compare(now, changed);
    }

    fn compare(&mut self, now: BTreeMap<Key, Picture>, changed: &impl Fn(&Key) -> bool) {
        let before = std::mem::take(&mut self.pictures);
        for (key, picture) in now {
            let same = before.get(&key) == Some(&picture);
            if same || changed(&key) {
                self.pictures.insert(key, picture);
            }
        }
    }
}

async fn ask(
    etcd: &Arc<dyn Etcd>,
    key: &Key,
    access: &Access,
    member: &Endpoint,
    patience: Duration,
) -> (Key, Endpoint, Option<Face>) {
    let face = tokio::time::timeout(patience, face(etcd, access, member)).await;
    (key.clone(), member.clone(), face.ok().flatten())
}

async fn face(etcd: &Arc<dyn Etcd>, access: &Access, member: &Endpoint) -> Option<Face> {
    let facts = etcd.facts(access, member).await.ok()?;
    Some(Face {
        leader_id: facts.leader_id,
        is_learner: facts.is_learner,
        errors: facts.errors,
        listed: etcd.listed(access, member).await.ok(),
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::etcd::MemberFacts;
    use crate::testing::FakeAuth;

    fn member(name: &str) -> Endpoint {
        Endpoint {
            url: format!("http://{name}:2379"),
            server_name: name.into(),
        }
    }

    #[tokio::test]
    async fn a_cluster_is_named_when_its_picture_changes_and_only_then() {
        let etcd = Arc::new(FakeAuth::default());
        let watchlist = Watchlist::default();
        let mut poller = Poller::new(etcd.clone(), watchlist.clone());
        let key = ("ns".to_owned(), "a".to_owned());
        let members = vec![member("a-0"), member("a-1")];
        watchlist.set(
            key.clone(),
            Watched {
                members,
                ..Watched::default()
            },
        );
        let leads = |id| {
            Some(MemberFacts {
                leader_id: id,
                ..MemberFacts::default()
            })
        };
        let alarmed = Some(MemberFacts {
            leader_id: 2,
            errors: vec!["alarm:NOSPACE".into()],
            ..MemberFacts::default()
        });
        let grown = Some(MemberFacts {
            leader_id: 2,
            raft_index: 9,
            db_size_bytes: 9,
            ..MemberFacts::default()
        });
        let table = [
            ("first sight", leads(1), 1),
            ("the same", leads(1), 0),
            ("another leader", leads(2), 1),
            ("it works", grown, 0),
            ("an alarm", alarmed.clone(), 1),
            ("a phantom", alarmed.clone(), 1),
            ("still a phantom", alarmed.clone(), 0),
            ("no answer", None, 1),
            ("still none", None, 0),
        ];
        for (what, facts, times) in table {
            etcd.state().listed = what.contains("a phantom").then(Roster::default);
            etcd.state().facts = facts;
            let named = RefCell::new(Vec::new());
            poller
                .round(Duration::from_secs(1), &|key: &Key| {
                    named.borrow_mut().push(key.clone());
                    true
                })
                .await;
            assert_eq!(named.into_inner(), vec![key.clone(); times], "{what}");
        }
    }

    #[tokio::test]
    async fn a_word_that_was_not_taken_is_said_again() {
        let watchlist = Watchlist::default();
        let mut poller = Poller::new(Arc::new(FakeAuth::default()), watchlist.clone());
        let key = ("ns".to_owned(), "a".to_owned());
        watchlist.set(
            key.clone(),
            Watched {
                members: vec![member("a-0")],
                ..Watched::default()
            },
        );
        let times = RefCell::new(0);
        for taken in [false, true, true] {
            poller
                .round(Duration::from_secs(1), &|_: &Key| {
                    *times.borrow_mut() += 1;
                    taken
                })
                .await;
        }
        assert_eq!(times.into_inner(), 2);
        watchlist.forget(&key);
        poller.round(Duration::from_secs(1), &|_: &Key| true).await;
        assert!(poller.pictures.is_empty());
    }
}
