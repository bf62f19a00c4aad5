//! Users and roles of a real member: `MEMBER_PROGRAM=etcd cargo test -p taffrail-operator --test real_access -- --ignored`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "program/mod.rs"]
mod program;
#[path = "world/mod.rs"]
mod world;

use std::sync::Arc;

use program::{Running, port, start, until_ready};
use serde_json::{Value, json};
use taffrail_crds::{EtcdCluster, EtcdRole, EtcdUser};
use taffrail_operator::access;
use taffrail_operator::context::{Context, Outlets, Settings};
use taffrail_operator::etcd::{Access, AccessChange, Endpoint, Etcd, EtcdClient, Permission, PermissionKind};
use taffrail_operator::poller::Watched;
use taffrail_proto::etcdserverpb::auth_client::AuthClient;
use taffrail_proto::etcdserverpb::kv_client::KvClient;
use taffrail_proto::etcdserverpb::{AuthenticateRequest, PutRequest, RangeRequest};
use tonic::transport::Channel;
use world::{Incarnation, Key, World};

/// An API server in memory, a real member, and the operator between them.
struct Stage {
    world: World,
    context: Arc<Context>,
    at: Endpoint,
    root: Access,
    _running: Running,
    _directory: tempfile::TempDir,
}

const CLUSTER: &str = "{apiVersion: etcd.taffrail.dev/v1alpha1, kind: EtcdCluster, metadata: {name: main}, spec: {}}";

impl Stage {
    /// `offset`: tests run beside each other.
    async fn set(offset: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = port() + offset;
        let running = start(directory.path(), port, &[]);
        let etcd = EtcdClient::default();
        until_ready(&etcd, port).await;
        let at = Endpoint {
            url: format!("http://127.0.0.1:{port}"),
            server_name: String::new(),
        };
        let (anybody, through) = (Access::default(), [at.clone()]);
        etcd.set_root(&anybody, &through, "a").await.unwrap();
        etcd.enable_auth(&anybody, &through).await.unwrap();
        let root = Access {
            tls: None,
            user: Some(("root".into(), "a".into())),
        };
        let id = etcd.facts(&root, &at).await.unwrap().cluster_id;
        let world = World::new();
        world.create(CLUSTER);
        let status = json!({"status": {"clusterId": format!("{id:x}"), "authEnabled": true}});
        let key = Key::new("EtcdCluster", "default", "main");
        world.state().api.merge(&key, &status, true).unwrap();
        Self {
            context: Arc::new(context(&world, etcd, &root, &at)),
            world,
            at,
            root,
            _running: running,
            _directory: directory,
        }
    }

    /// One look at every role and every user, and at what has gone.
    async fn look(&self) {
        for role in self.world.all("EtcdRole") {
            let role: EtcdRole = serde_json::from_value(role).unwrap();
            access::reconcile(Arc::new(role), self.context.clone()).await.unwrap();
        }
        for user in self.world.all("EtcdUser") {
            let user: EtcdUser = serde_json::from_value(user).unwrap();
            access::reconcile(Arc::new(user), self.context.clone()).await.unwrap();
        }
        let cluster: EtcdCluster = serde_json::from_value(self.world.get("EtcdCluster", "main").unwrap()).unwrap();
        access::sweep(&self.context, &cluster).await.unwrap();
    }

    /// As somebody with etcdctl would.
    async fn by_hand(&self, change: AccessChange) {
        let through = [self.at.clone()];
        self.context
            .etcd
            .change_access(&self.root, &through, &change)
            .await
            .unwrap();
    }

    async fn may(&self, password: &str) -> Option<May> {
        May::of(&self.at.url, password).await
    }

    fn reason(&self, kind: &'static str, name: &str) -> Value {
        self.world.get(kind, name).unwrap()["status"]["conditions"][0]["reason"].clone()
    }
}

fn context(world: &World, etcd: EtcdClient, root: &Access, at: &Endpoint) -> Context {
    let outlets = Outlets::default();
    let watched = Watched {
        access: root.clone(),
        members: vec![at.clone()],
    };
    outlets.watchlist.set(("default".into(), "main".into()), watched);
    Context {
        client: world::api::client(world, &Arc::new(Incarnation::immortal("operator"))),
        etcd: Arc::new(etcd),
        clock: world.clock(),
        settings: Arc::new(Settings::default()),
        outlets,
    }
}

/// What the user web gets to do.
#[derive(Debug, PartialEq, Eq)]
struct May {
    read: bool,
    write: bool,
    read_beyond: bool,
}

impl May {
    /// None: it is not let in.
    async fn of(url: &str, password: &str) -> Option<Self> {
        let channel = Channel::from_shared(url.to_owned()).unwrap().connect().await.unwrap();
        let login = AuthenticateRequest {
            name: "web".into(),
            password: password.into(),
        };
        let token = AuthClient::new(channel.clone()).authenticate(login).await.ok()?;
        let token = token.into_inner().token;
        let mut kv = KvClient::new(channel);
        Some(Self {
            read: kv.range(as_user(&token, get(b"/app/k"))).await.is_ok(),
            write: kv.put(as_user(&token, put(b"/app/k"))).await.is_ok(),
            read_beyond: kv.range(as_user(&token, get(b"/app0"))).await.is_ok(),
        })
    }
}

fn as_user<T>(token: &str, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("token", token.parse().unwrap());
    request
}

fn get(key: &[u8]) -> RangeRequest {
    RangeRequest {
        key: key.to_vec().into(),
        ..Default::default()
    }
}

fn put(key: &[u8]) -> PutRequest {
    PutRequest {
        key: key.to_vec().into(),
        ..Default::default()
    }
}

const READS: Option<May> = Some(May {
    read: true,
    write: false,
    read_beyond: false,
});
const WRITES: Option<May> = Some(May {
    read: true,
    write: true,
    read_beyond: false,
});
const NOTHING: Option<May> = Some(May {
    read: false,
    write: false,
    read_beyond: false,
});

fn declare(world: &World) {
    world.secret("web", &[("password", "first\n")]);
    let head = "apiVersion: etcd.taffrail.dev/v1alpha1";
    let permission = "permissions: [{type: ReadWrite, key: /app/, prefix: true}]";
    let spec = format!("{{clusterRef: {{name: main}}, {permission}}}");
    world.create(&format!(
        "{{{head}, kind: EtcdRole, metadata: {{name: app}}, spec: {spec}}}"
    ));
    let spec = "{clusterRef: {name: main}, passwordSecretRef: {name: web}, roles: [app]}";
    world.create(&format!(
        "{{{head}, kind: EtcdUser, metadata: {{name: web}}, spec: {spec}}}"
    ));
}

#[tokio::test]
#[ignore = "needs a real etcd"]
async fn a_declared_user_may_what_its_roles_say_and_nothing_else_until_it_goes() {
    let stage = Stage::set(20).await;
    let world = &stage.world;
    declare(world);
    stage.look().await;
    assert_eq!(stage.reason("EtcdUser", "web"), "Kept");
    assert_eq!(stage.reason("EtcdRole", "app"), "Kept");
    assert_eq!(stage.may("first").await, WRITES);
    assert_eq!(stage.may("first\n").await, None);

    let less = json!({"spec": {"permissions": [{"type": "Read", "key": "/app/", "prefix": true}]}});
    world.change("EtcdRole", "app", less);
    stage.look().await;
    assert_eq!(stage.may("first").await, READS);

    world.change("Secret", "web", json!({"stringData": {"password": "second"}}));
    stage.look().await;
    assert_eq!((stage.may("first").await, stage.may("second").await), (None, READS));

    drift(&stage).await;

    world.change("EtcdUser", "web", json!({"spec": {"roles": []}}));
    stage.look().await;
    assert_eq!(stage.may("second").await, NOTHING);
    world.delete("EtcdUser", "web");
    world.delete("EtcdRole", "app");
    stage.look().await;
    assert_eq!(stage.may("second").await, None);
    let through = [stage.at.clone()];
    let role = stage.context.etcd.role(&stage.root, &through, "app").await.unwrap();
    assert_eq!(role, None);
}

/// More than is declared goes, less comes back.
async fn drift(stage: &Stage) {
    let all = Permission {
        key: vec![0],
        range_end: vec![0],
        kind: PermissionKind::ReadWrite,
    };
    let (web, app) = (|| "web".to_owned(), || "app".to_owned());
    stage
        .by_hand(AccessChange::Grant {
            role: app(),
            permission: all,
        })
        .await;
    assert!(stage.may("second").await.unwrap().read_beyond);
    stage.look().await;
    assert_eq!(stage.may("second").await, READS);
    stage
        .by_hand(AccessChange::RevokeRole {
            user: web(),
            role: app(),
        })
        .await;
    assert_eq!(stage.may("second").await, NOTHING);
    stage.look().await;
    assert_eq!(stage.may("second").await, READS);
    stage.by_hand(AccessChange::DeleteUser { name: web() }).await;
    stage.look().await;
    assert_eq!(stage.may("second").await, READS);
}

#[tokio::test]
#[ignore = "needs a real etcd"]
async fn the_client_tells_users_and_roles_as_a_real_member_has_them() {
    let stage = Stage::set(30).await;
    let (etcd, root, through) = (&stage.context.etcd, &stage.root, [stage.at.clone()]);
    assert_eq!(etcd.user(root, &through, "web").await, Ok(None));
    assert_eq!(etcd.role(root, &through, "app").await, Ok(None));
    let name = || "web".to_owned();
    let grant = AccessChange::GrantRole {
        user: name(),
        role: "app".into(),
    };
    let add = AccessChange::AddUser {
        name: name(),
        password: None,
    };
    etcd.change_access(root, &through, &add).await.unwrap();
    assert!(
        etcd.change_access(root, &through, &add).await.is_err(),
        "whose it is nobody knows"
    );
    assert!(
        etcd.change_access(root, &through, &grant).await.is_err(),
        "there is no such role"
    );
    for _ in 0..2 {
        let delete = AccessChange::DeleteUser { name: name() };
        etcd.change_access(root, &through, &delete).await.unwrap();
        let delete = AccessChange::DeleteRole { name: "app".into() };
        etcd.change_access(root, &through, &delete).await.unwrap();
    }
}
