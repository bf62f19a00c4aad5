//! A member with a made-up snapshot, over real sockets.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures::{StreamExt, stream};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use prost::Message;
use taffrail_proto::etcdserverpb::{
    AlarmMember, AlarmResponse, HashKvRequest, HashKvResponse, RangeRequest, RangeResponse, ResponseHeader,
    SnapshotResponse, StatusResponse,
};
use tonic::Status;

/// Bytes of a message of a snapshot, as etcd sends them.
const PIECE_BYTES: usize = 32 << 10;

/// What goes wrong with a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// It ends well after so many bytes.
    EndsAfter(usize),
    /// It breaks off after so many bytes.
    BreaksAfter(usize),
    /// Nothing comes after so many bytes.
    StallsAfter(usize),
    /// One bit of this byte is wrong.
    Flips(usize),
}

#[derive(Clone)]
pub struct State {
    pub id: u64,
    pub revision: i64,
    /// What a linearizable read tells; the member itself may be behind.
    pub newest: i64,
    pub keys: i64,
    pub hash: u32,
    pub compacted: i64,
    pub snapshot: Bytes,
    pub fault: Fault,
    pub learner: bool,
    pub corrupt: Vec<u64>,
    /// So many snapshots are overtaken by a compaction.
    pub compactions: usize,
    pub calls: Vec<String>,
}

pub struct FakeMember {
    pub url: String,
    pub state: Arc<Mutex<State>>,
}

impl FakeMember {
    pub async fn with(snapshot: Vec<u8>) -> Self {
        let state = Arc::new(Mutex::new(State {
            id: 7,
            revision: 42,
            newest: 42,
            keys: 12,
            hash: 99,
            compacted: -1,
            snapshot: snapshot.into(),
            fault: Fault::None,
            learner: false,
            corrupt: Vec::new(),
            compactions: 0,
            calls: Vec::new(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = state.clone();
        let router = Router::new().fallback(move |request: Request| answer(request, shared.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub fn calls(&self, name: &str) -> usize {
        self.state
            .lock()
            .unwrap()
            .calls
            .iter()
            .filter(|call| *call == name)
            .count()
    }
}

async fn answer(request: Request, state: Arc<Mutex<State>>) -> Response {
    let (parts, body) = request.into_parts();
    let name = parts.uri.path().trim_start_matches("/etcdserverpb.").to_owned();
    let body = body.collect().await.unwrap().to_bytes();
    let mut state = state.lock().unwrap();
    state.calls.push(name.clone());
    let message = body.slice(5..);
    let answer = match name.as_str() {
        "KV/Range" => state
            .range(&RangeRequest::decode(message).unwrap())
            .map(|answer| answer.encode_to_vec()),
        "Maintenance/Status" => Ok(state.status().encode_to_vec()),
        "Maintenance/Alarm" => Ok(state.alarms().encode_to_vec()),
        "Maintenance/HashKV" => state
            .hash_kv(HashKvRequest::decode(message).unwrap().revision)
            .map(|answer| answer.encode_to_vec()),
        "Maintenance/Snapshot" => return state.stream(),
        other => Err(Status::unimplemented(other.to_owned())),
    };
    match answer {
        Ok(message) => grpc(Body::new(StreamBody::new(stream::iter([framed(message), fine()])))),
        Err(status) => status.into_http(),
    }
}

impl State {
    fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader {
            cluster_id: 0xC1,
            member_id: self.id,
            revision: self.revision,
            raft_term: 2,
        })
    }

    fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Status> {
        if !request.serializable && self.learner {
            return Err(Status::unavailable("etcdserver: rpc not supported for learner"));
        }
        if !request.serializable && !self.corrupt.is_empty() {
            return Err(Status::data_loss("etcdserver: corrupt cluster"));
        }
        self.readable(request.revision)?;
        let mut header = self.header();
        if !request.serializable {
            header.as_mut().unwrap().revision = self.newest;
        }
        Ok(RangeResponse {
            header,
            count: self.keys,
            ..Default::default()
        })
    }

    fn readable(&self, revision: i64) -> Result<(), Status> {
        match revision {
            0 => Ok(()),
            revision if revision < self.compacted => Err(Status::out_of_range(
                "etcdserver: mvcc: required revision has been compacted",
            )),
            revision if revision > self.revision => Err(Status::out_of_range(
                "etcdserver: mvcc: required revision is a future revision",
            )),
            _ => Ok(()),
        }
    }

    fn status(&self) -> StatusResponse {
        StatusResponse {
            header: self.header(),
            version: "3.6.14".into(),
            db_size: self.snapshot.len() as i64,
            leader: self.id,
            is_learner: self.learner,
            ..Default::default()
        }
    }

    fn alarms(&self) -> AlarmResponse {
        let alarms = self.corrupt.iter().map(|member_id| AlarmMember {
            member_id: *member_id,
            alarm: 2,
        });
        AlarmResponse {
            header: self.header(),
            alarms: alarms.collect(),
        }
    }

    fn hash_kv(&self, revision: i64) -> Result<HashKvResponse, Status> {
        if self.learner {
            return Err(Status::unavailable("etcdserver: rpc not supported for learner"));
        }
        self.readable(revision)?;
        Ok(HashKvResponse {
            header: self.header(),
            hash: self.hash,
            compact_revision: self.compacted,
            hash_revision: revision,
        })
    }

    fn stream(&mut self) -> Response {
        if self.compactions > 0 {
            self.compactions -= 1;
            self.revision += 10;
            self.newest = self.revision;
            self.compacted = self.revision;
        }
        let mut snapshot = self.snapshot.clone();
        if let Fault::Flips(at) = self.fault {
            let mut flipped = snapshot.to_vec();
            flipped[at] ^= 4;
            snapshot = flipped.into();
        }
        if let Fault::EndsAfter(bytes) | Fault::BreaksAfter(bytes) | Fault::StallsAfter(bytes) = self.fault {
            snapshot.truncate(bytes);
        }
        let end = match self.fault {
            Fault::BreaksAfter(_) => end("14", "etcdserver: server stopped"),
            _ => fine(),
        };
        let delay = match self.fault {
            Fault::StallsAfter(_) => Duration::from_secs(3600),
            _ => Duration::ZERO,
        };
        let count = snapshot.len().div_ceil(PIECE_BYTES);
        let pieces = stream::iter(0..count).map(move |number| {
            let end = snapshot.len().min((number + 1) * PIECE_BYTES);
            let blob = snapshot.slice(number * PIECE_BYTES..end);
            framed(
                SnapshotResponse {
                    blob,
                    ..Default::default()
                }
                .encode_to_vec(),
            )
        });
        let last = stream::once(async move {
            tokio::time::sleep(delay).await;
            end
        });
        grpc(Body::new(StreamBody::new(pieces.chain(last))))
    }
}

type Framed = Result<Frame<Bytes>, Infallible>;

fn framed(message: Vec<u8>) -> Framed {
    let mut data = vec![0];
    data.extend((message.len() as u32).to_be_bytes());
    data.extend(message);
    Ok(Frame::data(data.into()))
}

fn fine() -> Framed {
    end("0", "")
}

fn end(code: &str, message: &str) -> Framed {
    let trailers = [("grpc-status", code), ("grpc-message", message)];
    let trailers = trailers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    Ok(Frame::trailers(HeaderMap::from_iter(trailers)))
}

fn grpc(body: Body) -> Response {
    Response::builder()
        .header("content-type", "application/grpc")
        .body(body)
        .unwrap()
}
