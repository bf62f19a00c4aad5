//! Who can be reached: every member pings every other, leader or not.

use std::sync::Weak;
use std::time::Instant;

use taffrail_proto::taffrailpb::PingRequest;

use super::book::PeerBook;
use super::connection::within;
use super::line::Line;

/// Pings for as long as the book is kept.
pub async fn keep_in_touch(book: Weak<PeerBook>) {
    loop {
        let Some(book) = book.upgrade() else { return };
        let (often, seldom) = (book.pace.election / 20, book.pace.election / 4);
        let pings = book.others().into_iter().map(|id| ping(book.clone(), id));
        let answered = futures::future::join_all(pings).await;
        drop(book);
        // Who has just started is to count as there from then on, not from some ping later.
        let all_there = answered.into_iter().all(|answered| answered);
        tokio::time::sleep(if all_there { seldom } else { often }).await;
    }
}

/// Whether there was an answer.
async fn ping(book: std::sync::Arc<PeerBook>, id: u64) -> bool {
    let started = Instant::now();
    let request = book.addressed(id, PingRequest {});
    let mut client = book.line(id, Line::Beat, &[]);
    let answer = within(book.pace.election / 2, client.ping(request)).await;
    let answer = book.verified(id, answer);
    if answer.is_ok() {
        book.recorder.peer_round_trip(id, started.elapsed());
    } else {
        book.recorder.peer_send_failed(id);
    }
    book.touched(id, answer.is_ok());
    answer.is_ok()
}
