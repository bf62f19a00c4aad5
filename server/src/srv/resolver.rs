//! Asks the name servers of this machine for SRV records.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{Answer, BadAnswer, Record, answer, question};

const CONFIGURATION: &str = "/etc/resolv.conf";
const PORT: u16 = 53;
/// As resolv.conf(5) has them.
const PATIENCE: Duration = Duration::from_secs(5);
const ATTEMPTS: usize = 2;
const DATAGRAM_BYTES_MAX: usize = 4096;

#[derive(Debug, Clone, Error)]
#[error("lookup {name} on {server}: {why}")]
pub struct LookupError {
    name: String,
    server: String,
    why: String,
}

/// resolv.conf(5), as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    pub servers: Vec<SocketAddr>,
    /// Domains that a name may be meant in.
    pub search: Vec<String>,
}

impl Resolver {
    pub fn of_this_machine() -> Self {
        // A machine without the file asks itself.
        Self::parse(&std::fs::read_to_string(CONFIGURATION).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let words = |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
        let lines: Vec<Vec<String>> = text.lines().map(words).collect();
        let of = |name: &'static str| {
            lines
                .iter()
                .filter(move |line| line.first().is_some_and(|first| first == name))
        };
        let mut servers: Vec<SocketAddr> = of("nameserver")
            .filter_map(|line| line.get(1)?.parse::<IpAddr>().ok())
            .map(|ip| (ip, PORT).into())
            .collect();
        if servers.is_empty() {
            servers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        let search = of("search").chain(of("domain")).next().map(|line| line[1..].to_vec());
        Resolver {
            servers,
            search: search.unwrap_or_default(),
        }
    }

    /// The records of `name`, the best priority first.
    ///
    /// # Errors
    /// If there are none, or nobody can tell.
    pub async fn look_up(&self, name: &str) -> Result<Vec<Record>, LookupError> {
        let mut first = None;
        let inside = self.search.iter().map(|domain| format!("{name}.{domain}"));
        for full in std::iter::once(name.to_owned()).chain(inside) {
            match self.look_up_one(&full).await {
                Ok(mut records) => {
                    records.sort_by_key(|record| record.priority);
                    return Ok(records);
                }
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.expect("the name itself was looked up"))
    }

    async fn look_up_one(&self, name: &str) -> Result<Vec<Record>, LookupError> {
        let mut last = None;
        let error = |server: &SocketAddr, why: String| LookupError {
            name: name.to_owned(),
            server: server.to_string(),
            why,
        };
        for server in self.servers.iter().cycle().take(ATTEMPTS * self.servers.len()) {
            match ask(*server, name).await {
                Ok(Answer::Records(records)) if !records.is_empty() => return Ok(records),
                Ok(_) => return Err(error(server, "no such host".to_owned())),
                Err(why) => last = Some(error(server, why)),
            }
        }
        Err(last.expect("there is a server"))
    }
}

async fn ask(server: SocketAddr, name: &str) -> Result<Answer, String> {
    let id = RandomState::new().build_hasher().finish() as u16;
    let question = question(id, name).ok_or("no such host")?;
    match within(by_datagram(server, id, &question)).await? {
        Answer::Truncated => within(by_stream(server, id, &question)).await,
        answer => Ok(answer),
    }
}

async fn within(asking: impl Future<Output = std::io::Result<Result<Answer, BadAnswer>>>) -> Result<Answer, String> {
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(answer)) => answer.map_err(|error| error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("i/o timeout".to_owned()),
    }
}

async fn by_datagram(server: SocketAddr, id: u16, question: &[u8]) -> std::io::Result<Result<Answer, BadAnswer>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut heard = [0; DATAGRAM_BYTES_MAX];
    loop {
        let length = socket.recv(&mut heard).await?;
        if let Some(answer) = answer(id, &heard[..length]) {
            return Ok(answer);
        }
    }
}

async fn by_stream(server: SocketAddr, id: u16, question: &[u8]) -> std::io::Result<Result<Answer, BadAnswer>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = question.len() as u16;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let length = stream.read_u16().await?;
    let mut heard = vec![0; usize::from(length)];
    stream.read_exact(&mut heard).await?;
    Ok(answer(id, &heard).unwrap_or(Err(BadAnswer::Garbled)))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::message::tests::respond;
    use super::*;

    #[test]
    fn servers_and_domains_are_read() {
        let read = Resolver::parse("# local\nnameserver 10.0.0.1\nnameserver ::1\nsearch a.b c\noptions ndots:5\n");
        let servers = ["10.0.0.1:53", "[::1]:53"].map(|server| server.parse().expect("an address"));
        assert_eq!(
            (read.servers, read.search),
            (servers.to_vec(), vec!["a.b".to_owned(), "c".to_owned()])
        );
        assert_eq!(
            Resolver::parse("").servers,
            ["127.0.0.1:53".parse().expect("an address")]
        );
    }

    #[tokio::test]
    async fn what_does_not_fit_a_datagram_is_asked_for_by_tcp() {
        let stream = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = stream.local_addr().expect("bound");
        let datagrams = UdpSocket::bind(server).await.expect("the same port");
        let answering = tokio::spawn(async move {
            let mut heard = [0; 512];
            let (length, from) = datagrams.recv_from(&mut heard).await.expect("a question");
            let mut cut = respond(&heard[..length], &[], "a");
            cut[2] |= 2;
            datagrams.send_to(&cut, from).await.expect("sent");
            let (mut stream, _) = stream.accept().await.expect("asked again");
            let length = stream.read_u16().await.expect("a length");
            let mut question = vec![0; usize::from(length)];
            stream.read_exact(&mut question).await.expect("the question");
            let whole = respond(&question, &[2380], "m1.example.com");
            let head = (whole.len() as u16).to_be_bytes();
            stream
                .write_all(&[&head, whole.as_slice()].concat())
                .await
                .expect("sent");
        });
        let resolver = Resolver {
            servers: vec![server],
            search: Vec::new(),
        };
        let found = resolver
            .look_up("_etcd-server._tcp.example.com")
            .await
            .expect("records");
        assert_eq!((found[0].port, found[0].target.as_str()), (2380, "m1.example.com"));
        answering.await.expect("answered");
    }
}
