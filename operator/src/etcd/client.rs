//! The real [`Etcd`]: gRPC for what etcd has a service for, HTTP for the rest.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::*;

use super::calls::Ask;
use super::channels::{Channels, Door};
use super::{
    Access, AccessChange, Alarm, ClientTls, Downgrade, Endpoint, Etcd, EtcdError, MemberFacts, Permission, Roster,
    convert, http,
};

/// Longest time that one member is given for one answer, connecting included.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// A connection that is reset as it begins may have lost the alert that says why.
const HANDSHAKES_MAX: usize = 3;
const ROOT: &str = "root";

/// Speaks to members over the network.
pub struct EtcdClient {
    /// Longest time that one member is given for one answer, connecting included.
    pub deadline: Duration,
    pub(super) channels: Channels,
}

impl Default for EtcdClient {
    fn default() -> Self {
        Self::new(DEADLINE)
    }
}

impl EtcdClient {
    pub fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            channels: Channels::default(),
        }
    }

    async fn get(&self, tls: Option<&ClientTls>, at: &Endpoint, path: &str) -> Result<http::Answer, EtcdError> {
        let answer = tokio::time::timeout(self.deadline, http::get(tls, at, path)).await;
        answer.unwrap_or_else(|_| Err(self.timed_out()))
    }

    async fn greet(&self, tls: &ClientTls, at: &Endpoint) -> Result<(), EtcdError> {
        let answer = tokio::time::timeout(self.deadline, http::let_in(tls, at)).await;
        answer.unwrap_or_else(|_| Err(self.timed_out()))
    }

    /// The user root with this password, whether or not it was there.
    async fn root_user(&self, access: &Access, through: &[Endpoint], password: &str) -> Result<(), EtcdError> {
        let add = AuthUserAddRequest {
            name: ROOT.into(),
            password: password.into(),
            ..Default::default()
        };
        let call = async |door: Door, request| door.auth().user_add(request).await;
        let added = self.any(access, through, Ask::Once, add, call).await;
        if !said(&added, "user name already exists") {
            return added.map(drop);
        }
        let change = AuthUserChangePasswordRequest {
            name: ROOT.into(),
            password: password.into(),
            ..Default::default()
        };
        let call = async |door: Door, request| door.auth().user_change_password(request).await;
        self.any(access, through, Ask::Once, change, call).await.map(drop)
    }

    /// The role root, held by the user root.
    async fn root_role(&self, access: &Access, through: &[Endpoint]) -> Result<(), EtcdError> {
        let call = async |door: Door, request| door.auth().role_add(request).await;
        let added = self
            .any(
                access,
                through,
                Ask::Once,
                AuthRoleAddRequest { name: ROOT.into() },
                call,
            )
            .await;
        unless(added, "role name already exists")?;
        let grant = AuthUserGrantRoleRequest {
            user: ROOT.into(),
            role: ROOT.into(),
        };
        let call = async |door: Door, request| door.auth().user_grant_role(request).await;
        self.any(access, through, Ask::Once, grant, call).await.map(drop)
    }
}

#[async_trait]
impl Etcd for EtcdClient {
    async fn facts(&self, access: &Access, member: &Endpoint) -> Result<MemberFacts, EtcdError> {
        let call = async |door: Door, request| door.maintenance().status(request).await;
        let status = self.at(access, member, StatusRequest {}, call).await;
        status.map(convert::facts).map_err(|failure| failure.error)
    }

    async fn roster(&self, access: &Access, through: &[Endpoint]) -> Result<Roster, EtcdError> {
        let list = MemberListRequest { linearizable: true };
        let call = async |door: Door, request| door.cluster().member_list(request).await;
        self.any(access, through, Ask::Anybody, list, call)
            .await
            .map(convert::roster)
    }

    async fn listed(&self, access: &Access, member: &Endpoint) -> Result<Roster, EtcdError> {
        let list = MemberListRequest { linearizable: false };
        let call = async |door: Door, request| door.cluster().member_list(request).await;
        let listed = self.at(access, member, list, call).await;
        listed.map(convert::roster).map_err(|failure| failure.error)
    }

    async fn add_learner(&self, access: &Access, through: &[Endpoint], peer_url: &str) -> Result<u64, EtcdError> {
        let add = MemberAddRequest {
            peer_ur_ls: vec![peer_url.into()],
            is_learner: true,
        };
        let call = async |door: Door, request| door.cluster().member_add(request).await;
        let added = self.any(access, through, Ask::Once, add, call).await?;
        added
            .member
            .map(|member| member.id)
            .ok_or_else(|| EtcdError::Refused("the answer names no member".into()))
    }

    async fn promote(&self, access: &Access, through: &[Endpoint], member_id: u64) -> Result<(), EtcdError> {
        let call = async |door: Door, request| door.cluster().member_promote(request).await;
        self.any(access, through, Ask::Once, MemberPromoteRequest { id: member_id }, call)
            .await
            .map(drop)
    }

    async fn remove(&self, access: &Access, through: &[Endpoint], member_id: u64) -> Result<(), EtcdError> {
        let call = async |door: Door, request| door.cluster().member_remove(request).await;
        self.any(access, through, Ask::Once, MemberRemoveRequest { id: member_id }, call)
            .await
            .map(drop)
    }

    async fn move_leader(&self, access: &Access, leader: &Endpoint, to_member_id: u64) -> Result<(), EtcdError> {
        let call = async |door: Door, request| door.maintenance().move_leader(request).await;
        let moved = self
            .at(
                access,
                leader,
                MoveLeaderRequest {
                    target_id: to_member_id,
                },
                call,
            )
            .await;
        moved.map(drop).map_err(|failure| failure.error)
    }

    async fn alarms(&self, access: &Access, through: &[Endpoint]) -> Result<Vec<Alarm>, EtcdError> {
        let get = AlarmRequest {
            action: AlarmAction::Get.into(),
            ..Default::default()
        };
        let call = async |door: Door, request| door.maintenance().alarm(request).await;
        let answer = self.any(access, through, Ask::Anybody, get, call).await?;
        Ok(answer.alarms.iter().filter_map(convert::alarm).collect())
    }

    async fn disarm(&self, access: &Access, through: &[Endpoint], alarm: Alarm) -> Result<(), EtcdError> {
        let (action, kind) = (AlarmAction::Deactivate.into(), convert::alarm_type(alarm.kind).into());
        let disarm = AlarmRequest {
            action,
            member_id: alarm.member_id,
            alarm: kind,
        };
        let call = async |door: Door, request| door.maintenance().alarm(request).await;
        self.any(access, through, Ask::Once, disarm, call).await.map(drop)
    }

    async fn downgrade(
        &self,
        access: &Access,
        through: &[Endpoint],
        action: Downgrade,
        version: &str,
    ) -> Result<(), EtcdError> {
        let action = convert::downgrade_action(action).into();
        let call = async |door: Door, request| door.maintenance().downgrade(request).await;
        let downgrade = DowngradeRequest {
            action,
            version: version.into(),
        };
        self.any(access, through, Ask::Once, downgrade, call).await.map(drop)
    }

    async fn cluster_version(&self, access: &Access, member: &Endpoint) -> Result<String, EtcdError> {
        let answer = self.get(access.tls.as_ref(), member, "/version").await?;
        let told: serde_json::Value =
            serde_json::from_str(&answer.body).map_err(|error| EtcdError::Refused(format!("/version: {error}")))?;
        match told["etcdcluster"].as_str() {
            Some(version) if version != "not_decided" => Ok(version.into()),
            _ => Err(EtcdError::NoQuorum("the cluster's version is not decided".into())),
        }
    }

    async fn ready(&self, metrics_url: &str) -> Result<(), EtcdError> {
        let at = Endpoint {
            url: metrics_url.into(),
            server_name: String::new(),
        };
        let answer = self.get(None, &at, "/readyz").await?;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(EtcdError::Refused(answer.body))
        }
    }

    async fn auth_enabled(&self, access: &Access, through: &[Endpoint]) -> Result<bool, EtcdError> {
        let call = async |door: Door, request| door.auth().auth_status(request).await;
        match self
            .any(access, through, Ask::Anybody, AuthStatusRequest {}, call)
            .await
        {
            // Who asks is looked at only while it is on.
            Err(EtcdError::Denied(_)) => Ok(true),
            answer => answer.map(|status| status.enabled),
        }
    }

    async fn set_root(&self, access: &Access, through: &[Endpoint], password: &str) -> Result<(), EtcdError> {
        self.root_user(access, through, password).await?;
        self.root_role(&from_now_on(access, password), through).await
    }

    async fn enable_auth(&self, access: &Access, through: &[Endpoint]) -> Result<(), EtcdError> {
        let call = async |door: Door, request| door.auth().auth_enable(request).await;
        self.any(access, through, Ask::Once, AuthEnableRequest {}, call)
            .await
            .map(drop)
    }

    async fn disable_auth(&self, access: &Access, through: &[Endpoint]) -> Result<(), EtcdError> {
        let call = async |door: Door, request| door.auth().auth_disable(request).await;
        unless(
            self.any(access, through, Ask::Once, AuthDisableRequest {}, call).await,
            "authentication is not enabled",
        )
    }

    async fn authenticates(
        &self,
        access: &Access,
        through: &[Endpoint],
        name: &str,
        password: &str,
    ) -> Result<bool, EtcdError> {
        let bare = Access {
            tls: access.tls.clone(),
            user: None,
        };
        let user = AuthenticateRequest {
            name: name.into(),
            password: password.into(),
        };
        let call = async |door: Door, request| door.auth().authenticate(request).await;
        match self.any(&bare, through, Ask::Anybody, user, call).await {
            Err(EtcdError::Denied(_)) => Ok(false),
            answer => answer.map(|_| true),
        }
    }

    async fn trusts(&self, tls: &ClientTls, at: &Endpoint) -> Result<bool, EtcdError> {
        let mut answer = self.greet(tls, at).await;
        for _ in 1..HANDSHAKES_MAX {
            if !matches!(answer, Err(EtcdError::Unreachable(_))) {
                break;
            }
            answer = self.greet(tls, at).await;
        }
        match answer {
            Ok(_) => Ok(true),
            Err(EtcdError::Tls(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn defragment(&self, access: &Access, member: &Endpoint, patience: Duration) -> Result<(), EtcdError> {
        let patient = Self::new(patience);
        let call = async |door: Door, request| door.maintenance().defragment(request).await;
        let done = patient.at(access, member, DefragmentRequest {}, call).await;
        done.map(drop).map_err(|failure| failure.error)
    }

    async fn compact(&self, access: &Access, through: &[Endpoint], revision: i64) -> Result<(), EtcdError> {
        let call = async |door: Door, request| door.kv().compact(request).await;
        let compact = CompactionRequest {
            revision,
            physical: false,
        };
        let done = self.any(access, through, Ask::Anybody, compact, call).await;
        unless(done, "mvcc: required revision has been compacted")
    }

    async fn user(
        &self,
        access: &Access,
        through: &[Endpoint],
        name: &str,
    ) -> Result<Option<BTreeSet<String>>, EtcdError> {
        self.roles_of_user(access, through, name).await
    }

    async fn role(
        &self,
        access: &Access,
        through: &[Endpoint],
        name: &str,
    ) -> Result<Option<BTreeSet<Permission>>, EtcdError> {
        self.permissions_of_role(access, through, name).await
    }

    async fn change_access(
        &self,
        access: &Access,
        through: &[Endpoint],
        change: &AccessChange,
    ) -> Result<(), EtcdError> {
        self.change(access, through, change).await
    }
}

/// A change of root's password ends its tokens and the old password with them.
fn from_now_on(access: &Access, password: &str) -> Access {
    let user = access.user.clone().map(|(name, old)| match name.as_str() {
        ROOT => (name, password.to_owned()),
        _ => (name, old),
    });
    Access {
        tls: access.tls.clone(),
        user,
    }
}

fn said<T>(answer: &Result<T, EtcdError>, text: &str) -> bool {
    matches!(answer, Err(EtcdError::Refused(said)) if said == text)
}

/// Done, or `text` says that it was done before.
fn unless<T>(answer: Result<T, EtcdError>, text: &str) -> Result<(), EtcdError> {
    if said(&answer, text) { Ok(()) } else { answer.map(drop) }
}
