//! The engine's files: each table against the checksum that the engine noted when it wrote it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use fjall::AbstractTree;
use xxhash_rust::xxh3::Xxh3Default;

use super::{CheckReport, Finding};
use crate::pinned::Pinned;
use crate::{StoreFailure, View};

const READ_BYTES: usize = 1 << 20;

pub(super) fn check(pinned: &Pinned, _: &View, report: &mut CheckReport) -> Result<(), StoreFailure> {
    let engine = &pinned.engine;
    let keyspaces = [
        ("current", &engine.current),
        ("log", &engine.log),
        ("history", &engine.history),
        ("system", &engine.system),
    ];
    for (name, keyspace) in keyspaces {
        for table in keyspace.tree.current_version().iter_tables() {
            report.tables += 1;
            report.table_bytes += fs::metadata(&**table.path)?.len();
            if checksum(&table.path)? != table.checksum().into_u128() {
                report.add(Finding {
                    keyspace: name,
                    key: None,
                    file: Some(fs::canonicalize(&**table.path)?),
                    why: "the table's checksum is wrong".to_owned(),
                });
            }
        }
    }
    Ok(())
}

fn checksum(path: &Path) -> io::Result<u128> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; READ_BYTES]);
    let mut hash = Xxh3Default::new();
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.digest128()),
            read => hash.update(&buffer[..read]),
        }
    }
}
