//! What is printed, to the letter as `etcdutl` prints it.

use clap::ValueEnum;
use serde_json::json;
use taffrail_store::HashKv;
use taffrail_store::backup::Status;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Simple,
    Json,
    Table,
    Fields,
}

pub fn status(status: &Status, format: Format) -> String {
    let Status {
        hash,
        revision,
        total_keys,
        total_size,
        version,
    } = status;
    let names = ["hash", "revision", "total keys", "total size", "version"];
    let texts = || {
        [
            format!("{hash:x}"),
            revision.to_string(),
            total_keys.to_string(),
            size(*total_size),
            version.clone(),
        ]
    };
    match format {
        Format::Simple => line(&texts()),
        Format::Table => table(&names, &texts()),
        Format::Fields => fields(&[
            ("Hash", hash),
            ("Revision", revision),
            ("Keys", total_keys),
            ("Size", total_size),
            ("Version", version),
        ]),
        Format::Json => {
            let json = json!({
                "hash": hash,
                "revision": revision,
                "totalKey": total_keys,
                "totalSize": total_size,
                "version": version,
            });
            format!("{json}\n")
        }
    }
}

pub fn hash_kv(hash: &HashKv, format: Format) -> String {
    let HashKv {
        hash,
        compact_revision,
        hash_revision,
    } = hash;
    let texts = [
        hash.to_string(),
        hash_revision.to_string(),
        compact_revision.to_string(),
    ];
    match format {
        Format::Simple => line(&texts),
        Format::Table => table(&["hash", "hash revision", "compact revision"], &texts),
        Format::Fields => fields(&[
            ("Hash", hash),
            ("Hash revision", hash_revision),
            ("Compact revision", compact_revision),
        ]),
        Format::Json => {
            let json = json!({"hash": hash, "hashRevision": hash_revision, "compactRevision": compact_revision});
            format!("{json}\n")
        }
    }
}

fn line(texts: &[String]) -> String {
    texts.join(", ") + "\n"
}

fn fields(fields: &[(&str, &dyn std::fmt::Display)]) -> String {
    let lines = fields.iter().map(|(name, value)| format!("\"{name}\" : {value}\n"));
    lines.collect()
}

/// One row below a head: the head in the middle, the row to the right.
fn table(names: &[&str], texts: &[String]) -> String {
    let width = |(name, text): (&&str, &String)| name.len().max(text.len());
    let widths: Vec<usize> = names.iter().zip(texts).map(width).collect();
    let rule: String = widths
        .iter()
        .map(|width| format!("+{}", "-".repeat(width + 2)))
        .collect();
    let head = names.iter().zip(&widths);
    let head: String = head
        .map(|(name, width)| format!("| {} ", centred(name, *width)))
        .collect();
    let row = texts.iter().zip(&widths);
    let row: String = row.map(|(text, width)| format!("| {text:>width$} ")).collect();
    format!("{rule}+\n{head}|\n{rule}+\n{row}|\n{rule}+\n")
}

fn centred(name: &str, width: usize) -> String {
    let before = (width - name.len()) / 2;
    format!("{:before$}{:<rest$}", "", name.to_uppercase(), rest = width - before)
}

/// Powers of a thousand, one digit behind the point below ten.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let power = bytes.ilog(1000) as usize;
    let tenths = (bytes as f64 / 1000f64.powi(power as i32) * 10.0 + 0.5).floor() / 10.0;
    let digits = if tenths < 10.0 { 1 } else { 0 };
    format!("{tenths:.digits$} {}", UNITS[power])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Status {
        Status {
            hash: 0x7cf4_14d4,
            revision: 4,
            total_keys: 1,
            total_size: 20480,
            version: String::new(),
        }
    }

    /// Printed by etcdutl 3.6.14 for the same file.
    #[test]
    fn tables_are_those_of_etcdutl() {
        let expected = "\
+----------+----------+------------+------------+---------+
|   HASH   | REVISION | TOTAL KEYS | TOTAL SIZE | VERSION |
+----------+----------+------------+------------+---------+
| 7cf414d4 |        4 |          1 |      20 kB |         |
+----------+----------+------------+------------+---------+
";
        assert_eq!(status(&found(), Format::Table), expected);
        let hash = HashKv {
            hash: 1_562_576_432,
            compact_revision: -1,
            hash_revision: 4,
        };
        let expected = "\
+------------+---------------+------------------+
|    HASH    | HASH REVISION | COMPACT REVISION |
+------------+---------------+------------------+
| 1562576432 |             4 |               -1 |
+------------+---------------+------------------+
";
        assert_eq!(hash_kv(&hash, Format::Table), expected);
        assert_eq!(hash_kv(&hash, Format::Simple), "1562576432, 4, -1\n");
    }

    #[test]
    fn fields_and_json_are_those_of_etcdutl() {
        let fields = "\"Hash\" : 2096370900\n\"Revision\" : 4\n\"Keys\" : 1\n\"Size\" : 20480\n\"Version\" : \n";
        assert_eq!(status(&found(), Format::Fields), fields);
        let json = "{\"hash\":2096370900,\"revision\":4,\"totalKey\":1,\"totalSize\":20480,\"version\":\"\"}\n";
        assert_eq!(status(&found(), Format::Json), json);
    }

    #[test]
    fn sizes_are_written_as_etcdutl_writes_them() {
        let expected = [
            (9, "9 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_950, "10 kB"),
            (1_572_864, "1.6 MB"),
        ];
        for (bytes, text) in expected {
            assert_eq!(size(bytes), text);
        }
    }
}
