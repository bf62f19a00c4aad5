//! Calls in a user's name: the token that the password gives, asked for again when it is worn out.

use taffrail_proto::etcdserverpb::AuthenticateRequest;
use taffrail_proto::etcdserverpb::auth_client::AuthClient;
use tokio::sync::Mutex;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::User;

/// A connection that calls in somebody's name.
pub type Signed = InterceptedService<Channel, Sign>;

/// Puts the token to every call.
#[derive(Clone)]
pub struct Sign(Option<AsciiMetadataValue>);

impl Interceptor for Sign {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("token", token.clone());
        }
        Ok(request)
    }
}

pub(super) struct Tokens {
    user: Option<User>,
    token: Mutex<Option<AsciiMetadataValue>>,
}

/// What a member without auth answers to a password; calls need no token there (etcd client.go, getToken).
const NOT_ENABLED: &str = "etcdserver: authentication is not enabled";

impl Tokens {
    pub fn of(user: Option<User>) -> Self {
        let token = Mutex::new(None);
        Tokens { user, token }
    }

    /// Whether a new token may help.
    pub fn is_worn_out(status: &Status) -> bool {
        matches!(
            status.message(),
            "etcdserver: invalid auth token" | "etcdserver: revision of auth store is old"
        )
    }

    pub async fn forget(&self) {
        *self.token.lock().await = None;
    }

    pub async fn sign(&self, channel: Channel) -> Result<Signed, Status> {
        let Some(user) = &self.user else {
            return Ok(InterceptedService::new(channel, Sign(None)));
        };
        let mut token = self.token.lock().await;
        if token.is_none() {
            *token = ask(user, channel.clone()).await?;
        }
        Ok(InterceptedService::new(channel, Sign(token.clone())))
    }
}

async fn ask(user: &User, channel: Channel) -> Result<Option<AsciiMetadataValue>, Status> {
    let request = AuthenticateRequest {
        name: user.name.clone(),
        password: user.password.clone(),
    };
    match AuthClient::new(channel).authenticate(request).await {
        Ok(answer) => {
            let token = answer.into_inner().token.parse();
            token
                .map(Some)
                .map_err(|_| Status::internal("the token cannot be sent"))
        }
        Err(status) if status.message() == NOT_ENABLED => Ok(None),
        Err(status) => Err(status),
    }
}
