//! An object that is followed to its end.

use std::fmt::Debug;
use std::time::Instant;

use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::args::Wait;
use crate::failure::Failure;
use crate::session::Session;

/// How far an object is.
pub enum Progress {
    /// What is going on, told whenever it changes.
    Going(String),
    Done(String),
    Failed(String),
}

/// Looks at it until it is done, failed, or `wait` is over. An API server that does not answer for a while is asked
/// again: what goes on does not depend on it.
///
/// # Errors
/// If it failed, is no longer there, or the time is over.
pub async fn follow<K>(session: &Session, name: &str, wait: &Wait, look: impl Fn(&K) -> Progress) -> Result<(), Failure>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    K::DynamicType: Default,
{
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    let api: Api<K> = session.api();
    let start = Instant::now();
    let mut told = String::new();
    loop {
        let news = match api.get_opt(name).await {
            Ok(Some(found)) => look(&found),
            Ok(None) => return Err(Failure::Missing(format!("the {kind} {name} is no longer there"))),
            Err(error) => match Failure::of(error, &format!("read the {kind} {name}")) {
                Failure::Unreachable(why) => Progress::Going(why),
                other => return Err(other),
            },
        };
        match news {
            Progress::Done(what) => {
                session.out.line(&what);
                return Ok(());
            }
            Progress::Failed(why) => return Err(Failure::Failed(why)),
            Progress::Going(what) if what != told => {
                session.notes.line(&what);
                told = what;
            }
            Progress::Going(_) => {}
        }
        if start.elapsed() >= wait.timeout {
            let seconds = wait.timeout.as_secs();
            return Err(Failure::TimeOver(format!(
                "not done after {seconds} s, and going on: {told}"
            )));
        }
        tokio::time::sleep(session.pace).await;
    }
}
