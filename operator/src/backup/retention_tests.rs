use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn dated(text: &str) -> Dated {
    Dated {
        taken_at: at(text),
        key: text.into(),
    }
}

fn every_hour(days: i64) -> Vec<Dated> {
    let first = at("2026-01-01T00:30:00Z");
    let hours = (0..days * 24).map(|hour| first + SignedDuration::from_hours(hour));
    hours
        .map(|taken_at| Dated {
            taken_at,
            key: taken_at.to_string(),
        })
        .collect()
}

fn keys(backups: &[Dated], rules: &BackupRetention, now: &str) -> Vec<String> {
    kept(backups, rules, &[], at(now)).into_iter().collect()
}

#[test]
fn grandfather_father_and_son_are_kept_together() {
    let rules = BackupRetention {
        hourly: Some(2),
        daily: Some(2),
        weekly: Some(2),
        monthly: Some(3),
        ..Default::default()
    };
    let expected = [
        "2026-01-31T23:30:00Z", // the month before last
        "2026-02-28T23:30:00Z", // last month
        "2026-03-08T23:30:00Z", // a week (ending on Sunday)
        "2026-03-10T23:30:00Z", // yesterday
        "2026-03-11T22:30:00Z", // an hour ago
        "2026-03-11T23:30:00Z", // newest of hour, day, week and month
    ];
    assert_eq!(keys(&every_hour(70), &rules, "2026-03-11T23:45:00Z"), expected);
}

#[test]
fn hours_without_a_backup_do_not_count() {
    let backups = [
        dated("2026-01-01T10:00:00Z"),
        dated("2026-01-01T02:00:00Z"),
        dated("2025-12-31T02:00:00Z"),
    ];
    let rules = BackupRetention {
        hourly: Some(2),
        ..Default::default()
    };
    assert_eq!(
        keys(&backups, &rules, "2026-06-01T00:00:00Z"),
        ["2026-01-01T02:00:00Z", "2026-01-01T10:00:00Z"]
    );
}

#[test]
fn the_newest_outlives_every_age() {
    let rules = BackupRetention {
        within: Some("1h".into()),
        ..Default::default()
    };
    let newest = every_hour(1).last().unwrap().key.clone();
    assert_eq!(keys(&every_hour(1), &rules, "2036-01-01T00:00:00Z"), [newest]);
}

#[test]
fn an_age_that_is_not_understood_keeps_everything() {
    for within in ["", "3", "h", "3y", "99999999999999999999d", "9223372036854775807w", "ü"] {
        let rules = BackupRetention {
            within: Some(within.into()),
            ..Default::default()
        };
        assert_eq!(
            keys(&every_hour(1), &rules, "2036-01-01T00:00:00Z").len(),
            24,
            "{within}"
        );
    }
    assert_eq!(span("30d"), Some(SignedDuration::from_hours(720)));
}

/// The plain way: group by the date as people write it.
fn model(backups: &[Dated], rules: &BackupRetention, named: &[String], now: Timestamp) -> BTreeSet<String> {
    let mut sorted = backups.to_vec();
    sorted.sort();
    let mut kept: BTreeSet<String> = sorted.last().map(|one| one.key.clone()).into_iter().collect();
    let last = rules.last.unwrap_or(0) as usize;
    let within: i64 = rules
        .within
        .as_ref()
        .map_or(-1, |text| text.trim_end_matches('h').parse::<i64>().unwrap() * 3600);
    for (number, one) in sorted.iter().rev().enumerate() {
        let young = within >= 0 && now.as_second() - one.taken_at.as_second() <= within;
        if number < last || young || named.contains(&one.key) {
            kept.insert(one.key.clone());
        }
    }
    let grids = [
        ("%Y-%m-%d %H", rules.hourly),
        ("%Y-%m-%d", rules.daily),
        ("%G-%V", rules.weekly),
    ];
    for (format, limit) in grids
        .into_iter()
        .chain([("%Y-%m", rules.monthly), ("%Y", rules.yearly)])
    {
        let groups: BTreeMap<String, String> = sorted
            .iter()
            .map(|one| (one.taken_at.strftime(format).to_string(), one.key.clone()))
            .collect();
        kept.extend(groups.into_values().rev().take(limit.unwrap_or(0) as usize));
    }
    kept
}

fn rules() -> impl Strategy<Value = BackupRetention> {
    let few = || proptest::option::of(1..6i32);
    let within = proptest::option::of(1..5000i64);
    (few(), within, few(), few(), few(), few(), few()).prop_map(
        |(last, within, hourly, daily, weekly, monthly, yearly)| BackupRetention {
            last,
            within: within.map(|hours| format!("{hours}h")),
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
        },
    )
}

proptest! {
    #[test]
    fn the_rules_keep_what_a_plain_model_keeps(
        times in proptest::collection::btree_set(0..200_000i64, 0..120),
        rules in rules(),
        named in proptest::collection::vec(0..120usize, 0..3),
    ) {
        // Ten-minute steps over some four years.
        let backups: Vec<Dated> = times.iter().map(|step| {
            let taken_at = Timestamp::from_second(1_700_000_000 + step * 600).unwrap();
            Dated { taken_at, key: format!("{step:08}") }
        }).collect();
        let named: Vec<String> = named.iter().filter_map(|index| backups.get(*index)).map(|one| one.key.clone()).collect();
        let now = Timestamp::from_second(1_700_000_000 + 200_000 * 600).unwrap();
        let kept = kept(&backups, &rules, &named, now);
        prop_assert_eq!(&kept, &model(&backups, &rules, &named, now));
        prop_assert!(backups.last().is_none_or(|newest| kept.contains(&newest.key)));
        prop_assert!(named.iter().all(|key| kept.contains(key)));
    }
}
