//! A report as the tables of a profile, in which every string, function and place stands once.

use std::collections::HashMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pprof::{Frames, Report, Symbol};
use taffrail_proto::profiles::{Function, Label, Line, Location, Mapping, Profile, Sample, ValueType};

use super::heap::{Amounts, SAMPLE_BYTES};

/// In the names of the functions that keep allocations.
const OWN_FRAMES: &str = "profile::heap::";
const NANOS_PER_SECOND: i64 = 1_000_000_000;

#[derive(Default)]
pub(super) struct Tables {
    profile: Profile,
    strings: HashMap<String, i64>,
    functions: HashMap<(i64, i64), u64>,
    /// Lines of one place in the code: several where functions were inlined.
    locations: HashMap<Vec<(u64, i64)>, u64>,
}

impl Tables {
    /// As Go's own profiles of processors are: samples are counted and told as time.
    pub fn cpu(report: &Report) -> Profile {
        let mut tables = Tables::new(
            &[("samples", "count"), ("cpu", "nanoseconds")],
            report.timing.start_time,
        );
        let period = NANOS_PER_SECOND / i64::from(report.timing.frequency.max(1));
        tables.profile.period_type = Some(tables.value_type("cpu", "nanoseconds"));
        tables.profile.period = period;
        tables.profile.duration_nanos = report.timing.duration.as_nanos() as i64;
        for (frames, count) in &report.data {
            tables.cpu_sample(frames, *count as i64, period);
        }
        tables.profile
    }

    /// As Go's own profiles of the heap are.
    pub fn heap(kept: &[(Vec<usize>, Amounts)]) -> Profile {
        let columns = [
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ];
        let mut tables = Tables::new(&columns, SystemTime::now());
        tables.profile.period_type = Some(tables.value_type("space", "bytes"));
        tables.profile.period = SAMPLE_BYTES as i64;
        for (stack, amounts) in kept {
            let location_id = tables.heap_locations(stack);
            let value = amounts.scaled().to_vec();
            tables.profile.sample.push(Sample {
                location_id,
                value,
                label: Vec::new(),
            });
        }
        tables.profile
    }

    fn new(columns: &[(&str, &str)], taken: SystemTime) -> Self {
        let mut tables = Tables::default();
        tables.string("");
        let columns = columns.iter().map(|(kind, unit)| tables.value_type(kind, unit));
        let columns: Vec<_> = columns.collect();
        tables.profile.sample_type = columns;
        tables.profile.time_nanos = taken.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as i64;
        tables.mapping();
        tables
    }

    fn mapping(&mut self) {
        let filename = std::env::current_exe().unwrap_or_default();
        self.profile.mapping = vec![Mapping {
            id: 1,
            filename: self.string(&filename.to_string_lossy()),
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
        }];
    }

    fn cpu_sample(&mut self, frames: &Frames, count: i64, period: i64) {
        let location_id = frames.frames.iter().map(|inlined| self.location(inlined)).collect();
        let label = Label {
            key: self.string("thread"),
            str: self.string(&frames.thread_name_or_id()),
        };
        self.profile.sample.push(Sample {
            location_id,
            value: vec![count, count * period],
            label: vec![label],
        });
    }

    /// Without the frames of whoever keeps the allocation.
    fn heap_locations(&mut self, stack: &[usize]) -> Vec<u64> {
        let frames: Vec<Vec<Symbol>> = stack.iter().map(|address| symbols(*address)).collect();
        let is_ours = |frame: &Vec<Symbol>| frame.iter().any(|symbol| symbol.name().contains(OWN_FRAMES));
        let first = frames.iter().rposition(is_ours).map_or(0, |last| last + 1);
        frames[first..].iter().map(|inlined| self.location(inlined)).collect()
    }

    fn location(&mut self, inlined: &[Symbol]) -> u64 {
        let lines: Vec<_> = inlined.iter().map(|symbol| self.line(symbol)).collect();
        if let Some(id) = self.locations.get(&lines) {
            return *id;
        }
        let id = self.profile.location.len() as u64 + 1;
        let line = |(function_id, line): &(u64, i64)| Line {
            function_id: *function_id,
            line: *line,
        };
        self.profile.location.push(Location {
            id,
            mapping_id: 1,
            address: 0,
            line: lines.iter().map(line).collect(),
        });
        self.locations.insert(lines, id);
        id
    }

    fn line(&mut self, symbol: &Symbol) -> (u64, i64) {
        let (name, system_name) = (self.string(&symbol.name()), self.string(&symbol.sys_name()));
        let filename = self.string(&symbol.filename());
        let next = self.profile.function.len() as u64 + 1;
        let id = *self.functions.entry((system_name, filename)).or_insert(next);
        if id == next {
            self.profile.function.push(Function {
                id,
                name,
                system_name,
                filename,
            });
        }
        (id, symbol.lineno().into())
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> ValueType {
        ValueType {
            r#type: self.string(kind),
            unit: self.string(unit),
        }
    }

    fn string(&mut self, text: &str) -> i64 {
        if let Some(place) = self.strings.get(text) {
            return *place;
        }
        let place = self.profile.string_table.len() as i64;
        self.profile.string_table.push(text.to_owned());
        self.strings.insert(text.to_owned(), place);
        place
    }
}

fn symbols(address: usize) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    // A return address stands behind its call.
    backtrace::resolve(address.saturating_sub(1) as *mut std::ffi::c_void, |symbol| {
        symbols.push(Symbol {
            name: symbol.name().map(|name| name.as_bytes().to_vec()),
            addr: None,
            lineno: symbol.lineno(),
            filename: symbol.filename().map(Path::to_path_buf),
        });
    });
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(thread: &str, names: &[&str]) -> Frames {
        let symbol = |name: &&str| Symbol {
            name: Some(name.as_bytes().to_vec()),
            addr: None,
            lineno: Some(7),
            filename: None,
        };
        Frames {
            frames: names.iter().map(|name| vec![symbol(name)]).collect(),
            thread_name: thread.to_owned(),
            thread_id: 1,
            sample_timestamp: SystemTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_occurs_twice_stands_once() {
        let report = Report {
            data: [(frames("a", &["inner", "outer"]), 3), (frames("b", &["outer"]), 1)].into(),
            // One sample a second.
            timing: Default::default(),
        };
        let profile = Tables::cpu(&report);
        assert_eq!((profile.function.len(), profile.location.len()), (2, 2));
        assert_eq!(profile.string_table[0], "");
        let mut values: Vec<_> = profile.sample.iter().map(|sample| sample.value.clone()).collect();
        values.sort();
        assert_eq!(values, [[1, 1_000_000_000], [3, 3_000_000_000]]);
    }
}
