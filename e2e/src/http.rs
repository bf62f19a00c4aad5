//! Just enough HTTP/1.1 to look at a page.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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
    let answer = exchange(address, "GET", path, "").await;
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("an answer has a head");
    answer[end + 4..].to_vec()
}

pub async fn request(address: &str, method: &str, path: &str, body: &str) -> Answer {
    parse(&String::from_utf8_lossy(&exchange(address, method, path, body).await))
}

async fn exchange(address: &str, method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let answer = wait::for_it(path, async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    });
    answer.await.expect("the member answers")
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
