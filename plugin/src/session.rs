//! One run of a command: whom it speaks to, where it writes, and the clock.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Config, Resource};

use crate::args::At;
use crate::failure::{Failure, chain};

pub struct Session {
    pub client: Client,
    pub namespace: String,
    /// What was asked for.
    pub out: Screen,
    /// What is said beside it.
    pub notes: Screen,
    pub now: fn() -> Timestamp,
    /// Between two looks at an object that is followed.
    pub pace: Duration,
}

/// Somewhere to write to, line by line.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<dyn Write + Send>>);

impl Screen {
    pub fn new(to: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(to)))
    }

    /// Whoever reads may have gone, as `head` does: the rest is for nobody.
    pub fn line(&self, text: &str) {
        let mut to = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if writeln!(to, "{text}").and_then(|()| to.flush()).is_err() {
            std::process::exit(0);
        }
    }
}

impl Session {
    /// # Errors
    /// If there is no kubeconfig, or what it says cannot be.
    pub async fn open(at: &At) -> Result<Self, Failure> {
        let config = config(at).await?;
        let namespace = at.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| Failure::Wrong(format!("the kubeconfig: {error}")))?;
        Ok(Self {
            client,
            namespace,
            out: Screen::new(std::io::stdout()),
            notes: Screen::new(std::io::stderr()),
            now: Timestamp::now,
            pace: Duration::from_secs(1),
        })
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// For names of objects: `20261122-041500`.
    pub fn stamp(&self) -> String {
        (self.now)().strftime("%Y%m%d-%H%M%S").to_string()
    }
}

async fn config(at: &At) -> Result<Config, Failure> {
    let wrong = |error: &dyn std::error::Error| Failure::Wrong(format!("the kubeconfig: {}", chain(error)));
    let options = KubeConfigOptions {
        context: at.context.clone(),
        ..KubeConfigOptions::default()
    };
    match (&at.kubeconfig, &at.context) {
        (Some(path), _) => {
            let file = Kubeconfig::read_from(path).map_err(|error| wrong(&error))?;
            let config = Config::from_custom_kubeconfig(file, &options).await;
            config.map_err(|error| wrong(&error))
        }
        (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(|error| wrong(&error)),
        (None, None) => Config::infer().await.map_err(|error| wrong(&error)),
    }
}
