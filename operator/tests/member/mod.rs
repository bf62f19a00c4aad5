//! A member that answers as the test says, over real sockets: gRPC, `/version` and `/readyz` on one port.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, StreamBody};
use prost::Message;
use taffrail_operator::etcd::{Access, Endpoint};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::Status;

use super::pki::Pki;

/// One call as it came in.
pub struct Call {
    /// As `Cluster/MemberList`.
    pub name: String,
    pub message: Bytes,
    pub token: Option<String>,
}

/// What is answered to a call: an encoded message, or why not.
pub type Answers = Arc<dyn Fn(Call) -> Result<Vec<u8>, Status> + Send + Sync>;

pub struct Member {
    pub at: Endpoint,
    /// Names of calls, in their order.
    pub calls: Arc<Mutex<Vec<String>>>,
}

pub fn message<M: Message>(message: M) -> Result<Vec<u8>, Status> {
    Ok(message.encode_to_vec())
}

impl Member {
    pub async fn plain(answers: Answers) -> Self {
        Self::plain_on("127.0.0.1:0", answers).await
    }

    /// Where another was before.
    pub async fn plain_at(at: &Endpoint, answers: Answers) -> Self {
        Self::plain_on(at.url.trim_start_matches("http://"), answers).await
    }

    async fn plain_on(address: &str, answers: Answers) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (router, calls) = router(answers);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            at: Endpoint {
                url,
                server_name: String::new(),
            },
            calls,
        }
    }

    /// Its certificate is for the name `member.test` alone; it is dialled by address.
    pub async fn tls(pki: &Pki, answers: Answers) -> Self {
        Self::tls_speaking(pki, &["h2", "http/1.1"], answers).await
    }

    /// `protocols` are those of ALPN: who offers others only is turned away. None: everybody is served.
    pub async fn tls_speaking(pki: &Pki, protocols: &[&str], answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let (router, calls) = router(answers);
        let mut config = pki.server("member.test");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let listener = Tls {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        };
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            at: Endpoint {
                url,
                server_name: "member.test".into(),
            },
            calls,
        }
    }

    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

pub fn as_user(name: &str, password: &str) -> Access {
    Access {
        tls: None,
        user: Some((name.into(), password.into())),
    }
}

fn router(answers: Answers) -> (Router, Arc<Mutex<Vec<String>>>) {
    let calls = Arc::<Mutex<Vec<String>>>::default();
    let seen = calls.clone();
    let router = Router::new().fallback(move |request: Request| answer(request, answers.clone(), seen.clone()));
    (router, calls)
}

async fn answer(request: Request, answers: Answers, seen: Arc<Mutex<Vec<String>>>) -> Response {
    let (parts, body) = request.into_parts();
    let name = parts.uri.path().trim_start_matches("/etcdserverpb.").to_owned();
    seen.lock().unwrap().push(name.clone());
    let body = body.collect().await.unwrap().to_bytes();
    let token = parts
        .headers
        .get("token")
        .map(|token| token.to_str().unwrap().to_owned());
    let grpc = parts
        .headers
        .get("content-type")
        .is_some_and(|kind| kind == "application/grpc");
    let message = if grpc { body.slice(5..) } else { body };
    match answers(Call { name, message, token }) {
        Ok(message) if grpc => framed(message),
        Ok(text) => Response::new(Body::from(text)),
        Err(status) if grpc => status.into_http(),
        Err(status) => Response::builder()
            .status(503)
            .body(Body::from(status.message().to_owned()))
            .unwrap(),
    }
}

fn framed(message: Vec<u8>) -> Response {
    let mut data = vec![0];
    data.extend((message.len() as u32).to_be_bytes());
    data.extend(message);
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    let frames = [
        http_body::Frame::data(Bytes::from(data)),
        http_body::Frame::trailers(trailers),
    ];
    let body = StreamBody::new(tokio_stream::iter(frames.map(Ok::<_, io::Error>)));
    Response::builder()
        .header("content-type", "application/grpc")
        .body(Body::new(body))
        .unwrap()
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
