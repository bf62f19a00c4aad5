//! `taffrail check`: reads everything a stopped member has, and says what does not fit together.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use taffrail_consensus::log::{LogSummary, StoppedLog};
use taffrail_store::{CheckReport, Finding, StoppedStore, View};

use super::Stopped;
use crate::hex::hex;

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    data_dir: PathBuf,
    /// The raft log, where it does not lie in the data directory
    #[arg(long)]
    wal_dir: Option<PathBuf>,
}

/// What was found so far.
#[derive(Default)]
struct Report {
    damages: u64,
    first: Option<String>,
}

impl Report {
    fn damage(&mut self, what: String) {
        println!("damage: {what}");
        self.damages += 1;
        self.first.get_or_insert(what);
    }
}

pub fn run(options: &Options) -> Result<()> {
    let dir = Stopped::open(&options.data_dir, options.wal_dir.as_deref())?;
    let mut report = Report::default();
    let identity = &dir.identity;
    println!(
        "identity: member {:x} of cluster {:x}, {} founders",
        identity.member_id,
        identity.cluster_id,
        identity.founders.len()
    );
    if dir.root.join("removed").exists() {
        println!("note: the member was removed from its cluster and will not start again");
    }
    let log = check_log(&dir, &mut report);
    check_store(&dir, log.as_ref(), &mut report);
    match report.first {
        None => println!("no damage found"),
        Some(first) => bail!(
            "{} damaged, the first: {first}. Restore the member from a snapshot, or remove it from its cluster and add \
             it again empty",
            report.damages
        ),
    }
    Ok(())
}

fn check_log(dir: &Stopped, report: &mut Report) -> Option<StoppedLog> {
    eprintln!("checking the raft log ...");
    match StoppedLog::open(&dir.wal) {
        Ok(log) => {
            print_log(log.summary());
            Some(log)
        }
        Err(why) => {
            report.damage(why.to_string());
            None
        }
    }
}

fn print_log(summary: &LogSummary) {
    let LogSummary {
        vote,
        first_index,
        last,
        committed,
        purged,
        segments,
        bytes,
        cut,
    } = summary;
    println!(
        "raft log: {segments} segments of {bytes} bytes, entries {first_index} to {}, term {}, known to be committed {}, \
         purged {}",
        last.index, last.term, committed.index, purged.index
    );
    if let Some(vote) = vote {
        println!("vote: term {} for {:x}", vote.term, vote.voted_for);
    }
    if let Some((file, stretch)) = cut {
        println!(
            "note: the last write to {file} was cut short, bytes {} to {}: a start drops it",
            stretch.start, stretch.end
        );
    }
}

fn check_store(dir: &Stopped, log: Option<&StoppedLog>, report: &mut Report) {
    eprintln!("opening the store ...");
    let state = match StoppedStore::open(&dir.store()) {
        Ok(state) => state,
        Err(why) => return report.damage(why.to_string()),
    };
    for cut in state.cut_journals() {
        println!(
            "note: {} cannot be read from byte {} on ({} bytes): a start takes them from the raft log",
            cut.file.display(),
            cut.offset,
            cut.lost_bytes
        );
    }
    let view = state.store().view();
    print_state(&view);
    if let Some(Err(why)) = log.map(|log| log.fits(view.position(), view.installed())) {
        report.damage(why);
    }
    drop(view);
    print_store(&state.check(&mut |what| eprintln!("checking {what} ...")), report);
}

fn print_state(view: &View) {
    let position = view.position();
    println!(
        "state: applied entry {} of term {}, revision {}, compacted at {}",
        position.index,
        position.term,
        view.revision(),
        view.compacted()
    );
}

fn print_store(checked: &CheckReport, report: &mut Report) {
    let CheckReport {
        tables,
        table_bytes,
        keys,
        log_rows,
        history_rows,
        system_rows,
        leases,
        attached_keys,
        users,
        roles,
        findings,
        damages,
    } = checked;
    println!("store: {tables} tables of {table_bytes} bytes");
    println!("rows: current {keys}, log {log_rows}, history {history_rows}, system {system_rows}");
    println!("leases: {leases} with {attached_keys} keys; users: {users}; roles: {roles}");
    for finding in findings {
        report.damage(text(finding));
    }
    let untold = damages - findings.len() as u64;
    if untold > 0 {
        println!("... and {untold} more");
        report.damages += untold;
    }
}

fn text(finding: &Finding) -> String {
    let Finding {
        keyspace,
        key,
        file,
        why,
    } = finding;
    let key = key.as_ref().map(|key| format!(", key {}", hex(key)));
    let file = file.as_ref().map(|file| format!(", file {}", file.display()));
    format!(
        "keyspace {keyspace}{}{}: {why}",
        key.unwrap_or_default(),
        file.unwrap_or_default()
    )
}
