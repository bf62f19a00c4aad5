use std::collections::BTreeSet;

use jiff::civil::DateTime;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn table(schedule: &str, zone: &str) -> Timetable {
    Timetable::new(schedule, Some(zone)).unwrap()
}

/// The first so many times after `from`.
fn series(table: &Timetable, from: &str, count: usize) -> Vec<String> {
    let mut time = at(from);
    let mut all = Vec::new();
    for _ in 0..count {
        time = table.next(time).unwrap();
        all.push(time.to_string());
    }
    all
}

#[test]
fn schedules_come_when_people_expect_them() {
    let from = "2026-11-22T04:17:30Z"; // a Sunday
    let rows = [
        ("*/15 * * * *", "2026-11-22T04:30:00Z"),
        ("0 3 * * *", "2026-11-23T03:00:00Z"),
        ("@hourly", "2026-11-22T05:00:00Z"),
        ("@daily", "2026-11-23T00:00:00Z"),
        ("@weekly", "2026-11-29T00:00:00Z"),
        ("@monthly", "2026-12-01T00:00:00Z"),
        ("@yearly", "2027-01-01T00:00:00Z"),
        ("30 4 * * 1-5", "2026-11-23T04:30:00Z"),
        ("30 4 * * MON,wed", "2026-11-23T04:30:00Z"),
        ("0 0 * * 7", "2026-11-29T00:00:00Z"),
        ("5 4 29 feb *", "2028-02-29T04:05:00Z"),
        ("0 12 13 * 5", "2026-11-27T12:00:00Z"),
        ("0 12 */2 * *", "2026-11-23T12:00:00Z"),
        ("20/20 * * * *", "2026-11-22T04:20:00Z"),
        ("17 4 ? * ?", "2026-11-23T04:17:00Z"),
    ];
    for (schedule, expected) in rows {
        assert_eq!(series(&table(schedule, "UTC"), from, 1), [expected], "{schedule}");
    }
}

#[test]
fn what_is_no_schedule_is_refused_with_what_is_wrong() {
    let rows = [
        ("", "five fields"),
        ("* * * *", "this has 4"),
        ("* * * * * *", "this has 6"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day of the week"),
        ("*/0 * * * *", "minute"),
        ("5-1 * * * *", "minute"),
        ("+5 * * * *", "minute"),
        ("1, * * * *", "minute"),
        ("@often", "unknown"),
        ("@every 5m", "unknown"),
        ("TZ=UTC 0 0 * * *", "timeZone"),
        ("0 0 30 2 *", "never"),
    ];
    for (schedule, word) in rows {
        let told = Timetable::new(schedule, None).unwrap_err().to_string();
        assert!(told.contains(word), "{schedule}: {told}");
    }
    let told = Timetable::new("@daily", Some("Europe/Atlantis"))
        .unwrap_err()
        .to_string();
    assert!(told.contains("Europe/Atlantis"), "{told}");
}

#[test]
fn a_night_with_a_gap_has_its_backup_and_one_with_an_hour_twice_has_one() {
    let nightly = table("30 2 * * *", "Europe/Berlin");
    let spring = ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"];
    assert_eq!(series(&nightly, "2026-03-28T00:00:00Z", 3), spring);
    let autumn = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    assert_eq!(series(&nightly, "2026-10-24T00:00:00Z", 3), autumn);
}

#[test]
fn every_hour_is_every_hour_that_passes() {
    let hourly = table("@hourly", "Europe/Berlin");
    let autumn = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"];
    assert_eq!(series(&hourly, "2026-10-24T23:30:00Z", 3), autumn);
    let spring = ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"];
    assert_eq!(series(&hourly, "2026-03-28T23:30:00Z", 3), spring);
}

#[test]
fn the_last_time_is_found_however_long_nobody_looked() {
    let yearly = table("@yearly", "UTC");
    let last = |from: &str, to: &str| yearly.last(at(from), at(to)).map(|time| time.to_string());
    assert_eq!(
        last("2020-05-01T00:00:00Z", "2026-05-01T00:00:00Z").as_deref(),
        Some("2026-01-01T00:00:00Z")
    );
    assert_eq!(
        last("2026-01-01T00:00:00Z", "2026-05-01T00:00:00Z"),
        None,
        "what was made is not made again"
    );
    assert_eq!(
        last("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z").as_deref(),
        Some("2026-01-01T00:00:00Z")
    );
}

#[test]
fn a_period_is_what_lies_between_two_times() {
    assert_eq!(
        period(&table("@daily", "UTC"), at("2026-01-01T00:00:00Z")),
        SignedDuration::from_hours(24)
    );
    assert_eq!(
        period(&table("*/5 * * * *", "UTC"), at("2026-01-01T00:00:00Z")),
        SignedDuration::from_mins(5)
    );
}

/// One field: numbers, ranges and steps within bounds, and the numbers it means.
fn one_field(low: u32, high: u32) -> impl Strategy<Value = (String, BTreeSet<u32>)> {
    let number = (low..=high).prop_map(|one| (one.to_string(), BTreeSet::from([one])));
    let range = (low..=high, low..=high).prop_map(|(one, other)| {
        let (from, to) = (one.min(other), one.max(other));
        (format!("{from}-{to}"), (from..=to).collect())
    });
    let step = (1..=high).prop_map(move |step| {
        let all = (low..=high).step_by(step as usize).collect();
        (format!("*/{step}"), all)
    });
    prop_oneof![number, range, step]
}

fn any_or(low: u32, high: u32) -> impl Strategy<Value = (String, BTreeSet<u32>)> {
    let any = Just(("*".to_owned(), (low..=high).collect()));
    prop_oneof![2 => any, 3 => one_field(low, high)]
}

struct Model {
    fields: [(String, BTreeSet<u32>); 5],
    zone: TimeZone,
}

impl Model {
    fn text(&self) -> String {
        self.fields
            .iter()
            .map(|(text, _)| text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn says(&self, clock: DateTime) -> bool {
        let [minutes, hours, days, months, weekdays] = &self.fields;
        let says = |field: &(String, BTreeSet<u32>), number: i8| field.1.contains(&(number as u32));
        let (day, weekday) = (
            says(days, clock.day()),
            says(weekdays, clock.weekday().to_sunday_zero_offset()),
        );
        let any = |field: &(String, BTreeSet<u32>)| field.0 == "*" || field.0 == "*/1";
        let dated = if any(days) || any(weekdays) {
            day && weekday
        } else {
            day || weekday
        };
        says(minutes, clock.minute()) && says(hours, clock.hour()) && says(months, clock.month()) && dated
    }

    /// Minute by minute: of the time that passes, or of the clock on the wall.
    fn times(&self, from: Timestamp, minutes: i64) -> BTreeSet<Timestamp> {
        let wall = from.to_zoned(self.zone.clone()).datetime();
        let every_hour = self.fields[1].1.len() == 24;
        let time = |minute: i64| {
            let span = SignedDuration::from_mins(minute);
            let passed = from + span;
            match every_hour {
                true => self
                    .says(passed.to_zoned(self.zone.clone()).datetime())
                    .then_some(passed),
                false => {
                    let clock = wall.checked_add(span).unwrap();
                    self.says(clock).then(|| self.zone.to_timestamp(clock).unwrap())
                }
            }
        };
        (-180..minutes).filter_map(time).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn times_are_those_of_a_look_at_every_minute(
        minute in any_or(0, 59), hour in any_or(0, 23), day in any_or(1, 31), month in any_or(1, 12),
        weekday in any_or(0, 6), zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York",
            "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana"]),
        // Around the days on which clocks change, and others.
        start in prop::sample::select(vec!["2026-03-07T12:00:00Z", "2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z",
            "2026-10-31T12:00:00Z", "2026-04-04T02:00:00Z", "2026-12-31T00:00:00Z", "2028-02-28T00:00:00Z"]),
        offset in 0_i64..1440,
    ) {
        let model = Model { fields: [minute, hour, day, month, weekday], zone: TimeZone::get(zone).unwrap() };
        let from = at(start) + SignedDuration::from_mins(offset);
        let days = 3;
        let until = from + SignedDuration::from_hours(24 * days);
        let expected: BTreeSet<_> = model.times(from, 24 * 60 * (days + 1)).into_iter()
            .filter(|time| *time > from && *time <= until).collect();
        let text = model.text();
        let Ok(table) = Timetable::new(&text, Some(zone)) else {
            prop_assert!(expected.is_empty(), "{}", text);
            return Ok(());
        };
        let mut found = BTreeSet::new();
        let mut time = from;
        while let Some(next) = table.next(time).filter(|next| *next <= until) {
            found.insert(next);
            time = next;
        }
        prop_assert_eq!(&found, &expected, "{} in {}", text, zone);
        prop_assert_eq!(table.last(from, until), expected.iter().next_back().copied(), "{} in {}", text, zone);
    }
}
