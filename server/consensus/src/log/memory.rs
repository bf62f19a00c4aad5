//! What the log knows without reading a file: its marks, its recent entries, and where the older ones are.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use taffrail_store::{Entry, Position};

use super::disk::DiskFile;
use super::window::Window;
use super::{Ballot, entry_bytes};

/// Where a written entry is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub segment: u64,
    pub offset: u64,
}

pub struct Memory {
    pub ballot: Option<Ballot>,
    pub committed: Position,
    pub purged: Position,
    pub last: Position,
    /// Index of the first entry that `places` knows.
    first: u64,
    places: VecDeque<Place>,
    /// The newest entries, up to `last`; those without a place are all here.
    recent: VecDeque<Entry>,
    recent_bytes: usize,
    recent_bytes_max: usize,
    files: BTreeMap<u64, Arc<dyn DiskFile>>,
    /// When the write under way began.
    pub writing_since: Option<Instant>,
    /// openraft's own tests begin logs in the middle.
    #[cfg(test)]
    pub begins_anywhere: bool,
}

/// What a read needs after the lock is released.
pub struct Plan {
    places: Vec<(u64, Place, Arc<dyn DiskFile>)>,
    recent: Vec<Entry>,
    bytes_max: usize,
}

impl Memory {
    /// An empty log whose next entry follows `last`.
    pub fn new(last: Position, recent_bytes_max: usize) -> Self {
        Self {
            ballot: None,
            committed: Position::default(),
            purged: Position::default(),
            last,
            first: last.index + 1,
            places: VecDeque::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            recent_bytes_max,
            files: BTreeMap::new(),
            writing_since: None,
            #[cfg(test)]
            begins_anywhere: false,
        }
    }

    pub fn first_index(&self) -> u64 {
        self.first
    }

    pub fn add_file(&mut self, segment: u64, file: Arc<dyn DiskFile>) {
        self.files.insert(segment, file);
    }

    pub fn forget_file(&mut self, segment: u64) {
        self.files.remove(&segment);
    }

    /// Refuses a hole: raft looks at the last entry only.
    pub fn append(&mut self, entry: Entry) -> Result<(), String> {
        #[cfg(test)]
        if self.begins_anywhere && self.last.index == 0 {
            (self.first, self.last.index) = (entry.position.index, entry.position.index - 1);
        }
        if entry.position.index != self.last.index + 1 {
            return Err(format!(
                "entry {} does not follow entry {}",
                entry.position.index, self.last.index
            ));
        }
        self.last = entry.position;
        self.recent_bytes += entry_bytes(&entry);
        self.recent.push_back(entry);
        Ok(())
    }

    /// The next entries without a place have been written here.
    pub fn placed(&mut self, places: &[Place]) {
        self.places.extend(places);
        while self.recent_bytes > self.recent_bytes_max && self.recent_first() < self.placed_end() {
            self.drop_oldest_recent();
        }
    }

    pub fn truncate(&mut self, last: Position) {
        if last.index >= self.last.index {
            return;
        }
        while self
            .recent
            .back()
            .is_some_and(|entry| entry.position.index > last.index)
        {
            self.recent_bytes -= self.recent.pop_back().as_ref().map_or(0, entry_bytes);
        }
        self.places
            .truncate((last.index + 1).saturating_sub(self.first) as usize);
        // While recovering, a segment may begin after entries that were truncated and later purged.
        self.first = self.first.min(last.index + 1);
        self.last = last;
    }

    /// Also moves over a hole: entries beyond the last one count as seen.
    pub fn purge(&mut self, upto: Position) {
        if upto.index <= self.purged.index {
            return;
        }
        self.purged = upto;
        while self
            .recent
            .front()
            .is_some_and(|entry| entry.position.index <= upto.index)
        {
            self.drop_oldest_recent();
        }
        let gone = (upto.index + 1)
            .saturating_sub(self.first)
            .min(self.places.len() as u64);
        self.places.drain(..gone as usize);
        self.first = self.first.max(upto.index + 1);
        if self.last.index < upto.index {
            self.last = upto;
        }
    }

    /// Which entries of the range a read will return: at least one if there is one.
    pub fn plan(&self, range: Range<u64>, bytes_max: usize) -> Plan {
        let start = range.start.max(self.first);
        let end = range.end.min(self.last.index + 1);
        let places = self.plan_places(start..end.min(self.recent_first()), bytes_max);
        let whole = places.last().map_or(start, |(index, ..)| index + 1) >= self.recent_first().min(end);
        let recent = if whole {
            self.plan_recent(start..end, bytes_max)
        } else {
            Vec::new()
        };
        Plan {
            places,
            recent,
            bytes_max,
        }
    }

    fn plan_places(&self, range: Range<u64>, bytes_max: usize) -> Vec<(u64, Place, Arc<dyn DiskFile>)> {
        // No record is smaller than its header, so more than this many cannot fit.
        let count_max = (bytes_max / super::format::RECORD_HEADER_BYTES).max(1);
        let found = range.take(count_max).map_while(|index| {
            let place = *self.places.get((index - self.first) as usize)?;
            Some((index, place, self.files.get(&place.segment)?.clone()))
        });
        found.collect()
    }

    fn plan_recent(&self, range: Range<u64>, bytes_max: usize) -> Vec<Entry> {
        let skip = range.start.saturating_sub(self.recent_first()) as usize;
        let count = range.end.saturating_sub(range.start.max(self.recent_first())) as usize;
        let mut bytes = 0;
        let fitting = self.recent.iter().skip(skip).take(count).take_while(|entry| {
            let fits = bytes == 0 || bytes + entry_bytes(entry) <= bytes_max;
            bytes += entry_bytes(entry);
            fits
        });
        fitting.cloned().collect()
    }

    fn recent_first(&self) -> u64 {
        self.last.index + 1 - self.recent.len() as u64
    }

    fn placed_end(&self) -> u64 {
        self.first + self.places.len() as u64
    }

    fn drop_oldest_recent(&mut self) {
        self.recent_bytes -= self.recent.pop_front().as_ref().map_or(0, entry_bytes);
    }
}

impl Plan {
    /// Reads what is not in memory. Files of dropped segments stay readable while the plan holds them.
    pub fn read(self) -> io::Result<Vec<Entry>> {
        if self.places.is_empty() {
            return Ok(self.recent);
        }
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut window = Window::default();
        for (index, place, file) in self.places {
            let entry = window.entry(&file, place, index)?;
            bytes += entry_bytes(&entry);
            if bytes > self.bytes_max && !entries.is_empty() {
                return Ok(entries);
            }
            entries.push(entry);
        }
        for entry in self.recent {
            bytes += entry_bytes(&entry);
            if bytes > self.bytes_max {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}
