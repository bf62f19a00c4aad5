//! A backup of one moment, as a file that real etcd tools accept.

use std::fs::File;
use std::io::{BufWriter, Write};

use taffrail_store::View;
use taffrail_store::backup::{self, BackupFacts, BackupMember, Chunks};

use crate::{BackupError, Member};

/// Collected before it goes to the scratch file.
const WRITE_BUFFER_BYTES: usize = 1 << 20;

impl Member {
    /// Writes the newest state into a nameless file beside the data, gone when closed, and gives it in pieces.
    pub async fn backup(&self, storage_version: String) -> Result<Chunks, BackupError> {
        let view = self.view();
        let facts = self.backup_facts(&view, storage_version);
        let scratch = self.config().scratch_dir.clone();
        let _reading = self.counters().long_reads.enter();
        let written = tokio::task::spawn_blocking(move || {
            let mut file = tempfile::tempfile_in(scratch)?;
            let data_bytes = write(&view, &facts, &mut file)?;
            Ok(Chunks::new(file, data_bytes)?)
        });
        written.await.map_err(std::io::Error::other)?
    }

    fn backup_facts(&self, view: &View, storage_version: String) -> BackupFacts {
        let member = |info: crate::MemberInfo| BackupMember {
            id: info.id,
            name: info.name,
            peer_urls: info.peer_urls,
            client_urls: info.client_urls,
            is_learner: info.is_learner,
        };
        let position = view.position();
        BackupFacts {
            term: position.term,
            index: position.index,
            cluster_version: view.cluster_version(),
            storage_version,
            members: self.members().into_iter().map(member).collect(),
            removed_members: Vec::new(),
        }
    }
}

fn write(view: &View, facts: &BackupFacts, file: &mut File) -> Result<u64, BackupError> {
    let mut buffered = BufWriter::with_capacity(WRITE_BUFFER_BYTES, &mut *file);
    let summary = backup::write(view, facts, &mut buffered).map_err(|error| BackupError::Store(error.to_string()))?;
    buffered.flush()?;
    tracing::info!(
        revision = summary.revision,
        total_bytes = summary.bytes,
        "sending database snapshot to client"
    );
    Ok(summary.bytes)
}
