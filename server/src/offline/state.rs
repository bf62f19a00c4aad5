//! The state of a stopped member as it would be after a start: what the log holds and the state lacks is applied.

use anyhow::{Context, Result, anyhow};
use taffrail_consensus::StoredMembers;
use taffrail_consensus::log::StoppedLog;
use taffrail_store::backup::{BackupFacts, BackupMember};
use taffrail_store::{StoppedStore, View};

use super::Stopped;

/// Entries taken from the log at once.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// A state that has everything that was committed.
pub struct CaughtUp {
    pub state: StoppedStore,
    /// Entries at the end of the log of which this member alone does not know whether they were committed.
    pub left_out: u64,
}

impl CaughtUp {
    /// Changes nothing in the directory.
    ///
    /// # Errors
    /// What would keep a member from starting on it.
    pub fn open(dir: &Stopped) -> Result<Self> {
        let log = StoppedLog::open(&dir.wal)?;
        let mut state = StoppedStore::open(&dir.store()).context("cannot open the store")?;
        let view = state.store().view();
        log.fits(view.position(), view.installed())
            .map_err(|why| anyhow!(why))?;
        let last = last_index(&log, &view)?;
        let mut next = view.position().index + 1;
        while next <= last {
            let entries = log.read(next..last + 1, BATCH_BYTES_MAX)?;
            let newest = entries.last().context("the log has a hole")?;
            next = newest.position.index + 1;
            state.apply(&entries)?;
        }
        let left_out = log.summary().last.index.saturating_sub(last);
        Ok(Self { state, left_out })
    }

    pub fn view(&self) -> View {
        self.state.store().view()
    }

    /// What a snapshot file tells about the cluster.
    ///
    /// # Errors
    /// If the stored membership cannot be read.
    pub fn backup_facts(&self, storage_version: String) -> Result<BackupFacts> {
        let view = self.view();
        let position = view.position();
        let members = members(&view)?;
        let peers = members.iter().flat_map(|members| members.peers.iter());
        let member = |(id, peer): (&u64, &taffrail_consensus::Peer)| {
            let attributes = view.member_attributes(*id).unwrap_or_default();
            BackupMember {
                id: *id,
                name: attributes.name,
                peer_urls: peer.peer_urls.clone(),
                client_urls: attributes.client_urls,
                is_learner: peer.learner,
            }
        };
        Ok(BackupFacts {
            term: position.term,
            index: position.index,
            cluster_version: view.cluster_version(),
            storage_version,
            members: peers.map(member).collect(),
            removed_members: Vec::new(),
        })
    }
}

/// Who votes alone commits whatever it has logged; of several, only what the log says to be committed counts.
fn last_index(log: &StoppedLog, view: &View) -> Result<u64> {
    let summary = log.summary();
    let is_alone = members(view)?.is_none_or(|members| members.peers.len() <= 1);
    Ok(if is_alone {
        summary.last.index
    } else {
        summary.committed.index
    })
}

fn members(view: &View) -> Result<Option<StoredMembers>> {
    let stored = view.consensus_membership();
    let parsed = stored.map(|(_, bytes)| StoredMembers::parse(&bytes)).transpose();
    parsed.map_err(|why| anyhow!(why))
}
