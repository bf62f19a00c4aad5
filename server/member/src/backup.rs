//! A backup of one moment, as a file that real etcd tools accept.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};

use taffrail_store::View;
use taffrail_store::backup::{self, BackupFacts, BackupMember};

use crate::{BackupError, Member};

/// Collected before it goes to the scratch file.
const WRITE_BUFFER_BYTES: usize = 1 << 20;

impl Member {
    /// Writes the newest state into a nameless file beside the data, rewound to its start. It is gone when closed.
    pub async fn backup(&self, storage_version: String) -> Result<File, BackupError> {
        let facts = self.backup_facts(storage_version);
        let view = self.view();
        let scratch = self.config().scratch_dir.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut file = tempfile::tempfile_in(scratch)?;
            write(&view, &facts, &mut file)?;
            Ok(file)
        });
        written.await.map_err(std::io::Error::other)?
    }

    fn backup_facts(&self, storage_version: String) -> BackupFacts {
        let status = self.status();
        let member = |info: crate::MemberInfo| BackupMember {
            id: info.id,
            name: info.name,
            peer_urls: info.peer_urls,
            client_urls: info.client_urls,
            is_learner: info.is_learner,
        };
        let position = self.view().position();
        BackupFacts {
            term: position.term,
            index: position.index,
            cluster_version: status.cluster_version,
            storage_version,
            members: self.members().into_iter().map(member).collect(),
            removed_members: Vec::new(),
        }
    }
}

fn write(view: &View, facts: &BackupFacts, file: &mut File) -> Result<(), BackupError> {
    let mut buffered = BufWriter::with_capacity(WRITE_BUFFER_BYTES, &mut *file);
    let summary = backup::write(view, facts, &mut buffered).map_err(|error| BackupError::Store(error.to_string()))?;
    buffered.flush()?;
    drop(buffered);
    file.rewind()?;
    tracing::info!(
        revision = summary.revision,
        total_bytes = summary.bytes,
        "sending database snapshot to client"
    );
    Ok(())
}
