//! Just enough HTTP/1.1 to look at a page.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::wait;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// As sent, lower case.
    pub headers: String,
    pub body: String,
}

pub async fn get(address: &str, path: &str) -> Answer {
    request(address, "GET", path, "").await
}

pub async fn post(address: &str, path: &str, body: &str) -> Answer {
    request(address, "POST", path, body).await
}

/// The body of a page that is no text.
pub async fn get_bytes(address: &str, path: &str) -> Vec<u8> {
    let stream = TcpStream::connect(address).await.expect("the member listens");
    let headers = format!("Host: {address}\r\n");
    let answer = exchange(stream, "GET", path, &headers, "").await;
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("an answer has a head");
    answer[end + 4..].to_vec()
}

pub async fn request(address: &str, method: &str, path: &str, body: &str) -> Answer {
    request_with(address, method, path, &format!("Host: {address}\r\n"), body).await
}

/// With `headers` of the caller's, each with its line end.
pub async fn request_with(address: &str, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let stream = TcpStream::connect(address).await.expect("the member listens");
    parsed(exchange(stream, method, path, headers, body).await)
}

/// A page over whatever stream leads to it.
pub async fn get_over(stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> Answer {
    parsed(exchange(stream, "GET", path, "Host: member\r\n", "").await)
}

/// JSON over whatever stream leads to it.
pub async fn post_over(stream: impl AsyncRead + AsyncWrite + Unpin, path: &str, body: &str) -> Answer {
    parsed(exchange(stream, "POST", path, "Host: member\r\n", body).await)
}

fn parsed(answer: Vec<u8>) -> Answer {
    parse(&String::from_utf8_lossy(&answer))
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Vec<u8> {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n");
    let answer = wait::for_it(path, async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    });
    answer.await.expect("the member answers")
}

/// A request whose body goes on while its answer comes in, both in chunks.
pub struct Exchange {
    requests: OwnedWriteHalf,
    answers: BufReader<OwnedReadHalf>,
    /// Of the answer, read as far as its first empty line.
    head: Option<String>,
}

impl Exchange {
    pub async fn post(address: &str, path: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the member listens");
        let (answers, mut requests) = stream.into_split();
        let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n");
        requests.write_all(head.as_bytes()).await.expect("the member reads");
        Exchange {
            requests,
            answers: BufReader::new(answers),
            head: None,
        }
    }

    /// One more chunk of the body; an empty one ends it.
    pub async fn say(&mut self, text: &str) {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        self.requests
            .write_all(chunk.as_bytes())
            .await
            .expect("the member reads");
    }

    /// What comes next: a chunk of the answer, empty at its end.
    pub async fn hear(&mut self) -> String {
        wait::for_it("a chunk of the answer", self.chunk())
            .await
            .expect("the member goes on")
    }

    /// The head of the answer, once something was heard.
    pub fn head(&self) -> &str {
        self.head.as_deref().expect("an answer was heard")
    }

    async fn chunk(&mut self) -> std::io::Result<String> {
        if self.head.is_none() {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                self.answers.read_line(&mut head).await?;
            }
            self.head = Some(head);
        }
        if let Some(length) = whole_length(self.head()) {
            return self.whole(length).await;
        }
        let mut length = String::new();
        self.answers.read_line(&mut length).await?;
        let length = usize::from_str_radix(length.trim(), 16).expect("a chunk has a length");
        let mut chunk = vec![0; length + 2];
        self.answers.read_exact(&mut chunk).await?;
        chunk.truncate(length);
        Ok(String::from_utf8_lossy(&chunk).into_owned())
    }
}

impl Exchange {
    /// An answer that is not in chunks.
    async fn whole(&mut self, length: usize) -> std::io::Result<String> {
        let mut body = vec![0; length];
        self.answers.read_exact(&mut body).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

fn whole_length(head: &str) -> Option<usize> {
    let head = head.to_lowercase();
    let (_, rest) = head.split_once("content-length: ")?;
    rest.lines().next()?.parse().ok()
}

fn parse(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("an answer has a status");
    let headers = head.to_lowercase();
    let body = if headers.contains("transfer-encoding: chunked") {
        unchunk(body)
    } else {
        body.to_owned()
    };
    Answer { status, headers, body }
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length.trim(), 16).unwrap_or(0);
        let Some(chunk) = after.get(..length).filter(|_| length > 0) else {
            break;
        };
        body.push_str(chunk);
        rest = after.get(length + 2..).unwrap_or("");
    }
    body
}
