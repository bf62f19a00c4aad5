//! Log lines in the shape of etcd's: level, ts, caller, msg, then what else is known.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use taffrail_api::timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

#[derive(Debug, Clone, Copy)]
pub enum Form {
    Json,
    Console,
}

pub struct Lines(pub Form);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let now = timestamp(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_micros(),
        );
        let (level, caller) = (level(event.metadata().level()), caller(event));
        match self.0 {
            Form::Json => writeln!(writer, "{}", json(level, &now, &caller, fields)),
            Form::Console => {
                let Fields { message, others } = fields;
                write!(writer, "{now}\t{}\t{caller}\t{message}", level.to_uppercase())?;
                if others.is_empty() {
                    writeln!(writer)
                } else {
                    writeln!(writer, "\t{}", Value::Object(others))
                }
            }
        }
    }
}

fn json(level: &str, now: &str, caller: &str, fields: Fields) -> String {
    let mut line = Map::new();
    for (key, value) in [
        ("level", level),
        ("ts", now),
        ("caller", caller),
        ("msg", &fields.message),
    ] {
        line.insert(key.to_owned(), value.into());
    }
    line.extend(fields.others);
    Value::Object(line).to_string()
}

fn level(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// The last two parts of the file's path and the line.
fn caller(event: &Event<'_>) -> String {
    let metadata = event.metadata();
    let path = metadata.file().unwrap_or_default();
    let start = path.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
    format!("{}:{}", &path[start..], metadata.line().unwrap_or(0))
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn keep(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.message = message,
            (name, value) => drop(self.others.insert(name.replace('_', "-"), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_starts_with_level_time_caller_and_message() {
        let mut fields = Fields {
            message: "hello".into(),
            ..Fields::default()
        };
        fields.others.insert("a".into(), 1.into());
        let line = json("info", "now", "a/b.rs:1", fields);
        assert_eq!(
            line,
            r#"{"level":"info","ts":"now","caller":"a/b.rs:1","msg":"hello","a":1}"#
        );
    }
}
