//! Gives the space of compacted history back, while requests go on.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::Member;

/// Reclaims at start, because a crash may have interrupted the last run, and then after every compaction.
pub(super) async fn run(member: Member) {
    loop {
        member.reclaim().await;
        member.0.ears.compacted.notified().await;
    }
}

impl Member {
    /// Returns when everything below the compaction floor is physically gone.
    pub(crate) async fn reclaim(&self) {
        let upkeep = &self.0.upkeep;
        let _one_at_a_time = upkeep.reclaiming.lock().await;
        let store = self.0.store.clone();
        let started = Instant::now();
        let compact_revision = store.view().compacted();
        match tokio::task::spawn_blocking(move || store.clean()).await {
            Ok(Ok(0)) => {}
            Ok(Ok(bytes)) => {
                let counters = self.counters();
                counters
                    .upkeep
                    .compaction_ms
                    .observe(started.elapsed().as_secs_f64() * 1000.0);
                counters.last_compaction_s.set(unix_time_s());
                let took = format!("{:?}", started.elapsed());
                tracing::info!(
                    compact_revision,
                    reclaimed_bytes = bytes,
                    took,
                    "finished scheduled compaction"
                );
            }
            Ok(Err(failure)) => drop(upkeep.failure.send(Some(failure.to_string()))),
            Err(lost) => drop(upkeep.failure.send(Some(lost.to_string()))),
        }
    }

    /// What `Defragment` asks for. Space is reclaimed without a pause here, so this only makes sure that it is done.
    pub async fn defragment(&self) {
        let (_under_way, started) = (self.counters().defragmenting.enter(), Instant::now());
        self.reclaim().await;
        self.counters().upkeep.defrag_s.observe(started.elapsed().as_secs_f64());
        tracing::info!("finished defragmenting directory");
    }
}

fn unix_time_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() as i64
}
