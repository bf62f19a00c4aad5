//! A feed's way to a member: opened again whenever it breaks.

use std::sync::Arc;
use std::time::Duration;

use taffrail_proto::etcdserverpb::watch_client::WatchClient;
use taffrail_proto::etcdserverpb::{WatchRequest, WatchResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::feed::Delivery;
use super::hub::Hub;
use super::subject::{Subject, progress};

/// Requests on their way to the member.
const REQUESTS_MAX: usize = 16;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// How long a full queue is waited for where others wait as well, and where nobody else does.
const SHARED_PATIENCE: Duration = Duration::from_millis(100);
const LONE_PATIENCE: Duration = Duration::from_secs(10);

/// How listening ended.
enum Ended {
    /// Nobody listens any more, or all was said.
    Over,
    Broken {
        status: Status,
        heard: bool,
    },
}

/// Runs until the feed is over, or has become part of another one.
pub async fn run(hub: Arc<Hub>, subject: Subject, id: u64) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Ended::Broken { status, heard } = listen(&hub, &subject, id).await else {
            return;
        };
        if is_final(&status, &subject) {
            return tell(hub.fail(&subject, id, &status)).await;
        }
        tracing::debug!(%status, "a watch is opened again");
        pause = if heard {
            FIRST_PAUSE
        } else {
            (pause * 2).min(LAST_PAUSE)
        };
        tokio::time::sleep(pause).await;
    }
}

async fn listen(hub: &Arc<Hub>, subject: &Subject, id: u64) -> Ended {
    let (requests, outgoing) = mpsc::channel::<WatchRequest>(REQUESTS_MAX);
    let Some(from) = hub.open(subject, id, requests.clone()) else {
        return Ended::Over;
    };
    let mut heard = false;
    // Just made: there is room for two.
    let _ = requests.try_send(subject.create(from));
    if from > 0 {
        // Tells when all that has passed was sent, even if there was nothing.
        let _ = requests.try_send(progress());
    }
    let line = hub.remote.line();
    let client = WatchClient::new(line.channel.clone());
    let asked = subject.caller.sign(ReceiverStream::new(outgoing));
    let status = match client.max_decoding_message_size(usize::MAX).watch(asked).await {
        Err(status) => status,
        Ok(answers) => {
            let mut answers = answers.into_inner();
            loop {
                match answers.message().await {
                    Ok(Some(response)) => heard = pass_on(hub, subject, id, &response).await,
                    Ok(None) => break Status::unavailable("the watch stream has ended"),
                    Err(status) => break status,
                }
                if !heard {
                    return Ended::Over;
                }
            }
        }
    };
    if status.code() == Code::Unavailable {
        hub.remote.move_on(&line);
    }
    Ended::Broken { status, heard }
}

/// Tells a response to everybody; false if that was the last one for this feed.
async fn pass_on(hub: &Arc<Hub>, subject: &Subject, id: u64, response: &WatchResponse) -> bool {
    let Some(outcome) = hub.hear(subject, id, response) else {
        return false;
    };
    tell(outcome.deliveries).await;
    !outcome.over && !hub.merge(subject, id)
}

async fn tell(deliveries: Vec<Delivery>) {
    let patience = if deliveries.len() > 1 {
        SHARED_PATIENCE
    } else {
        LONE_PATIENCE
    };
    for Delivery { to, said } in deliveries {
        if let Err(mpsc::error::SendTimeoutError::Timeout(_)) = to.queue.send_timeout(said, patience).await {
            to.too_slow.notify_one();
        }
    }
}

/// What no other try would change.
fn is_final(status: &Status, subject: &Subject) -> bool {
    let lost_leader = status.message() == "etcdserver: no leader" && subject.caller.needs_leader();
    let refused = matches!(
        status.code(),
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented | Code::InvalidArgument
    );
    lost_leader || refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_no_end() {
        let subject = Subject::default();
        assert!(!is_final(&Status::unavailable("connection refused"), &subject));
        assert!(!is_final(&Status::unavailable("etcdserver: no leader"), &subject));
        assert!(is_final(
            &Status::unauthenticated("etcdserver: invalid auth token"),
            &subject
        ));
    }
}
