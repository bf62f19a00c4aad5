//! For tests: an etcd that knows of authentication and of itself alone.

use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;

use crate::etcd::{Access, Alarm, ClientTls, Downgrade, Endpoint, Etcd, EtcdError, MemberFacts, Roster};

/// An etcd that knows of authentication and of itself alone.
#[derive(Default)]
pub struct FakeAuth(Mutex<State>);

#[derive(Default)]
pub struct State {
    pub enabled: bool,
    pub password: Option<String>,
    /// Calls that change something.
    pub changes: u64,
    /// After so many calls it is not reached any more.
    pub calls_left: Option<u64>,
    pub certificate_is_root: bool,
    /// What every member says of itself.
    pub facts: Option<MemberFacts>,
    /// Whom every member takes for members.
    pub listed: Option<Roster>,
}

impl FakeAuth {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn call(&self, access: &Access) -> Result<MutexGuard<'_, State>, EtcdError> {
        let mut state = self.state();
        if let Some(left) = &mut state.calls_left {
            *left = left
                .checked_sub(1)
                .ok_or_else(|| EtcdError::Unreachable("gone".into()))?;
        }
        let by_name = access
            .user
            .as_ref()
            .is_some_and(|(_, password)| Some(password) == state.password.as_ref());
        if state.enabled && !by_name && !(access.user.is_none() && state.certificate_is_root) {
            return Err(EtcdError::Denied("permission denied".into()));
        }
        if !state.enabled && access.user.is_some() {
            return Err(EtcdError::Refused("authentication is not enabled".into()));
        }
        Ok(state)
    }

    fn change(&self, access: &Access) -> Result<MutexGuard<'_, State>, EtcdError> {
        let mut state = self.call(access)?;
        state.changes += 1;
        Ok(state)
    }
}

fn no<T>() -> Result<T, EtcdError> {
    Err(EtcdError::Unreachable(
        "this one only knows authentication and itself".into(),
    ))
}

#[async_trait]
impl Etcd for FakeAuth {
    async fn facts(&self, _: &Access, _: &Endpoint) -> Result<MemberFacts, EtcdError> {
        self.state().facts.clone().map_or_else(no, Ok)
    }
    async fn roster(&self, _: &Access, _: &[Endpoint]) -> Result<Roster, EtcdError> {
        no()
    }
    async fn listed(&self, _: &Access, _: &Endpoint) -> Result<Roster, EtcdError> {
        self.state().listed.clone().map_or_else(no, Ok)
    }
    async fn add_learner(&self, _: &Access, _: &[Endpoint], _: &str) -> Result<u64, EtcdError> {
        no()
    }
    async fn promote(&self, _: &Access, _: &[Endpoint], _: u64) -> Result<(), EtcdError> {
        no()
    }
    async fn remove(&self, _: &Access, _: &[Endpoint], _: u64) -> Result<(), EtcdError> {
        no()
    }
    async fn move_leader(&self, _: &Access, _: &Endpoint, _: u64) -> Result<(), EtcdError> {
        no()
    }
    async fn alarms(&self, _: &Access, _: &[Endpoint]) -> Result<Vec<Alarm>, EtcdError> {
        no()
    }
    async fn disarm(&self, _: &Access, _: &[Endpoint], _: Alarm) -> Result<(), EtcdError> {
        no()
    }
    async fn downgrade(&self, _: &Access, _: &[Endpoint], _: Downgrade, _: &str) -> Result<(), EtcdError> {
        no()
    }
    async fn cluster_version(&self, _: &Access, _: &Endpoint) -> Result<String, EtcdError> {
        no()
    }
    async fn ready(&self, _: &str) -> Result<(), EtcdError> {
        no()
    }
    async fn auth_enabled(&self, access: &Access, _: &[Endpoint]) -> Result<bool, EtcdError> {
        Ok(self.call(access)?.enabled)
    }
    async fn set_root(&self, access: &Access, _: &[Endpoint], password: &str) -> Result<(), EtcdError> {
        self.change(access)?.password = Some(password.into());
        Ok(())
    }
    async fn enable_auth(&self, access: &Access, _: &[Endpoint]) -> Result<(), EtcdError> {
        let mut state = self.change(access)?;
        if state.password.is_none() {
            return Err(EtcdError::Refused("root user does not exist".into()));
        }
        state.enabled = true;
        Ok(())
    }
    async fn disable_auth(&self, access: &Access, _: &[Endpoint]) -> Result<(), EtcdError> {
        self.change(access)?.enabled = false;
        Ok(())
    }
    async fn authenticates(&self, _: &Access, _: &[Endpoint], _: &str, password: &str) -> Result<bool, EtcdError> {
        Ok(self.state().password.as_deref() == Some(password))
    }
    async fn trusts(&self, _: &ClientTls, _: &Endpoint) -> Result<bool, EtcdError> {
        no()
    }
}
