//! `taffrail-operator backup` as a process: one request, one outcome, one exit code.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::places::Places;
use super::progress::Progress;
use super::request::{HOPELESS, REQUEST, TERMINATION_MESSAGE};
use super::{Failure, Outcome, Reason, Request, check, fetch, finish, prune, take};
use crate::args::{Backup, Run};
use crate::telemetry;

/// What is left of a pod's time after SIGTERM for an upload to be taken back.
const GRACE: Duration = Duration::from_secs(20);

/// Becomes true when the process is told to end.
pub type Stop = watch::Receiver<bool>;

/// Does what it is told, and answers the exit code: 0, 1, or [`HOPELESS`].
pub fn run(args: &Backup, run: &Run) -> i32 {
    let outcome = telemetry::start(&run.log_level, run.log_format)
        .map_err(|error| Failure::new(Reason::Invalid, format!("the log cannot be started: {error}")))
        .and_then(|()| asked(args))
        .and_then(|request| operate(&request))
        .unwrap_or_else(|failure| failure.outcome());
    report(&outcome, args.outcome.as_deref());
    exit_code(&outcome)
}

fn asked(args: &Backup) -> Result<Request, Failure> {
    let text = match &args.request {
        Some(path) => std::fs::read_to_string(path).map_err(|error| Failure::disk(path, &error))?,
        None => {
            std::env::var(REQUEST).map_err(|_| invalid(&format!("{REQUEST} is not set, and --request not given")))?
        }
    };
    serde_json::from_str(&text).map_err(|error| invalid(&format!("the request cannot be understood: {error}")))
}

fn operate(request: &Request) -> Result<Outcome, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Reason::Failed, error.to_string()))?;
    let done = runtime.block_on(async { until_told(request, on_signal()?).await });
    // A read that hangs in a thread is not waited for.
    runtime.shutdown_background();
    done
}

async fn until_told(request: &Request, stop: Stop) -> Result<Outcome, Failure> {
    let progress = Arc::<Progress>::default();
    let grace = match request {
        Request::Take(_) => GRACE,
        _ => Duration::ZERO,
    };
    let places = Places::default();
    let work = work(request, &places, progress.clone(), stop.clone());
    tokio::select! {
        done = work => done,
        () = progress.tell(name_of(request)) => Err(stopped()),
        () = async { told(stop).await; tokio::time::sleep(grace).await } => Err(stopped()),
    }
}

/// One work, without a process around it.
///
/// # Errors
/// What it met.
pub async fn work(request: &Request, places: &Places, progress: Arc<Progress>, stop: Stop) -> Result<Outcome, Failure> {
    match request {
        Request::Take(request) => {
            let artifact = take::take(request, places, progress, stop).await?;
            Ok(Outcome::Taken { artifact })
        }
        Request::Fetch(request) => fetch::fetch(request, places, progress).await,
        Request::Finish(request) => finish::finish(request).await.map(|()| Outcome::Finished),
        Request::Check(request) => check::check(request, places).await,
        Request::Prune(request) => prune::prune(request, places, progress).await,
    }
}

fn name_of(request: &Request) -> &'static str {
    match request {
        Request::Take(_) => "take",
        Request::Fetch(_) => "fetch",
        Request::Finish(_) => "finish",
        Request::Check(_) => "check",
        Request::Prune(_) => "prune",
    }
}

/// Returns once the process is told to end.
pub async fn told(mut stop: Stop) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Whoever would tell has gone.
        std::future::pending::<()>().await;
    }
}

fn on_signal() -> Result<Stop, Failure> {
    let (send, receive) = watch::channel(false);
    let failure =
        |error: std::io::Error| Failure::new(Reason::Failed, format!("signals cannot be waited for: {error}"));
    let mut term = signal(SignalKind::terminate()).map_err(failure)?;
    let mut int = signal(SignalKind::interrupt()).map_err(failure)?;
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        tracing::info!("is told to end");
        send.send_replace(true);
        send.closed().await;
    });
    Ok(receive)
}

/// To standard output, and to where the kubelet looks.
fn report(outcome: &Outcome, at: Option<&Path>) {
    match outcome {
        Outcome::Failed {
            reason,
            message,
            hopeless,
        } => tracing::error!(reason, message, hopeless, "failed"),
        done => tracing::info!(outcome = ?done, "done"),
    }
    let line = serde_json::to_string(outcome).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    println!("{line}");
    let at = at.unwrap_or(Path::new(TERMINATION_MESSAGE));
    if at.parent().is_some_and(Path::is_dir)
        && let Err(error) = std::fs::write(at, format!("{line}\n"))
    {
        tracing::warn!(%error, at = %at.display(), "the outcome could not be written");
    }
}

fn exit_code(outcome: &Outcome) -> i32 {
    match outcome {
        Outcome::Failed { hopeless: true, .. } => HOPELESS,
        Outcome::Failed { hopeless: false, .. } => 1,
        _ => 0,
    }
}

fn stopped() -> Failure {
    Failure::new(Reason::Stopped, "the pod was told to end before the work was done")
}

fn invalid(message: &str) -> Failure {
    Failure::new(Reason::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_not_understood_is_not_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let (request, outcome) = (folder.path().join("request"), folder.path().join("outcome"));
        std::fs::write(&request, r#"{"do":"dance"}"#).unwrap();
        let args = Backup {
            request: Some(request),
            outcome: Some(outcome.clone()),
        };
        let failed = asked(&args).unwrap_err().outcome();
        report(&failed, args.outcome.as_deref());
        assert_eq!(exit_code(&failed), HOPELESS);
        let text = std::fs::read_to_string(outcome).unwrap();
        assert_eq!(
            (text.lines().count(), serde_json::from_str::<Outcome>(&text).unwrap()),
            (1, failed)
        );
    }

    #[tokio::test]
    async fn whoever_is_not_told_goes_on() {
        let (send, stop) = watch::channel(false);
        drop(send);
        assert!(
            tokio::time::timeout(Duration::from_millis(20), told(stop))
                .await
                .is_err()
        );
    }
}
