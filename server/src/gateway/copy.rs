//! Connections in, connections out, and bytes both ways.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::targets::Targets;

/// Connections at a time; further ones wait in the kernel.
const CONNECTIONS_MAX: usize = 16 << 10;
/// Pause after the process ran out of descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Never ends by itself.
pub async fn serve(listener: TcpListener, targets: Arc<Targets>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let permit = Arc::clone(&free).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(carry(stream, Arc::clone(&targets), permit))),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Whoever finds no member is hung up on. One side may stop talking and still listen.
async fn carry(mut client: TcpStream, targets: Arc<Targets>, _permit: OwnedSemaphorePermit) {
    if client.set_nodelay(true).is_err() {
        return;
    }
    let Some(mut member) = targets.dial().await else {
        return;
    };
    if let Err(error) = copy_bidirectional(&mut client, &mut member).await {
        tracing::debug!(%error, "a connection broke");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::pick::Target;
    use super::*;

    async fn listening() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("bound").to_string();
        (listener, address)
    }

    fn target(address: &str) -> Target {
        Target {
            address: address.to_owned(),
            priority: 0,
            weight: 0,
        }
    }

    #[tokio::test]
    async fn who_has_said_all_still_hears_the_answer() {
        let (member, address) = listening().await;
        let (gateway, entrance) = listening().await;
        let targets = Targets::new(vec![target(&address)], Duration::from_secs(60));
        let serving = tokio::spawn(serve(gateway, targets));
        let answering = tokio::spawn(async move {
            let (mut stream, _) = member.accept().await.expect("dialled");
            let mut heard = String::new();
            stream.read_to_string(&mut heard).await.expect("readable");
            stream
                .write_all(heard.to_uppercase().as_bytes())
                .await
                .expect("writable");
        });
        let mut client = TcpStream::connect(&entrance).await.expect("it listens");
        client.write_all(b"question").await.expect("writable");
        client.shutdown().await.expect("half of it closes");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("readable");
        assert_eq!(answer, "QUESTION");
        answering.await.expect("answered");
        serving.abort();
    }

    #[tokio::test]
    async fn the_dead_are_passed_over_until_they_live_again() {
        let (dead, dead_address) = listening().await;
        drop(dead);
        let (_alive, address) = listening().await;
        let targets = Targets::new(vec![target(&dead_address), target(&address)], Duration::from_millis(5));
        for _ in 0..3 {
            let reached = targets.dial().await.expect("one is alive");
            assert_eq!(reached.peer_addr().expect("connected").to_string(), address);
        }
        let back = TcpListener::bind(&dead_address).await.expect("the port is free again");
        let reviving = tokio::spawn(Arc::clone(&targets).revive());
        back.accept().await.expect("it is tried again");
        let reached = async {
            while targets
                .dial()
                .await
                .expect("alive")
                .peer_addr()
                .expect("connected")
                .to_string()
                == address
            {}
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), reached).await;
        waited.expect("it has its turn again");
        reviving.abort();
    }
}
