//! Members that want to know who asks.

use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::auth_client::AuthClient;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::client::Client;

pub const ROOT: &str = "root";

impl Client {
    pub fn auth(&self) -> AuthClient<Channel> {
        AuthClient::new(self.channel())
    }

    /// Adds users by name and password, with root among them, and asks for names from then on.
    pub async fn enable_auth(&self, users: &[(&str, &str)]) {
        let mut auth = self.auth();
        for (name, password) in users {
            auth.user_add(user(name, password)).await.expect("added");
        }
        let grant = pb::AuthUserGrantRoleRequest {
            user: ROOT.into(),
            role: ROOT.into(),
        };
        auth.user_grant_role(grant).await.expect("granted");
        auth.auth_enable(pb::AuthEnableRequest {}).await.expect("enabled");
    }

    /// What a password is exchanged for.
    pub async fn authenticate(&self, name: &str, password: &str) -> Result<Response<pb::AuthenticateResponse>, Status> {
        let request = pb::AuthenticateRequest {
            name: name.into(),
            password: password.into(),
        };
        self.auth().authenticate(request).await
    }

    /// The token of a user whose password is its name.
    pub async fn token(&self, name: &str) -> String {
        let answer = self.authenticate(name, name).await.expect("the password fits");
        answer.into_inner().token
    }
}

pub fn user(name: &str, password: &str) -> pb::AuthUserAddRequest {
    pb::AuthUserAddRequest {
        name: name.into(),
        password: password.into(),
        ..Default::default()
    }
}
