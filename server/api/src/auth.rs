//! etcdserverpb.Auth

use taffrail_member::AuthChange;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::auth_server::Auth;
use tonic::{Request, Response, Status};

use crate::{Api, status};

type Answer<T> = Result<Response<T>, Status>;

/// The first minor version of etcd that tells anybody whether authentication is on.
const STATUS_FOR_ALL: &str = "3.7";

/// The service; most of its methods change something and answer with a header alone.
macro_rules! service {
    ($($method:ident: $request:ident => $change:expr => $response:ident;)*) => {
        #[tonic::async_trait]
        impl Auth for Api {
        async fn auth_status(&self, request: Request<pb::AuthStatusRequest>) -> Answer<pb::AuthStatusResponse> {
            if !self.member().speaks(STATUS_FOR_ALL) {
                self.demand_admin(&self.credentials(&request)).await?;
            }
            let status = self.member().auth_status().await.map_err(status::read)?;
            Ok(Response::new(pb::AuthStatusResponse {
                header: Some(self.current_header()),
                enabled: status.enabled,
                auth_revision: status.revision,
            }))
        }

        async fn authenticate(&self, request: Request<pb::AuthenticateRequest>) -> Answer<pb::AuthenticateResponse> {
            let token = self.member().authenticate(request.into_inner()).await;
            Ok(Response::new(pb::AuthenticateResponse {
                token: token.map_err(status::authenticate)?,
                header: Some(self.current_header()),
            }))
        }

        async fn user_get(&self, request: Request<pb::AuthUserGetRequest>) -> Answer<pb::AuthUserGetResponse> {
            let caller = self.caller(&self.credentials(&request)).await?;
            let roles = self.member().user_roles(&caller, &request.into_inner().name).await;
            Ok(Response::new(pb::AuthUserGetResponse {
                roles: roles.map_err(status::read)?,
                header: Some(self.current_header()),
            }))
        }

        async fn user_list(&self, request: Request<pb::AuthUserListRequest>) -> Answer<pb::AuthUserListResponse> {
            let caller = self.caller(&self.credentials(&request)).await?;
            let users = self.member().users(&caller).await.map_err(status::read)?;
            let header = Some(self.current_header());
            Ok(Response::new(pb::AuthUserListResponse { header, users }))
        }

        async fn role_get(&self, request: Request<pb::AuthRoleGetRequest>) -> Answer<pb::AuthRoleGetResponse> {
            let caller = self.caller(&self.credentials(&request)).await?;
            let perm = self.member().role_permissions(&caller, &request.into_inner().role).await;
            Ok(Response::new(pb::AuthRoleGetResponse {
                perm: perm.map_err(status::read)?,
                header: Some(self.current_header()),
            }))
        }

        async fn role_list(&self, request: Request<pb::AuthRoleListRequest>) -> Answer<pb::AuthRoleListResponse> {
            let caller = self.caller(&self.credentials(&request)).await?;
            let roles = self.member().roles(&caller).await.map_err(status::read)?;
            let header = Some(self.current_header());
            Ok(Response::new(pb::AuthRoleListResponse { header, roles }))
        }

            $(async fn $method(&self, request: Request<pb::$request>) -> Answer<pb::$response> {
                let credentials = self.credentials(&request);
                let change: fn(pb::$request) -> AuthChange = $change;
                self.change(&credentials, change(request.into_inner())).await?;
                let header = Some(self.current_header());
                Ok(Response::new(pb::$response { header }))
            })*
        }
    };
}

service! {
    auth_enable: AuthEnableRequest => |_| AuthChange::Enable => AuthEnableResponse;
    auth_disable: AuthDisableRequest => |_| AuthChange::Disable => AuthDisableResponse;
    user_add: AuthUserAddRequest => AuthChange::AddUser => AuthUserAddResponse;
    user_delete: AuthUserDeleteRequest => AuthChange::DeleteUser => AuthUserDeleteResponse;
    user_change_password: AuthUserChangePasswordRequest => AuthChange::ChangePassword => AuthUserChangePasswordResponse;
    user_grant_role: AuthUserGrantRoleRequest => AuthChange::GrantRole => AuthUserGrantRoleResponse;
    user_revoke_role: AuthUserRevokeRoleRequest => AuthChange::RevokeRole => AuthUserRevokeRoleResponse;
    role_add: AuthRoleAddRequest => AuthChange::AddRole => AuthRoleAddResponse;
    role_delete: AuthRoleDeleteRequest => AuthChange::DeleteRole => AuthRoleDeleteResponse;
    role_grant_permission: AuthRoleGrantPermissionRequest => AuthChange::GrantPermission => AuthRoleGrantPermissionResponse;
    role_revoke_permission: AuthRoleRevokePermissionRequest => AuthChange::RevokePermission => AuthRoleRevokePermissionResponse;
}

impl Api {
    async fn change(&self, credentials: &taffrail_member::Credentials, change: AuthChange) -> Result<(), Status> {
        let caller = self.caller(credentials).await?;
        let changed = self.member().change_auth(&caller, change).await;
        changed.map_err(status::auth_change)
    }
}
