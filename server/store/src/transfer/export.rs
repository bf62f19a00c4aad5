//! The way out.

use bytes::Bytes;

use super::chunk::{Builder, Progress};
use super::part::{PARTS, Part};
use crate::{StoreFailure, View};

/// A chunk is sent when it has grown to so many bytes. A row that is larger makes a chunk of its own.
const CHUNK_BYTES: usize = 512 << 10;

/// The chunks of a view, first to last. Holds no more than one of them in memory, and the view as long as it lives.
pub struct Export {
    step: Step,
    progress: Progress,
    rows: u64,
    /// Declared last, dropped last: what is being read belongs to it.
    view: View,
}

enum Step {
    Head,
    Rows(Reading),
    End,
    Done,
}

struct Reading {
    part: Part,
    rows: fjall::Iter,
    /// It did not fit into the chunk before.
    kept: Option<(Bytes, Bytes)>,
}

impl View {
    /// Everything another member needs to go on from here. Reads the whole store: run it where blocking does no
    /// harm.
    pub fn export(&self) -> Export {
        Export {
            step: Step::Head,
            progress: Progress::default(),
            rows: 0,
            view: self.clone(),
        }
    }
}

impl Export {
    fn chunk(&mut self) -> Result<Option<Bytes>, StoreFailure> {
        loop {
            match &mut self.step {
                Step::Head => {
                    self.step = self.reading(PARTS[0]);
                    return Ok(Some(Builder::head(&self.progress).finish(&mut self.progress)));
                }
                Step::Rows(reading) => {
                    let mut chunk = Builder::rows(&self.progress, reading.part);
                    let rows = reading.fill(&mut chunk, self.view.compacted())?;
                    if rows > 0 {
                        self.rows += rows;
                        return Ok(Some(chunk.finish(&mut self.progress)));
                    }
                    let part = reading.part;
                    self.step = self.after(part);
                }
                Step::End => {
                    self.step = Step::Done;
                    let end = Builder::end(&self.progress, self.rows, self.view.position());
                    return Ok(Some(end.finish(&mut self.progress)));
                }
                Step::Done => return Ok(None),
            }
        }
    }

    fn after(&self, part: Part) -> Step {
        let next = PARTS.into_iter().find(|next| *next > part);
        next.map_or(Step::End, |next| self.reading(next))
    }

    fn reading(&self, part: Part) -> Step {
        let pinned = self.view.pinned();
        Step::Rows(Reading {
            part,
            rows: part.rows(&pinned.engine, &pinned.snapshot, pinned.state.floor),
            kept: None,
        })
    }
}

impl Reading {
    /// Returns how many rows went in; none are left if it is none.
    fn fill(&mut self, chunk: &mut Builder, floor: i64) -> Result<u64, StoreFailure> {
        let mut rows = 0;
        while let Some((key, value)) = self.next(floor)? {
            if rows > 0 && chunk.len_with(&key, &value) > CHUNK_BYTES {
                self.kept = Some((key, value));
                break;
            }
            chunk.row(&key, &value);
            rows += 1;
        }
        Ok(rows)
    }

    fn next(&mut self, floor: i64) -> Result<Option<(Bytes, Bytes)>, StoreFailure> {
        if let Some(kept) = self.kept.take() {
            return Ok(Some(kept));
        }
        for guard in self.rows.by_ref() {
            let (key, value) = guard.into_inner()?;
            if self.part.takes(&key, floor)? {
                return Ok(Some((key.into(), value.into())));
            }
        }
        Ok(None)
    }
}

impl Iterator for Export {
    type Item = Result<Bytes, StoreFailure>;

    /// Nothing follows a failure.
    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.chunk().transpose();
        if matches!(chunk, Some(Err(_))) {
            self.step = Step::Done;
        }
        chunk
    }
}
