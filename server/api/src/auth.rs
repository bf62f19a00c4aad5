//! etcdserverpb.Auth: as a member answers on which authentication was never enabled, and cannot be yet.

use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::auth_server::Auth;
use tonic::{Request, Response, Status};

use crate::Api;
use crate::status::AUTH_NOT_ENABLED;

type Answer<T> = Result<Response<T>, Status>;

/// etcd's auth revision before the first change.
const AUTH_REVISION_START: u64 = 1;

macro_rules! not_yet {
    ($($method:ident: $request:ident => $response:ident;)*) => {
        #[tonic::async_trait]
        impl Auth for Api {
            async fn auth_status(&self, _: Request<pb::AuthStatusRequest>) -> Answer<pb::AuthStatusResponse> {
                let header = Some(self.current_header());
                let auth_revision = AUTH_REVISION_START;
                Ok(Response::new(pb::AuthStatusResponse { header, enabled: false, auth_revision }))
            }

            async fn authenticate(&self, _: Request<pb::AuthenticateRequest>) -> Answer<pb::AuthenticateResponse> {
                Err(AUTH_NOT_ENABLED.into())
            }

            $(async fn $method(&self, _: Request<pb::$request>) -> Answer<pb::$response> {
                Err(Status::unimplemented("this version has no users and roles: authentication cannot be enabled"))
            })*
        }
    };
}

not_yet! {
    auth_enable: AuthEnableRequest => AuthEnableResponse;
    auth_disable: AuthDisableRequest => AuthDisableResponse;
    user_add: AuthUserAddRequest => AuthUserAddResponse;
    user_get: AuthUserGetRequest => AuthUserGetResponse;
    user_list: AuthUserListRequest => AuthUserListResponse;
    user_delete: AuthUserDeleteRequest => AuthUserDeleteResponse;
    user_change_password: AuthUserChangePasswordRequest => AuthUserChangePasswordResponse;
    user_grant_role: AuthUserGrantRoleRequest => AuthUserGrantRoleResponse;
    user_revoke_role: AuthUserRevokeRoleRequest => AuthUserRevokeRoleResponse;
    role_add: AuthRoleAddRequest => AuthRoleAddResponse;
    role_get: AuthRoleGetRequest => AuthRoleGetResponse;
    role_list: AuthRoleListRequest => AuthRoleListResponse;
    role_delete: AuthRoleDeleteRequest => AuthRoleDeleteResponse;
    role_grant_permission: AuthRoleGrantPermissionRequest => AuthRoleGrantPermissionResponse;
    role_revoke_permission: AuthRoleRevokePermissionRequest => AuthRoleRevokePermissionResponse;
}
