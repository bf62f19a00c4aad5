//! What members answer to plain HTTP: `/version`, `/readyz`, and whether they let a certificate in.

use std::io::{Error, ErrorKind};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{ClientTls, Endpoint, EtcdError, refusal};

/// More than any answer that is asked for here.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Names of ALPN.
const HTTP_1: &[u8] = b"http/1.1";
const HTTP_2: &[u8] = b"h2";
/// The preface and an empty SETTINGS frame (RFC 9113, 3.4 and 6.5).
const HTTP_2_GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const HTTP_2_FRAME_HEADER_BYTES: usize = 9;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub body: String,
}

/// GET of `path` there. HTTP/1.0, so that the answer is whole when the connection ends. The caller limits the time.
pub(super) async fn get(tls: Option<&ClientTls>, at: &Endpoint, path: &str) -> Result<Answer, EtcdError> {
    let (secure, address) = address_of(&at.url)?;
    let stream = TcpStream::connect(address).await.map_err(failure)?;
    match (secure, tls) {
        (false, _) => exchange(stream, address, path).await.map_err(failure),
        (true, Some(tls)) => {
            let stream = handshake(tls, at, stream, &[HTTP_1]).await?;
            exchange(stream, &at.server_name, path).await.map_err(failure)
        }
        (true, None) => Err(EtcdError::Tls("there is no certificate to ask with".into())),
    }
}

/// Whether a certificate is let in there, whatever is spoken behind it: members of one kind speak HTTP/2 alone to each
/// other, those of the other not at all. A server of TLS 1.3 refuses only after the handshake, so something has to be
/// heard of it.
pub(super) async fn let_in(tls: &ClientTls, at: &Endpoint) -> Result<(), EtcdError> {
    let (_, address) = address_of(&at.url)?;
    let stream = TcpStream::connect(address).await.map_err(failure)?;
    let mut stream = handshake(tls, at, stream, &[HTTP_2, HTTP_1]).await?;
    if stream.get_ref().1.alpn_protocol() != Some(HTTP_2) {
        return exchange(stream, &at.server_name, "/version")
            .await
            .map(drop)
            .map_err(failure);
    }
    let mut frame = [0; HTTP_2_FRAME_HEADER_BYTES];
    let written = stream.write_all(HTTP_2_GREETING).await;
    let heard = stream.read_exact(&mut frame).await;
    heard.map(drop).map_err(|error| failure(written.err().unwrap_or(error)))
}

async fn handshake(
    tls: &ClientTls,
    at: &Endpoint,
    stream: TcpStream,
    protocols: &[&[u8]],
) -> Result<TlsStream<TcpStream>, EtcdError> {
    let name = ServerName::try_from(at.server_name.clone()).map_err(|error| EtcdError::Tls(error.to_string()))?;
    let mut config = config(tls)?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map_err(failure)
}

/// `https://10.0.0.7:2379/` is (true, `10.0.0.7:2379`).
fn address_of(url: &str) -> Result<(bool, &str), EtcdError> {
    let secure = url.starts_with("https://");
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let address = rest
        .and_then(|rest| rest.split('/').next())
        .filter(|address| !address.is_empty());
    Ok((
        secure,
        address.ok_or_else(|| EtcdError::Unreachable(format!("{url} is no URL")))?,
    ))
}

fn config(tls: &ClientTls) -> Result<ClientConfig, EtcdError> {
    let wrong = |error: &dyn std::fmt::Display| EtcdError::Tls(error.to_string());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&tls.authorities)?);
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes()).map_err(|error| wrong(&error))?;
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&tls.certificate)?, key)
        .map_err(|error| wrong(&error))
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, EtcdError> {
    let all: Result<_, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.map_err(|error| EtcdError::Tls(error.to_string()))
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str, path: &str) -> Result<Answer, Error> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let written = stream.write_all(request.as_bytes()).await;
    let mut bytes = Vec::new();
    // A server that refuses a certificate of TLS 1.3 says so only here; that is worth more than a failed write.
    match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).await {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof || bytes.is_empty() => return Err(error),
        _ => {}
    }
    parse(&bytes).ok_or_else(|| written.err().unwrap_or_else(|| ErrorKind::UnexpectedEof.into()))
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    Some(Answer {
        status,
        body: body.trim().to_owned(),
    })
}

fn failure(error: Error) -> EtcdError {
    refusal::connecting(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_what_is_none_is_not() {
        let ready = Answer {
            status: 503,
            body: "[-]serializable_read failed".into(),
        };
        assert_eq!(
            parse(b"HTTP/1.0 503 No\r\nA: b\r\n\r\n[-]serializable_read failed\n"),
            Some(ready)
        );
        for wrong in ["", "HTTP/1.1 200 OK", "HTTP/1.1\r\n\r\n", "SSH-2.0\r\n\r\n"] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_are_taken_from_urls() {
        assert_eq!(address_of("https://[fd00::1]:2379/"), Ok((true, "[fd00::1]:2379")));
        assert_eq!(address_of("http://10.0.0.7:2381"), Ok((false, "10.0.0.7:2381")));
        assert!(address_of("unix:/socket").is_err() && address_of("http://").is_err());
    }
}
