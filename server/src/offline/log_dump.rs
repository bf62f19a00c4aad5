//! `taffrail log dump`: the raft log in readable form.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::{Map, Value, json};
use taffrail_consensus::StoredMembers;
use taffrail_consensus::log::{Logged, LoggedVote, StoppedLog};
use taffrail_store::{Content, Position, describe};

use super::Stopped;

/// What `--type` may name, beside the kinds of requests.
const KINDS: [&str; 6] = ["blank", "membership", "vote", "truncate", "purge", "committed"];
/// Hints that say nothing the entries do not say: shown if they are asked for.
const QUIET: &str = "committed";

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    data_dir: PathBuf,
    /// The log, where it does not lie in the data directory
    #[arg(long)]
    wal_dir: Option<PathBuf>,
    /// The first entry to print
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// The last entry to print
    #[arg(long, default_value_t = u64::MAX)]
    to: u64,
    /// Only these kinds, such as put,delete,txn,compaction,lease-grant,user-add,membership,vote,committed
    #[arg(long = "type", value_delimiter = ',')]
    kinds: Vec<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// A record as it is printed.
struct Line {
    position: Position,
    kind: &'static str,
    user: String,
    details: Vec<(&'static str, String)>,
}

pub fn run(options: &Options) -> Result<()> {
    ensure!(options.from <= options.to, "--from is after --to");
    let dir = Stopped::open(&options.data_dir, options.wal_dir.as_deref())?;
    let founders = dir.identity.founders.iter();
    let mut names: BTreeMap<u64, String> = founders.map(|founder| (founder.id, founder.name.clone())).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    let walked = StoppedLog::walk(&dir.wal, |logged| -> Result<()> {
        let line = line(&logged, &mut names);
        if options.shows(&line, &logged) {
            line.write(&mut out, options.json)?;
        }
        Ok(())
    });
    out.flush()?;
    walked
}

impl Options {
    fn shows(&self, line: &Line, logged: &Logged) -> bool {
        let in_range = !matches!(logged, Logged::Entry(_)) || (self.from..=self.to).contains(&line.position.index);
        let wanted = if self.kinds.is_empty() {
            line.kind != QUIET
        } else {
            self.kinds.iter().any(|kind| kind == line.kind)
        };
        in_range && wanted
    }
}

fn line(logged: &Logged, names: &mut BTreeMap<u64, String>) -> Line {
    let mark = |kind, position: &Position| Line {
        position: *position,
        kind,
        user: String::new(),
        details: vec![],
    };
    let [blank, membership, vote, truncate, purge, committed] = KINDS;
    match logged {
        Logged::Vote(given) => Line {
            details: vote_details(given, names),
            ..mark(
                vote,
                &Position {
                    term: given.term,
                    index: 0,
                },
            )
        },
        Logged::Truncated(position) => mark(truncate, position),
        Logged::Purged(position) => mark(purge, position),
        Logged::Committed(position) => mark(committed, position),
        Logged::Entry(entry) => match &entry.content {
            Content::Blank => mark(blank, &entry.position),
            Content::Membership(bytes) => Line {
                details: membership_details(bytes, names),
                ..mark(membership, &entry.position)
            },
            Content::Request(bytes) => {
                let described = describe(bytes);
                names.extend(described.named);
                Line {
                    user: described.user,
                    details: described.details,
                    ..mark(described.kind, &entry.position)
                }
            }
        },
    }
}

fn vote_details(vote: &LoggedVote, names: &BTreeMap<u64, String>) -> Vec<(&'static str, String)> {
    vec![
        ("for", member(vote.voted_for, names)),
        ("quorum", vote.committed.to_string()),
    ]
}

fn membership_details(bytes: &[u8], names: &BTreeMap<u64, String>) -> Vec<(&'static str, String)> {
    let members = match StoredMembers::parse(bytes) {
        Ok(members) => members,
        Err(why) => return vec![("damaged", why)],
    };
    let mut details: Vec<_> = members
        .voters
        .iter()
        .map(|voters| {
            let voters: Vec<_> = voters.iter().map(|id| member(*id, names)).collect();
            ("voters", voters.join(","))
        })
        .collect();
    let peers = members.peers.iter();
    details.extend(peers.map(|(id, peer)| {
        let learns = if peer.learner { " learner" } else { "" };
        let urls = peer.peer_urls.join(",");
        ("member", format!("{} {urls}{learns}", member(*id, names)))
    }));
    details
}

/// Id and, as far as the log or the founding has told it, name.
fn member(id: u64, names: &BTreeMap<u64, String>) -> String {
    match names.get(&id).filter(|name| !name.is_empty()) {
        Some(name) => format!("{id:x}({name})"),
        None => format!("{id:x}"),
    }
}

impl Line {
    fn write(&self, out: &mut impl Write, as_json: bool) -> Result<()> {
        if as_json {
            writeln!(out, "{}", self.json())?;
            return Ok(());
        }
        let Position { term, index } = self.position;
        write!(out, "{term:>6} {index:>10} {:<16}", self.kind)?;
        if !self.user.is_empty() {
            write!(out, " user={:?}", self.user)?;
        }
        for (name, text) in &self.details {
            write!(out, " {name}={text}")?;
        }
        writeln!(out)?;
        Ok(())
    }

    /// What stands there more than once is a list.
    fn json(&self) -> Value {
        let mut map = Map::new();
        map.insert("term".into(), json!(self.position.term));
        map.insert("index".into(), json!(self.position.index));
        map.insert("type".into(), json!(self.kind));
        if !self.user.is_empty() {
            map.insert("user".into(), json!(self.user));
        }
        for (name, text) in &self.details {
            let many = self.details.iter().filter(|(other, _)| other == name).count() > 1;
            match map.get_mut(*name) {
                Some(Value::Array(list)) => list.push(json!(text)),
                _ => drop(map.insert((*name).into(), if many { json!([text]) } else { json!(text) })),
            }
        }
        map.into()
    }
}
