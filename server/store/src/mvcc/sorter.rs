//! Sorts more versions than fit into memory: runs of bounded size on disk, merged on the way out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::Revision;
use crate::StoreFailure;
use crate::schema::record::Record;

const RUN_BYTES_MAX: usize = 64 << 20;
const ITEM_OVERHEAD_BYTES: usize = 128;
const FILE_BUFFER_BYTES: usize = 256 << 10;

/// A version with its key; a tombstone has no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) revision: Revision,
    pub(crate) key: Bytes,
    pub(crate) record: Option<Record>,
}

pub(crate) struct Sorter {
    dir: PathBuf,
    run_bytes_max: usize,
    items: Vec<Item>,
    bytes: usize,
    runs: Vec<File>,
}

impl Sorter {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            run_bytes_max: RUN_BYTES_MAX,
            items: Vec::new(),
            bytes: 0,
            runs: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, item: Item) -> Result<(), StoreFailure> {
        self.bytes += item.key.len() + item.record.as_ref().map_or(0, |record| record.raw().len());
        self.bytes += ITEM_OVERHEAD_BYTES;
        // Copies: the engine's slices may keep whole blocks alive.
        let record = item
            .record
            .map(|record| Record::parse(Bytes::copy_from_slice(record.raw())))
            .transpose()?;
        self.items.push(Item {
            key: Bytes::copy_from_slice(&item.key),
            record,
            ..item
        });
        if self.bytes >= self.run_bytes_max {
            self.spill()
        } else {
            Ok(())
        }
    }

    /// The run's file has no name, so nothing is left behind whatever happens.
    fn spill(&mut self) -> Result<(), StoreFailure> {
        std::fs::create_dir_all(&self.dir)?;
        let mut file = BufWriter::with_capacity(FILE_BUFFER_BYTES, tempfile::tempfile_in(&self.dir)?);
        self.items.sort_unstable_by_key(|item| item.revision);
        for item in self.items.drain(..) {
            write(&mut file, &item)?;
        }
        let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(file);
        self.bytes = 0;
        Ok(())
    }

    pub(crate) fn sorted(mut self) -> Result<Sorted, StoreFailure> {
        self.items.sort_unstable_by_key(|item| Reverse(item.revision));
        let runs = self
            .runs
            .into_iter()
            .map(|file| Run::File(BufReader::with_capacity(FILE_BUFFER_BYTES, file)));
        let mut sorted = Sorted {
            runs: Vec::new(),
            heads: BinaryHeap::new(),
            next: Vec::new(),
        };
        for run in runs.chain([Run::Memory(self.items)]) {
            sorted.add(run)?;
        }
        Ok(sorted)
    }
}

enum Run {
    File(BufReader<File>),
    /// Last first.
    Memory(Vec<Item>),
}

impl Run {
    fn next(&mut self) -> Result<Option<Item>, StoreFailure> {
        match self {
            Self::File(file) => read(file),
            Self::Memory(items) => Ok(items.pop()),
        }
    }
}

/// Items in order of their revisions.
pub(crate) struct Sorted {
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<(Revision, usize)>>,
    next: Vec<Option<Item>>,
}

impl Sorted {
    fn add(&mut self, mut run: Run) -> Result<(), StoreFailure> {
        let head = run.next()?;
        if let Some(head) = &head {
            self.heads.push(Reverse((head.revision, self.runs.len())));
        }
        self.runs.push(run);
        self.next.push(head);
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Item>, StoreFailure> {
        let Some(Reverse((_, run))) = self.heads.pop() else {
            return Ok(None);
        };
        let following = self.runs[run].next()?;
        if let Some(following) = &following {
            self.heads.push(Reverse((following.revision, run)));
        }
        Ok(std::mem::replace(&mut self.next[run], following))
    }
}

impl Iterator for Sorted {
    type Item = Result<Item, StoreFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// main 8, sub 4, key length 4, record length 4 (0: tombstone), key, record; read back by the same process only.
fn write(file: &mut impl Write, item: &Item) -> std::io::Result<()> {
    let record = item.record.as_ref().map_or(&[][..], |record| record.raw());
    file.write_all(&item.revision.main.to_be_bytes())?;
    file.write_all(&item.revision.sub.to_be_bytes())?;
    file.write_all(&(item.key.len() as u32).to_be_bytes())?;
    file.write_all(&(record.len() as u32).to_be_bytes())?;
    file.write_all(&item.key)?;
    file.write_all(record)
}

fn read(file: &mut impl Read) -> Result<Option<Item>, StoreFailure> {
    let mut main = [0; 8];
    match file.read_exact(&mut main) {
        Err(why) if why.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        outcome => outcome?,
    }
    let (sub, key_len, record_len) = (number(file)?, number(file)?, number(file)?);
    let mut bytes = vec![0; key_len as usize + record_len as usize];
    file.read_exact(&mut bytes)?;
    let mut key = Bytes::from(bytes);
    let record = key.split_off(key_len as usize);
    let record = (record_len > 0).then(|| Record::parse(record)).transpose()?;
    Ok(Some(Item {
        revision: Revision {
            main: i64::from_be_bytes(main),
            sub,
        },
        key,
        record,
    }))
}

fn number(file: &mut impl Read) -> std::io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::record::Parts;
    use proptest::prelude::*;

    fn item(main: i64, sub: u32, value: Option<Vec<u8>>) -> Item {
        let revision = Revision { main, sub };
        let record = value.map(|value| {
            Record::new(&Parts {
                create_revision: 1,
                revision,
                version: 1,
                lease: 0,
                value: &value,
            })
        });
        Item {
            revision,
            key: Bytes::from(format!("key{main}")),
            record,
        }
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_in_order_however_small_the_runs(
            revisions in proptest::collection::btree_map((0i64..50, 0u32..3), any::<Option<Vec<u8>>>(), 0..60),
            run_bytes_max in 0usize..4000,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut sorter = Sorter::new(dir.path());
            sorter.run_bytes_max = run_bytes_max;
            let items: Vec<_> = revisions.into_iter().map(|((main, sub), value)| item(main, sub, value)).collect();
            for item in items.iter().rev() {
                sorter.push(item.clone()).unwrap();
            }
            let sorted: Result<Vec<_>, _> = sorter.sorted().unwrap().collect();
            prop_assert_eq!(sorted.unwrap(), items);
        }
    }
}
