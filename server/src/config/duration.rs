//! Go's way to write durations: 300ms, 5s, 1h30m.

use std::time::Duration;

use anyhow::{Result, bail};

const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("μs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
];

/// Nothing and 0 are no time; negative durations are refused.
pub fn parse(text: &str) -> Result<Duration> {
    let mut rest = text;
    let mut total_s = 0.0;
    if matches!(text, "" | "0") {
        return Ok(Duration::ZERO);
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let Some((_, unit_s)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            bail!("unknown unit {unit:?}")
        };
        total_s += number.parse::<f64>()? * unit_s;
        rest = tail;
    }
    Ok(Duration::try_from_secs_f64(total_s)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_go_parses() {
        assert_eq!(parse("300ms").expect("valid"), Duration::from_millis(300));
        assert_eq!(parse("1h30m").expect("valid"), Duration::from_secs(5400));
        assert_eq!(parse("1.5s").expect("valid"), Duration::from_millis(1500));
        assert_eq!(parse("0").expect("valid"), Duration::ZERO);
        assert_eq!(parse("5000000000ns").expect("valid"), Duration::from_secs(5));
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in ["5", "s", "-1s", "1 s", "1x", "1.2.3s", "99999999999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
