//! A report as the tables of a profile, in which every string, function and place stands once.

use std::collections::HashMap;
use std::time::UNIX_EPOCH;

use pprof::{Frames, Report, Symbol};
use taffrail_proto::profiles::{Function, Label, Line, Location, Mapping, Profile, Sample, ValueType};

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
    pub fn profile(report: &Report) -> Profile {
        let mut tables = Tables::default();
        tables.string("");
        tables.head(report);
        let period = tables.profile.period;
        for (frames, count) in &report.data {
            tables.sample(frames, *count as i64, period);
        }
        tables.profile
    }

    /// As Go's own profiles begin: samples are counted and told as time.
    fn head(&mut self, report: &Report) {
        let timing = &report.timing;
        let start = timing.start_time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let samples = self.value_type("samples", "count");
        let cpu = self.value_type("cpu", "nanoseconds");
        self.profile.sample_type = vec![samples, cpu];
        self.profile.period_type = Some(cpu);
        self.profile.period = NANOS_PER_SECOND / i64::from(timing.frequency.max(1));
        self.profile.time_nanos = start.as_nanos() as i64;
        self.profile.duration_nanos = timing.duration.as_nanos() as i64;
        let filename = std::env::current_exe().unwrap_or_default();
        self.profile.mapping = vec![Mapping {
            id: 1,
            filename: self.string(&filename.to_string_lossy()),
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
        }];
    }

    fn sample(&mut self, frames: &Frames, count: i64, period: i64) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

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
            timing: pprof::ReportTiming {
                frequency: 100,
                start_time: SystemTime::UNIX_EPOCH,
                duration: Duration::from_secs(1),
            },
        };
        let profile = Tables::profile(&report);
        assert_eq!((profile.function.len(), profile.location.len()), (2, 2));
        assert_eq!(profile.string_table[0], "");
        let mut values: Vec<_> = profile.sample.iter().map(|sample| sample.value.clone()).collect();
        values.sort();
        assert_eq!(values, [[1, 10_000_000], [3, 30_000_000]]);
    }
}
