//! Several nodes in one process, talking over loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use openraft::async_runtime::WatchReceiver;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use super::fake::{FakeState, config, start_on};
use crate::log::memory_disk::{Fate, MemoryDisk, Step};
use crate::{Answerer, AskError, ChangeError, MemberChange, Node, NodeConfig, Peer, discover, first_membership};

fn request(number: u64) -> Bytes {
    Bytes::from(format!("request {number}"))
}

/// What survives a restart of a node.
#[derive(Clone)]
struct Home {
    id: u64,
    port: u16,
    disk: MemoryDisk,
    state: FakeState,
    config: NodeConfig,
}

struct Living {
    home: Home,
    node: Node,
    /// Everything a node does happens in a runtime of its own, which can be ended like a process.
    runtime: Runtime,
}

impl Home {
    async fn new(id: u64) -> (Home, TcpListener) {
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = door.local_addr().unwrap().port();
        let config = NodeConfig {
            member_id: id,
            incarnation: id * 100,
            founders: None,
            ..config()
        };
        let home = Home {
            id,
            port,
            disk: MemoryDisk::default(),
            state: FakeState::default(),
            config,
        };
        (home, door)
    }

    fn peer(&self, learner: bool) -> Peer {
        Peer {
            peer_urls: vec![format!("http://127.0.0.1:{}", self.port)],
            learner,
        }
    }

    async fn wake(self, door: TcpListener) -> Living {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let home = self.clone();
        let door = door.into_std().unwrap();
        let woken = runtime.spawn(async move {
            let node = start_on(Arc::new(home.disk.clone()), home.config.clone(), &home.state)
                .await
                .unwrap();
            let service = Server::builder().add_service(node.peer_service());
            let door = TcpListenerStream::new(TcpListener::from_std(door).unwrap());
            tokio::spawn(service.serve_with_incoming(door));
            node
        });
        let node = woken.await.unwrap();
        Living {
            home: self,
            node,
            runtime,
        }
    }
}

impl Living {
    async fn kill(self) -> Home {
        self.node.shutdown().await;
        let runtime = self.runtime;
        let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(5)));
        ended.await.unwrap();
        self.home
    }
}

async fn founded(count: u64) -> Vec<Living> {
    let mut homes = Vec::new();
    for id in 1..=count {
        homes.push(Home::new(id).await);
    }
    let founders: BTreeMap<u64, Peer> = homes.iter().map(|(home, _)| (home.id, home.peer(false))).collect();
    let mut living = Vec::new();
    for (mut home, door) in homes {
        home.config.founders = Some(founders.clone());
        living.push(home.wake(door).await);
    }
    living
}

async fn leader(nodes: &[Living]) -> usize {
    let found = async {
        loop {
            for (at, living) in nodes.iter().enumerate() {
                let now = *living.node.leadership().borrow();
                if now.leader == Some(living.home.id) {
                    return at;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .expect("a leader")
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited)
        .await
        .unwrap_or_else(|_| panic!("it should come true: {what}"));
}

async fn close(nodes: Vec<Living>) {
    for living in nodes {
        living.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_member_takes_proposals_and_reads_what_was_acknowledged() {
    let nodes = founded(3).await;
    leader(&nodes).await;
    for number in 0..30 {
        let at = (number % 3) as usize;
        nodes[at].node.propose(number, request(number)).await.unwrap().unwrap();
        let elsewhere = &nodes[(at + 1) % 3];
        elsewhere.node.read_barrier().await.unwrap();
        assert_eq!(elsewhere.home.state.requests().len() as u64, number + 1);
    }
    let expected: Vec<Bytes> = (0..30).map(request).collect();
    for living in &nodes {
        living.node.read_barrier().await.unwrap();
        assert_eq!(living.home.state.requests(), expected);
    }
    close(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_forwarded_proposals_are_applied_once_each() {
    let nodes = founded(3).await;
    let follower = (leader(&nodes).await + 1) % 3;
    let tasks: Vec<_> = (0..1000)
        .map(|number| {
            let node = nodes[follower].node.clone();
            tokio::spawn(async move { node.propose(number, request(number)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap().unwrap();
    }
    let mut applied = nodes[follower].home.state.requests();
    applied.sort();
    applied.dedup();
    assert_eq!(applied.len(), 1000);
    assert_eq!(nodes[follower].home.state.requests().len(), 1000);
    close(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_others_go_on_without_a_dead_leader_and_it_comes_back() {
    let mut nodes = founded(3).await;
    let dead = leader(&nodes).await;
    nodes[dead].node.propose(0, request(0)).await.unwrap().unwrap();
    let home = nodes.remove(dead).kill().await;
    // Whoever asks meanwhile waits for the next leader.
    nodes[0].node.propose(1, request(1)).await.unwrap().unwrap();
    nodes[1].node.propose(2, request(2)).await.unwrap().unwrap();

    let door = TcpListener::bind(("127.0.0.1", home.port)).await.unwrap();
    let back = home.wake(door).await;
    back.node.read_barrier().await.unwrap();
    assert_eq!(back.home.state.requests(), [request(0), request(1), request(2)]);
    nodes.push(back);
    close(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_moves_when_it_is_asked_to() {
    let nodes = founded(3).await;
    let from = leader(&nodes).await;
    let term = nodes[from].node.progress().term;
    let to = (from + 1) % 3;
    nodes[from].node.transfer_leadership(nodes[to].home.id).await.unwrap();
    assert_eq!(leader(&nodes).await, to);
    assert_eq!(nodes[to].node.progress().term, term + 1);
    nodes[from].node.propose(1, request(1)).await.unwrap().unwrap();
    nodes[to].node.step_aside().await;
    assert_ne!(leader(&nodes).await, to);
    close(nodes).await;
}

/// A leader that is about to hand over refuses, and its refusals may arrive when the next leader has appended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_appended_twice_while_leadership_moves() {
    const CLIENTS: u64 = 24;
    let nodes = founded(3).await;
    leader(&nodes).await;
    let moving = Arc::new(AtomicBool::new(true));
    let propose = |client: u64| {
        let (node, moving) = (nodes[client as usize % 3].node.clone(), moving.clone());
        tokio::spawn(async move {
            for number in (client..).step_by(CLIENTS as usize) {
                // Whether it was carried out may remain unknown.
                let _ = node.propose(number, request(number)).await;
                if !moving.load(Ordering::Relaxed) {
                    return;
                }
            }
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(propose).collect();
    for _ in 0..20 {
        let from = leader(&nodes).await;
        let done = nodes[from].home.state.requests().len();
        until("clients get on", || nodes[from].home.state.requests().len() > done + 60).await;
        let to = nodes[(from + 1) % 3].home.id;
        // It may lose leadership meanwhile.
        let _ = nodes[from].node.transfer_leadership(to).await;
    }
    moving.store(false, Ordering::Relaxed);
    futures::future::join_all(clients).await;
    nodes[0].node.read_barrier().await.unwrap();
    let applied = nodes[0].home.state.requests();
    let once: BTreeSet<_> = applied.iter().collect();
    assert_eq!(applied.len(), once.len());
    close(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_grows_and_shrinks() {
    let mut nodes = founded(1).await;
    leader(&nodes).await;
    nodes[0].node.propose(0, request(0)).await.unwrap().unwrap();

    // A member that is not there yet costs no quorum.
    let (home, door) = Home::new(2).await;
    let add = |peer| MemberChange::Add { id: 2, peer };
    nodes[0].node.change_members(add(home.peer(false))).await.unwrap();
    assert!(matches!(
        nodes[0].node.change_members(add(home.peer(false))).await,
        Err(ChangeError::Refused(_))
    ));
    nodes[0].node.propose(1, request(1)).await.unwrap().unwrap();
    nodes.push(home.wake(door).await);
    until("two voters", || nodes[0].node.voters().len() == 2).await;

    let (home, door) = Home::new(3).await;
    let add = MemberChange::Add {
        id: 3,
        peer: home.peer(true),
    };
    let lead = leader(&nodes).await;
    nodes[lead].node.change_members(add).await.unwrap();
    nodes.push(home.wake(door).await);
    nodes[2].node.propose(2, request(2)).await.unwrap().unwrap();
    assert!(nodes[2].node.members()[&3].learner);
    nodes[lead]
        .node
        .change_members(MemberChange::Promote { id: 3 })
        .await
        .unwrap();
    assert_eq!(nodes[lead].node.voters().len(), 3);

    // The leader removes itself; the others go on and it learns of it.
    let own = nodes[lead].home.id;
    nodes[lead]
        .node
        .change_members(MemberChange::Remove { id: own })
        .await
        .unwrap();
    let removed = nodes.remove(lead);
    tokio::time::timeout(Duration::from_secs(10), removed.node.removed())
        .await
        .unwrap();
    removed.kill().await;
    nodes[0].node.propose(3, request(3)).await.unwrap().unwrap();
    assert!(nodes[0].node.was_removed(own));
    close(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_member_that_was_away_learns_of_it() {
    let mut nodes = founded(3).await;
    let lead = leader(&nodes).await;
    let away = nodes.remove((lead + 1) % 3).kill().await;
    let lead = leader(&nodes).await;
    nodes[lead]
        .node
        .change_members(MemberChange::Remove { id: away.id })
        .await
        .unwrap();
    let door = TcpListener::bind(("127.0.0.1", away.port)).await.unwrap();
    let back = away.wake(door).await;
    tokio::time::timeout(Duration::from_secs(10), back.node.removed())
        .await
        .unwrap();
    back.kill().await;
    close(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_too_far_behind_gets_the_whole_state() {
    let mut nodes = founded(3).await;
    for living in &mut nodes {
        living.home.config.snapshot_count_entries = 20;
        living.home.config.snapshot_catchup_entries = 5;
    }
    let homes = {
        let mut homes = Vec::new();
        for living in nodes {
            homes.push(living.kill().await);
        }
        homes
    };
    let mut nodes = Vec::new();
    for home in homes {
        let door = TcpListener::bind(("127.0.0.1", home.port)).await.unwrap();
        nodes.push(home.wake(door).await);
    }
    let lead = leader(&nodes).await;
    let away = nodes.remove((lead + 1) % 3).kill().await;
    for number in 0..200 {
        nodes[0].node.propose(number, request(number)).await.unwrap().unwrap();
    }
    let short = |living: &Living| {
        living
            .node
            .inner
            .raft
            .metrics()
            .borrow_watched()
            .purged
            .is_some_and(|id| id.index() > 100)
    };
    until("the logs to be short", || nodes.iter().all(short)).await;
    let door = TcpListener::bind(("127.0.0.1", away.port)).await.unwrap();
    let back = away.wake(door).await;
    back.node.read_barrier().await.unwrap();
    assert_eq!(back.home.state.requests().len(), 200);
    assert!(back.home.state.0.lock().unwrap().installed.is_some());
    back.node.propose(200, request(200)).await.unwrap().unwrap();

    // And it starts again from there.
    let home = back.kill().await;
    let door = TcpListener::bind(("127.0.0.1", home.port)).await.unwrap();
    let back = home.wake(door).await;
    back.node.read_barrier().await.unwrap();
    assert_eq!(back.home.state.requests().len(), 201);
    nodes.push(back);
    close(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_lost_its_data_is_not_listened_to() {
    let mut nodes = founded(3).await;
    let lead = leader(&nodes).await;
    let victim = nodes.remove((lead + 1) % 3).kill().await;
    for living in &nodes {
        living.home.state.0.lock().unwrap().incarnations = [(victim.id, victim.config.incarnation)].into();
    }
    let door = TcpListener::bind(("127.0.0.1", victim.port)).await.unwrap();
    let (mut empty, _) = Home::new(victim.id).await;
    (empty.port, empty.config.founders) = (victim.port, victim.config.founders.clone());
    empty.config.incarnation += 1;
    let empty = empty.wake(door).await;
    let cause = tokio::time::timeout(Duration::from_secs(10), empty.node.failed())
        .await
        .unwrap();
    assert!(cause.contains("the data directory was lost"), "{cause}");
    empty.kill().await;
    nodes[0].node.propose(1, request(1)).await.unwrap().unwrap();
    close(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_another_cluster_is_refused() {
    let nodes = founded(1).await;
    leader(&nodes).await;
    let (mut stranger, door) = Home::new(2).await;
    stranger.config.cluster_id += 1;
    let founders = [(1, nodes[0].home.peer(false)), (2, stranger.peer(false))];
    stranger.config.founders = Some(founders.into());
    let stranger = stranger.wake(door).await;
    let asked = stranger.node.ask(1, Bytes::new(), Duration::from_secs(5)).await;
    assert!(matches!(asked, Err(AskError::Unreachable(1))), "{asked:?}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stranger.node.leadership().borrow().leader, None);
    close(nodes).await;
    stranger.kill().await;
}

struct Echo;

impl Answerer for Echo {
    fn answer(&self, from: u64, question: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        Box::pin(async move {
            match question.is_empty() {
                true => Err(format!("{from} asks nothing")),
                false => Ok(question),
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_ask_each_other_and_describe_their_cluster() {
    let nodes = founded(3).await;
    leader(&nodes).await;
    nodes[1].node.answer_with(Arc::new(Echo));
    let ask = |question: &'static [u8]| {
        let node = nodes[0].node.clone();
        async move { node.ask(2, Bytes::from_static(question), Duration::from_secs(5)).await }
    };
    assert_eq!(ask(b"hello").await.unwrap(), "hello");
    assert!(matches!(ask(b"").await, Err(AskError::Refused(why)) if why == "1 asks nothing"));
    let facts = discover(Arc::new(crate::PlainDialer), &nodes[2].home.peer(false).peer_urls[0])
        .await
        .unwrap();
    assert_eq!((facts.cluster_id, facts.members.len()), (1, 3));
    close(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survivor_starts_a_cluster_of_its_own() {
    let mut nodes = founded(3).await;
    leader(&nodes).await;
    nodes[0].node.propose(0, request(0)).await.unwrap().unwrap();
    nodes[1].node.read_barrier().await.unwrap();
    let mut survivor = nodes.remove(1).kill().await;
    close(nodes).await;
    survivor.config.alone = Some(survivor.peer(false));
    let door = TcpListener::bind(("127.0.0.1", survivor.port)).await.unwrap();
    let alone = survivor.wake(door).await;
    alone.node.propose(1, request(1)).await.unwrap().unwrap();
    assert_eq!(alone.home.state.requests(), [request(0), request(1)]);
    assert_eq!(alone.node.members().len(), 1);
    assert!(alone.node.was_removed(1) && alone.node.was_removed(3));
    alone.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_applies_what_is_not_in_its_own_log_yet() {
    let nodes = founded(3).await;
    let lead = leader(&nodes).await;
    let slow = &nodes[(lead + 1) % 3];
    slow.node.read_barrier().await.unwrap();
    let held = Arc::new(AtomicBool::new(true));
    let holding = held.clone();
    slow.home.disk.judged(move |step| {
        while step == Step::Sync && holding.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Fate::Works
    });
    // The other two are a quorum.
    for number in 0..20 {
        nodes[lead]
            .node
            .propose(number, request(number))
            .await
            .unwrap()
            .unwrap();
    }
    let other = &nodes[(lead + 2) % 3];
    other.node.read_barrier().await.unwrap();
    assert_eq!(other.home.state.requests().len(), 20);
    assert_eq!(slow.home.state.requests().len(), 0);
    held.store(false, Ordering::Release);
    slow.node.read_barrier().await.unwrap();
    assert_eq!(slow.home.state.requests().len(), 20);
    close(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_a_restored_cluster_gets_what_no_log_holds() {
    let (mut home, door) = Home::new(1).await;
    let founders: BTreeMap<u64, Peer> = [(1, home.peer(false))].into();
    let (position, membership) = first_membership(&founders).unwrap();
    {
        let mut restored = home.state.0.lock().unwrap();
        restored.position = position;
        restored.membership = Some((position, membership));
        restored.installed = Some(position);
        restored.requests = vec![request(0)];
    }
    home.config.founders = Some(founders);
    let mut nodes = vec![home.wake(door).await];
    leader(&nodes).await;
    nodes[0].node.propose(1, request(1)).await.unwrap().unwrap();

    let (home, door) = Home::new(2).await;
    let peer = home.peer(false);
    nodes[0]
        .node
        .change_members(MemberChange::Add { id: 2, peer })
        .await
        .unwrap();
    nodes.push(home.wake(door).await);
    nodes[1].node.read_barrier().await.unwrap();
    assert_eq!(nodes[1].home.state.requests(), [request(0), request(1)]);
    close(nodes).await;
}
