//! Thousands of watchers, a tenth of them with clients that do not read: the others keep up, memory stays bounded, and
//! who reads on gets everything.

use std::time::Duration;

use taffrail_e2e::Member;
use taffrail_proto::etcdserverpb::watch_client::WatchClient;
use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use taffrail_proto::etcdserverpb::{PutRequest, WatchCreateRequest, WatchRequest, WatchResponse};
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

/// Events of the key that everybody in this test who stalls is watching; more than any buffer on the way holds.
const HOT_EVENTS: usize = 1_500;
const HOT_VALUE_BYTES: usize = 1_000;
/// Live watchers that share a stream.
const WATCHERS_PER_STREAM: usize = 50;
/// Stalled clients that share a connection: what they leave unread must fit into its window of 5 MiB together.
const STALLED_PER_CONNECTION: usize = 50;
/// What a stalled client may cost the member, its share of the connection included.
const BYTES_PER_STALLED_MAX: u64 = 512 << 10;

/// One stream; its request side is kept open.
struct Stream {
    answers: Streaming<WatchResponse>,
    _requests: mpsc::Sender<WatchRequest>,
}

impl Stream {
    async fn open(channel: Channel, keys: Vec<String>) -> Self {
        let (requests, inbound) = mpsc::channel::<WatchRequest>(keys.len().max(1));
        for key in &keys {
            let create = WatchCreateRequest {
                key: key.clone().into(),
                ..Default::default()
            };
            let request = WatchRequest {
                request_union: Some(RequestUnion::CreateRequest(create)),
            };
            requests.send(request).await.unwrap();
        }
        let inbound = futures::stream::unfold(inbound, |mut inbound| async {
            let request = inbound.recv().await?;
            Some((request, inbound))
        });
        let answers = WatchClient::new(channel).watch(inbound).await.unwrap().into_inner();
        let mut stream = Stream {
            answers,
            _requests: requests,
        };
        for _ in &keys {
            assert!(stream.next().await.created);
        }
        stream
    }

    async fn next(&mut self) -> WatchResponse {
        let next = tokio::time::timeout(Duration::from_secs(120), self.answers.message());
        next.await
            .expect("an answer in time")
            .unwrap()
            .expect("the stream is open")
    }

    /// Mod revisions of the next `count` events.
    async fn revisions(&mut self, count: usize) -> Vec<i64> {
        let mut heard = Vec::with_capacity(count);
        while heard.len() < count {
            let events = self.next().await.events;
            heard.extend(events.iter().map(|event| event.kv.as_ref().unwrap().mod_revision));
        }
        heard
    }
}

async fn connect(member: &Member) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", member.address())).unwrap();
    // A client that does not read shuts its window early.
    endpoint.initial_stream_window_size(65_535).connect().await.unwrap()
}

fn resident_bytes(member: &Member) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", member.pid().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn watchers() -> usize {
    std::env::var("TAFFRAIL_WATCHERS").map_or(1_000, |text| text.parse().unwrap())
}

async fn stall(member: &Member, count: usize) -> Vec<Stream> {
    let mut stalled = Vec::with_capacity(count);
    let mut channel = connect(member).await;
    for i in 0..count {
        if i % STALLED_PER_CONNECTION == 0 {
            channel = connect(member).await;
        }
        stalled.push(Stream::open(channel.clone(), vec!["hot".to_owned()]).await);
    }
    stalled
}

async fn listen(member: &Member, count: usize) -> Vec<Stream> {
    let channel = connect(member).await;
    let mut live = Vec::new();
    for first in (0..count).step_by(WATCHERS_PER_STREAM) {
        let keys = (first..count.min(first + WATCHERS_PER_STREAM))
            .map(|i| format!("cold/{i}"))
            .collect();
        live.push(Stream::open(channel.clone(), keys).await);
    }
    live
}

async fn put(member: &Member, key: &str) -> i64 {
    let request = PutRequest {
        key: key.to_owned().into(),
        value: vec![b'x'; HOT_VALUE_BYTES].into(),
        ..Default::default()
    };
    member.put(request).await.header.unwrap().revision
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_clients_cost_little_and_lose_nothing_while_others_keep_up() {
    let member = Member::fresh().await;
    let (stalled_count, live_count) = (watchers() / 10, watchers() * 9 / 10);
    let mut stalled = stall(&member, stalled_count).await;
    let mut live = listen(&member, live_count).await;
    let mut follower = Stream::open(connect(&member).await, vec!["hot".to_owned()]).await;
    let before = resident_bytes(&member);

    let mut hot = Vec::new();
    for _ in 0..HOT_EVENTS {
        hot.push(put(&member, "hot").await);
        // Keeping up: the event is there before the next put.
        assert_eq!(follower.revisions(1).await, hot[hot.len() - 1..]);
    }
    for (at, stream) in live.iter_mut().enumerate() {
        let revision = put(&member, &format!("cold/{}", at * WATCHERS_PER_STREAM)).await;
        assert_eq!(stream.revisions(1).await, [revision]);
    }
    let grown = resident_bytes(&member).saturating_sub(before);
    println!(
        "{stalled_count} stalled of {}: {} KiB more in memory",
        watchers(),
        grown >> 10
    );
    let bound = (128 << 20) + stalled_count as u64 * BYTES_PER_STALLED_MAX;
    assert!(grown < bound, "{grown} bytes more, allowed are {bound}");

    for stream in &mut stalled {
        assert_eq!(stream.revisions(HOT_EVENTS).await, hot);
    }
    let last = put(&member, "hot").await;
    for stream in &mut stalled {
        assert_eq!(stream.revisions(1).await, [last], "live again");
    }
}
