//! Opens a folder of segments and gives back what they hold, or refuses.

use std::sync::Arc;

use bytes::Bytes;
use taffrail_store::Position;

use super::disk::Disk;
use super::error::OpenLogError;
use super::format::{FORMAT_VERSION, HeaderError, Kind, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::memory::{Memory, Place};
use super::scan::{Found, Scan};
use super::segments::{Current, Segment, name, sequence_of};
use super::tail::{Verdict, is_zero, judge};
use super::window::entry;
use super::{Ballot, LogOptions};

/// What the writer goes on from.
pub struct Recovered {
    pub memory: Memory,
    /// Oldest first; the last one is written to.
    pub segments: Vec<Segment>,
    pub current: Option<Current>,
}

pub fn recover(disk: &Arc<dyn Disk>, options: &LogOptions) -> Result<Recovered, OpenLogError> {
    let sequences = list(disk)?;
    let mut recovered = Recovered {
        memory: Memory::new(Position::default(), options.recent_bytes_max),
        segments: vec![],
        current: None,
    };
    for (place, sequence) in sequences.iter().enumerate() {
        let is_last = place + 1 == sequences.len();
        recovered.read_segment(disk, *sequence, is_last, options)?;
    }
    recovered.check_start()?;
    // A crash may have come between a rename and the sync of the folder.
    disk.sync_names().map_err(|source| OpenLogError::Io {
        file: disk.describe(""),
        source,
    })?;
    Ok(recovered)
}

/// Half-made files are removed.
fn list(disk: &Arc<dyn Disk>) -> Result<Vec<u64>, OpenLogError> {
    let io = |name: &str, source| OpenLogError::Io {
        file: disk.describe(name),
        source,
    };
    let names = disk.list().map_err(|source| io("", source))?;
    for half_made in names.iter().filter(|name| name.ends_with(".tmp")) {
        disk.remove(half_made).map_err(|source| io(half_made, source))?;
    }
    in_order(disk, &names)
}

/// The segments that exist, in order and without a hole.
pub fn sequences(disk: &Arc<dyn Disk>) -> Result<Vec<u64>, OpenLogError> {
    let names = disk.list().map_err(|source| OpenLogError::Io {
        file: disk.describe(""),
        source,
    })?;
    in_order(disk, &names)
}

fn in_order(disk: &Arc<dyn Disk>, names: &[String]) -> Result<Vec<u64>, OpenLogError> {
    let mut sequences: Vec<u64> = names.iter().filter_map(|name| sequence_of(name)).collect();
    sequences.sort_unstable();
    match sequences.windows(2).find(|pair| pair[1] != pair[0] + 1) {
        Some(pair) => Err(OpenLogError::Missing {
            file: disk.describe(&name(pair[0] + 1)),
        }),
        None => Ok(sequences),
    }
}

impl Recovered {
    fn read_segment(
        &mut self,
        disk: &Arc<dyn Disk>,
        sequence: u64,
        is_last: bool,
        options: &LogOptions,
    ) -> Result<(), OpenLogError> {
        let name = name(sequence);
        let io = |source| OpenLogError::Io {
            file: disk.describe(&name),
            source,
        };
        let file = disk.open(&name).map_err(io)?;
        let mut bytes = vec![0; file.bytes().map_err(io)? as usize];
        file.read_at(&mut bytes, 0).map_err(io)?;
        let bytes = Bytes::from(bytes);

        let Some(header) = self.header(disk, sequence, is_last, &bytes)? else {
            disk.remove(&name).map_err(io)?;
            return Ok(());
        };
        if self.segments.is_empty() {
            let last = Position {
                term: header.last_term,
                index: header.last_index,
            };
            self.memory = Memory::new(last, options.recent_bytes_max);
        }
        self.memory.add_file(sequence, file.clone());
        let mut segment = Segment {
            sequence,
            file: file.clone(),
            highest_index: header.last_index,
        };
        let mut scan = Scan::new(bytes.clone(), &header);
        while let Some(records) = scan.next_batch() {
            for found in records {
                self.replay(&mut segment, found)
                    .map_err(|(offset, why)| damaged(disk, &name, offset, why))?;
            }
        }
        self.segments.push(segment);
        if is_last {
            match judge(&bytes, &scan.spot()) {
                Verdict::Unwritten if scan.spot().at == scan.end => {}
                Verdict::Unwritten => wipe(&*file, scan.end, scan.spot().at).map_err(io)?,
                Verdict::Torn { end } => {
                    tracing::warn!(
                        file = name,
                        from = scan.end,
                        to = end,
                        "dropped a write that was cut short"
                    );
                    wipe(&*file, scan.end, end).map_err(io)?;
                }
                Verdict::Damaged(why) => return Err(damaged(disk, &name, scan.spot().at as u64, why)),
            }
            // What was read may have been in the cache of the operating system only.
            file.sync().map_err(io)?;
        }
        self.current = Some(Current {
            end: scan.end as u64,
            bytes: header.bytes,
            chain: scan.chain,
            batch: scan.batch,
        });
        Ok(())
    }

    /// The header, or none for a last segment that a crash left before its first write.
    fn header(
        &self,
        disk: &Arc<dyn Disk>,
        sequence: u64,
        is_last: bool,
        bytes: &Bytes,
    ) -> Result<Option<SegmentHeader>, OpenLogError> {
        let file = name(sequence);
        let bad = |why: &str| damaged(disk, &file, 0, why.into());
        let header = match SegmentHeader::decode(bytes) {
            Ok(header) => header,
            Err(HeaderError::Newer(found)) => {
                return Err(OpenLogError::Newer {
                    file: disk.describe(&file),
                    found,
                    known: FORMAT_VERSION,
                });
            }
            Err(HeaderError::Damaged) if is_last && self.never_written(sequence, bytes) => return Ok(None),
            Err(HeaderError::Damaged) => return Err(bad("its header cannot be read")),
        };
        if header.sequence != sequence {
            return Err(bad("it was written under another name"));
        }
        if header.bytes != bytes.len() as u64 {
            return Err(bad("the file has another length than it was made with"));
        }
        match &self.current {
            Some(before) if (before.chain, before.batch + 1) != (header.chain, header.batch) => {
                Err(bad("the file before it does not end where this one begins"))
            }
            _ => Ok(Some(header)),
        }
    }

    fn never_written(&self, sequence: u64, bytes: &Bytes) -> bool {
        let batch = self.current.as_ref().map_or(1, |before| before.batch + 1);
        let spot = super::tail::Spot {
            at: 0,
            claimed_end: SEGMENT_HEADER_BYTES,
            batch,
            salt: super::format::salt(sequence),
        };
        let header_is_zero = bytes.len() >= SEGMENT_HEADER_BYTES && is_zero(&bytes[..SEGMENT_HEADER_BYTES]);
        let may_be_new = self.current.is_some() || sequence == 1;
        may_be_new && header_is_zero && !matches!(judge(bytes, &spot), Verdict::Damaged(_))
    }

    fn replay(&mut self, segment: &mut Segment, (record, offset, payload): Found) -> Result<(), (u64, String)> {
        let position = Position {
            term: record.term,
            index: record.index,
        };
        match record.kind {
            Kind::Ballot => {
                let committed = record.committed;
                self.memory.ballot = Some(Ballot {
                    term: record.term,
                    voted_for: record.index,
                    committed,
                });
            }
            Kind::Truncate => self.memory.truncate(position),
            Kind::Purge => self.memory.purge(position),
            Kind::Committed => self.memory.committed = position,
            Kind::Blank | Kind::Request | Kind::Membership => {
                // Recent entries would otherwise keep the whole segment they were read from in memory.
                let payload = Bytes::copy_from_slice(&payload);
                segment.highest_index = segment.highest_index.max(record.index);
                let entry = entry(&record, payload).ok_or((offset, "not an entry".to_owned()))?;
                self.memory.append(entry).map_err(|why| (offset, why))?;
                self.memory.placed(&[Place {
                    segment: segment.sequence,
                    offset,
                }]);
            }
        }
        Ok(())
    }

    /// The first segments may be gone only if a purge covered them.
    fn check_start(&self) -> Result<(), OpenLogError> {
        let (first, purged) = (self.memory.first_index(), self.memory.purged.index);
        if first > purged + 1 {
            Err(OpenLogError::Gap { first, purged })
        } else {
            Ok(())
        }
    }
}

fn wipe(file: &dyn super::disk::DiskFile, from: usize, to: usize) -> std::io::Result<()> {
    file.write_at(&vec![0; to - from], from as u64)
}

fn damaged(disk: &Arc<dyn Disk>, name: &str, offset: u64, why: String) -> OpenLogError {
    OpenLogError::Damaged {
        file: disk.describe(name),
        offset,
        why,
    }
}
