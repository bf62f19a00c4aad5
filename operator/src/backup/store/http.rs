//! The connection to an object store: whom it trusts, when it gives up, and every byte counted.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use rustls::{ClientConfig, RootCertStore};

use crate::backup::progress::Progress;

const CONNECT: Duration = Duration::from_secs(10);
/// Between two bytes of an answer: what stands still longer is asked for again.
const READ: Duration = Duration::from_secs(30);

/// Makes connections.
#[derive(Debug)]
pub struct Connector {
    /// PEM, beside what the system trusts.
    authorities: Option<String>,
    progress: Arc<Progress>,
}

impl Connector {
    pub fn new(authorities: Option<String>, progress: Arc<Progress>) -> Self {
        Self { authorities, progress }
    }

    fn client(&self) -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.trusted()?)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .http1_only()
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("taffrail-operator/", env!("CARGO_PKG_VERSION")));
        Ok(client.build()?)
    }

    fn trusted(&self) -> Result<RootCertStore, Box<dyn std::error::Error + Send + Sync>> {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let mut trusted = RootCertStore::empty();
        trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for authority in CertificateDer::pem_slice_iter(self.authorities.as_deref().unwrap_or_default().as_bytes()) {
            trusted.add(authority?)?;
        }
        Ok(trusted)
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = self
            .client()
            .map_err(|source| object_store::Error::Generic { store: "HTTP", source })?;
        Ok(HttpClient::new(Counted {
            client,
            progress: self.progress.clone(),
        }))
    }
}

#[derive(Debug)]
struct Counted {
    client: reqwest::Client,
    progress: Arc<Progress>,
}

#[async_trait::async_trait]
impl HttpService for Counted {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = parts
            .uri
            .to_string()
            .parse()
            .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(self.body(body));
        let answer = self.client.execute(request).await.map_err(broken)?;
        let (parts, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
        let body = Metered {
            body,
            progress: self.progress.clone(),
        };
        Ok(HttpResponse::from_parts(
            parts,
            HttpResponseBody::new(body.map_err(broken)),
        ))
    }
}

impl Counted {
    fn body(&self, body: HttpRequestBody) -> reqwest::Body {
        match body.content_length() == 0 {
            true => reqwest::Body::from(Bytes::new()),
            false => reqwest::Body::wrap(Metered {
                body,
                progress: self.progress.clone(),
            }),
        }
    }
}

/// Counts what passes.
struct Metered<B> {
    body: B,
    progress: Arc<Progress>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Metered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.progress.moved(frame.data_ref().map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What may be asked again is said by the kind.
fn broken(error: reqwest::Error) -> HttpError {
    let kind = match () {
        () if error.is_timeout() => HttpErrorKind::Timeout,
        () if error.is_connect() => HttpErrorKind::Connect,
        () if error.is_request() || error.is_body() => HttpErrorKind::Interrupted,
        () if error.is_decode() => HttpErrorKind::Interrupted,
        () => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error.without_url())
}
