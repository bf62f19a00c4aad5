//! As much of S3 as is used, and what can go wrong with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures::stream;
use http::{Method, StatusCode};
use http_body_util::BodyExt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Trouble {
    #[default]
    None,
    /// The credentials are refused.
    Denied,
    Expired,
    /// So many requests are answered with 500.
    Storm(usize),
    /// Every part is refused.
    PartFails,
    /// Parts are taken and never answered.
    PartStalls,
    /// An object breaks off after so many bytes.
    CutsAfter(usize),
    /// An object stops coming after so many bytes.
    StallsAfter(usize),
    /// One bit of objects is wrong as they come.
    FlipsOnTheWay,
    /// It keeps zeros instead of what it is given: for measuring.
    Discards,
    /// It says that it took an object, and forgets a byte.
    LosesAByte,
}

#[derive(Default)]
pub struct State {
    pub objects: BTreeMap<String, Vec<u8>>,
    pub parts: BTreeMap<u32, Bytes>,
    pub discarded: usize,
    pub uploads: usize,
    pub aborts: usize,
    pub trouble: Trouble,
    pub conditional: bool,
    pub requests: usize,
}

pub struct FakeS3 {
    pub url: String,
    pub state: Arc<Mutex<State>>,
}

impl FakeS3 {
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            conditional: true,
            ..Default::default()
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = state.clone();
        let router = Router::new().fallback(move |request: Request| answer(request, shared.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    pub fn trouble(&self, trouble: Trouble) {
        self.state.lock().unwrap().trouble = trouble;
    }

    pub fn keys(&self) -> Vec<String> {
        self.state.lock().unwrap().objects.keys().cloned().collect()
    }
}

async fn answer(request: Request, state: Arc<Mutex<State>>) -> Response {
    let (parts, body) = request.into_parts();
    let (path, query) = (
        parts.uri.path().to_owned(),
        parts.uri.query().unwrap_or_default().to_owned(),
    );
    let body = body.collect().await.unwrap().to_bytes();
    if path.trim_start_matches('/').split('/').next() != Some("bucket") {
        return error(404, "NoSuchBucket");
    }
    let key = path.trim_start_matches("/bucket").trim_start_matches('/').to_owned();
    let stalls = state.lock().unwrap().trouble == Trouble::PartStalls && query.contains("partNumber");
    if stalls {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    let mut state = state.lock().unwrap();
    state.requests += 1;
    match state.trouble {
        Trouble::Denied => return error(403, "AccessDenied"),
        Trouble::Expired => return error(400, "ExpiredToken"),
        Trouble::Storm(left) if left > 0 => {
            state.trouble = Trouble::Storm(left - 1);
            return error(500, "InternalError");
        }
        Trouble::PartFails if query.contains("partNumber") => return error(400, "EntityTooSmall"),
        _ => {}
    }
    let create = parts.headers.contains_key("if-none-match");
    state.serve(&parts.method, &key, &query, body, create)
}

impl State {
    fn serve(&mut self, method: &Method, key: &str, query: &str, body: Bytes, create: bool) -> Response {
        match (method.as_str(), query) {
            ("GET", query) if query.contains("list-type=2") => self.list(query),
            ("POST", query) if query.starts_with("uploads") => {
                self.uploads += 1;
                xml("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
            }
            ("PUT", query) if query.contains("partNumber") => {
                if self.trouble == Trouble::Discards {
                    self.discarded += body.len();
                    return tagged(Response::builder());
                }
                let number = number(query);
                self.parts.insert(number, body);
                tagged(Response::builder())
            }
            ("POST", query) if query.contains("uploadId") => {
                let parts = std::mem::take(&mut self.parts).into_values();
                let zeros = vec![0; std::mem::take(&mut self.discarded)];
                match zeros.is_empty() {
                    true => self.store(key, parts.flatten().collect()),
                    false => self.store(key, zeros),
                }
                xml("<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
            }
            ("DELETE", query) if query.contains("uploadId") => {
                self.aborts += 1;
                self.parts.clear();
                empty(204)
            }
            ("DELETE", _) => {
                self.objects.remove(key);
                empty(204)
            }
            ("PUT", _) if create && !self.conditional => error(501, "NotImplemented"),
            ("PUT", _) if create && self.objects.contains_key(key) => error(412, "PreconditionFailed"),
            ("PUT", _) => {
                self.store(key, body.to_vec());
                tagged(Response::builder())
            }
            ("HEAD" | "GET", _) => self.get(key, method == Method::HEAD),
            _ => error(501, "NotImplemented"),
        }
    }

    fn store(&mut self, key: &str, mut bytes: Vec<u8>) {
        if self.trouble == Trouble::LosesAByte {
            bytes.pop();
        }
        self.objects.insert(key.into(), bytes);
    }

    fn list(&self, query: &str) -> Response {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let prefix = pairs
            .into_owned()
            .find(|(name, _)| name == "prefix")
            .map(|(_, prefix)| prefix)
            .unwrap_or_default();
        let found = self.objects.iter().filter(|(key, _)| key.starts_with(&prefix)).map(|(key, bytes)| {
            let size = bytes.len();
            format!("<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>2026-11-20T00:00:00.000Z</LastModified></Contents>")
        });
        xml(&format!(
            "<ListBucketResult>{}</ListBucketResult>",
            found.collect::<String>()
        ))
    }

    fn get(&self, key: &str, head: bool) -> Response {
        let Some(bytes) = self.objects.get(key) else {
            return error(404, "NoSuchKey");
        };
        let answer = Response::builder()
            .header("content-length", bytes.len())
            .header("last-modified", "Fri, 20 Nov 2026 00:00:00 GMT")
            .header("etag", "e");
        if head {
            return answer.body(Body::empty()).unwrap();
        }
        let mut sent = bytes.clone();
        let cut = match self.trouble {
            Trouble::FlipsOnTheWay if sent.len() > 2000 => {
                sent[1000] ^= 1;
                None
            }
            Trouble::CutsAfter(at) | Trouble::StallsAfter(at) if at < sent.len() => Some(at),
            _ => None,
        };
        let stalls = matches!(self.trouble, Trouble::StallsAfter(_));
        match cut {
            None => answer.body(Body::from(sent)).unwrap(),
            Some(at) => answer.body(cut_body(sent[..at].to_vec(), stalls)).unwrap(),
        }
    }
}

fn cut_body(sent: Vec<u8>, stalls: bool) -> Body {
    let first = stream::once(async move { Ok::<_, std::io::Error>(Bytes::from(sent)) });
    let rest = stream::once(async move {
        if stalls {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        Err(std::io::Error::other("cut"))
    });
    Body::from_stream(futures::StreamExt::chain(first, rest))
}

fn number(query: &str) -> u32 {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "partNumber").unwrap().1.parse().unwrap()
}

fn tagged(answer: http::response::Builder) -> Response {
    answer.header("etag", "e").body(Body::empty()).unwrap()
}

fn xml(text: &str) -> Response {
    Response::builder()
        .header("content-type", "application/xml")
        .body(Body::from(text.to_owned()))
        .unwrap()
}

fn empty(status: u16) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

fn error(status: u16, code: &str) -> Response {
    let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>said so</Message></Error>");
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .body(Body::from(text))
        .unwrap()
}
