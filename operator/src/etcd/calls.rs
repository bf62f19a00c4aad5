//! One call to one member, and one call to any of several: deadlines, tokens, and what may be asked again.

use std::future::Future;

use taffrail_proto::etcdserverpb::AuthenticateRequest;
use taffrail_proto::etcdserverpb::auth_client::AuthClient;
use taffrail_proto::etcdserverpb::cluster_client::ClusterClient;
use taffrail_proto::etcdserverpb::kv_client::KvClient;
use taffrail_proto::etcdserverpb::maintenance_client::MaintenanceClient;
use tokio::time::{Instant, timeout_at};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Response, Status};

use super::channels::{Door, Token};
use super::{Access, Endpoint, EtcdClient, EtcdError, refusal};

type Carried = InterceptedService<Channel, Token>;

impl Door {
    pub(super) fn cluster(self) -> ClusterClient<Carried> {
        ClusterClient::with_interceptor(self.channel, self.token)
    }

    pub(super) fn maintenance(self) -> MaintenanceClient<Carried> {
        MaintenanceClient::with_interceptor(self.channel, self.token)
    }

    pub(super) fn kv(self) -> KvClient<Carried> {
        KvClient::with_interceptor(self.channel, self.token)
    }

    pub(super) fn auth(self) -> AuthClient<Carried> {
        AuthClient::with_interceptor(self.channel, self.token)
    }
}

/// When the next member is asked after one failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// It only reads: whenever the next may know better.
    Anybody,
    /// It changes something: only if this one cannot have done it.
    Once,
}

/// A call that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: EtcdError,
    /// It certainly had no effect, and another member may do it.
    elsewhere: bool,
}

impl Failure {
    fn unsent(error: EtcdError) -> Self {
        Self { error, elsewhere: true }
    }

    fn asks_next(&self, ask: Ask) -> bool {
        use EtcdError::{NoQuorum, TimedOut, Tls, Unreachable};
        let here_only = matches!(self.error, Unreachable(_) | TimedOut(_) | Tls(_) | NoQuorum(_));
        self.elsewhere || (ask == Ask::Anybody && here_only)
    }
}

impl EtcdClient {
    /// Asks this member.
    pub(super) async fn at<Q, A, F, W>(&self, access: &Access, at: &Endpoint, request: Q, call: F) -> Result<A, Failure>
    where
        Q: Clone,
        F: Fn(Door, Q) -> W,
        W: Future<Output = Result<Response<A>, Status>>,
    {
        let end = Instant::now() + self.deadline;
        let opened = timeout_at(end, self.channels.open(access, at)).await;
        let door = opened
            .unwrap_or_else(|_| Err(self.timed_out()))
            .map_err(Failure::unsent)?;
        let answered = timeout_at(end, self.let_in(access, at, door, request, call)).await;
        let answer = answered.unwrap_or_else(|_| {
            Err(Failure {
                error: self.timed_out(),
                elsewhere: false,
            })
        });
        if answer.as_ref().is_err_and(|failure| lost_connection(&failure.error)) {
            self.channels.close(access, at);
        }
        answer
    }

    /// Asks one after the other until one answers. The first reason is told, but that there is no quorum above all.
    pub(super) async fn any<Q, A, F, W>(
        &self,
        access: &Access,
        through: &[Endpoint],
        ask: Ask,
        request: Q,
        call: F,
    ) -> Result<A, EtcdError>
    where
        Q: Clone,
        F: Fn(Door, Q) -> W,
        W: Future<Output = Result<Response<A>, Status>>,
    {
        let mut reason = None;
        for at in through {
            match self.at(access, at, request.clone(), &call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) if !failure.asks_next(ask) => return Err(failure.error),
                Err(failure) => reason = Some(weightier(reason, failure.error)),
            }
        }
        Err(reason.unwrap_or_else(|| EtcdError::Unreachable("there is no member to ask".into())))
    }

    /// Calls; if it was refused for want of a good token, gets one and calls once more. What was refused so had no
    /// effect. A token is not fetched before it is wanted: fetching one needs a quorum, and Status does not.
    async fn let_in<Q, A, F, W>(
        &self,
        access: &Access,
        at: &Endpoint,
        door: Door,
        request: Q,
        call: F,
    ) -> Result<A, Failure>
    where
        Q: Clone,
        F: Fn(Door, Q) -> W,
        W: Future<Output = Result<Response<A>, Status>>,
    {
        let has_token = door.token.0.is_some();
        let first = call(door.clone(), request.clone()).await;
        let answer = match (first, &access.user) {
            (Err(status), Some(user)) if refusal::wants_token(&status, has_token) => {
                let door = self.with_token(door, user).await.map_err(Failure::unsent)?;
                self.channels.keep_token(access, at, &door);
                call(door, request).await
            }
            (first, _) => first,
        };
        answer.map(Response::into_inner).map_err(|status| self.failure(&status))
    }

    async fn with_token(&self, door: Door, (name, password): &(String, String)) -> Result<Door, EtcdError> {
        let request = AuthenticateRequest {
            name: name.clone(),
            password: password.clone(),
        };
        // Without the old token: it may be what is wrong.
        let bare = Door {
            token: Token::default(),
            ..door.clone()
        };
        let answer = bare.auth().authenticate(request).await;
        let token = answer.map_err(|status| self.refusal(&status))?.into_inner().token;
        let token = token
            .parse()
            .map_err(|_| EtcdError::Refused("the token is not ASCII".into()))?;
        Ok(Door {
            token: Token(Some(token)),
            ..door
        })
    }

    fn failure(&self, status: &Status) -> Failure {
        Failure {
            error: self.refusal(status),
            elsewhere: refusal::unsent(status) || refusal::asked_a_learner(status),
        }
    }

    fn refusal(&self, status: &Status) -> EtcdError {
        refusal::refusal(status, self.deadline.as_secs())
    }

    pub(super) fn timed_out(&self) -> EtcdError {
        EtcdError::TimedOut(self.deadline.as_secs())
    }
}

fn lost_connection(error: &EtcdError) -> bool {
    matches!(
        error,
        EtcdError::Unreachable(_) | EtcdError::TimedOut(_) | EtcdError::Tls(_)
    )
}

fn weightier(before: Option<EtcdError>, now: EtcdError) -> EtcdError {
    match before {
        Some(before) if !matches!(now, EtcdError::NoQuorum(_)) => before,
        _ => now,
    }
}
