//! Numbers and tables for people.

use jiff::Timestamp;

/// Columns as wide as what is in them, two spaces between.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let wide = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let cells = cells.map(|cell| cell.chars().count());
        cells.chain([head[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..head.len()).map(wide).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<_> = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let first = line(&mut head.iter().copied());
    let rest = rows.iter().map(|row| line(&mut row.iter().map(String::as_str)));
    std::iter::once(first).chain(rest).collect()
}

/// `20.0 MiB`.
pub fn bytes(count: i64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut size = count as f64;
    let mut unit = "";
    for next in units.iter().take_while(|_| size >= 1024.0).collect::<Vec<_>>() {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    format!("{size:.1} {unit}")
}

/// `40s`, `12m`, `3h`, `61d`: whole units, rounded down.
pub fn span(seconds: i64) -> String {
    match seconds.abs() {
        short @ 0..120 => format!("{short}s"),
        minutes @ 120..7200 => format!("{}m", minutes / 60),
        hours @ 7200..172_800 => format!("{}h", hours / 3600),
        days => format!("{}d", days / 86_400),
    }
}

/// `12m ago`; what is no time is shown as it is.
pub fn ago(now: Timestamp, text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(then) if then <= now => format!("{} ago", span(now.as_second() - then.as_second())),
        Ok(then) => format!("in {}", span(then.as_second() - now.as_second())),
        Err(_) => text.to_owned(),
    }
}

pub fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

pub fn yes_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [
            vec!["a".to_owned(), "long one".into()],
            vec!["much longer".into(), String::new()],
        ];
        assert_eq!(
            table(&["NAME", "WHAT"], &rows),
            ["NAME         WHAT", "a            long one", "much longer"]
        );
    }

    #[test]
    fn sizes_and_times_are_read_at_a_glance() {
        for (count, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (20 << 20, "20.0 MiB"),
            (3 << 40, "3.0 TiB"),
            (5 << 50, "5120.0 TiB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
        for (seconds, expected) in [(0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172_800, "2d")] {
            assert_eq!(span(seconds), expected);
        }
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(ago(now, "2026-11-22T11:48:00Z"), "12m ago");
        assert_eq!(ago(now, "2026-11-24T12:00:00Z"), "in 2d");
        assert_eq!(ago(now, "never"), "never");
    }
}
