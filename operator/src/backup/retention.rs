//! Which backups are kept. Pure: the rules, the backups and the time go in, names come out.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use taffrail_crds::BackupRetention;

/// A backup that is whole, as far as the store's list tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dated {
    pub taken_at: Timestamp,
    pub key: String,
}

/// Keys of what is kept: whatever one of the rules keeps, all of `named`, and the newest in any case.
pub fn kept(backups: &[Dated], rules: &BackupRetention, named: &[String], now: Timestamp) -> BTreeSet<String> {
    let mut newest_first: Vec<&Dated> = backups.iter().collect();
    newest_first.sort_by(|a, b| b.cmp(a));
    let mut kept: BTreeSet<String> = newest_first.first().map(|one| one.key.clone()).into_iter().collect();
    kept.extend(
        newest_first
            .iter()
            .filter(|one| named.contains(&one.key))
            .map(|one| one.key.clone()),
    );
    kept.extend(by_rules(&newest_first, rules, now).map(|one| one.key.clone()));
    kept
}

fn by_rules<'a>(
    newest_first: &'a [&'a Dated],
    rules: &BackupRetention,
    now: Timestamp,
) -> impl Iterator<Item = &'a Dated> {
    // Without `..`: a rule that is not looked at would delete what it should keep.
    let BackupRetention {
        last,
        within,
        hourly,
        daily,
        weekly,
        monthly,
        yearly,
    } = rules;
    let mut all: Vec<&Dated> = newest_first.iter().take(number(*last)).copied().collect();
    if let Some(youth) = within.as_deref().map(span) {
        all.extend(newest_first.iter().filter(|one| young(one, youth, now)));
    }
    let periods: [(&Option<i32>, PeriodOf); 5] = [
        (hourly, hour),
        (daily, day),
        (weekly, week),
        (monthly, month),
        (yearly, year),
    ];
    for (limit, period) in periods {
        all.extend(newest_of_each(newest_first, number(*limit), period));
    }
    all.into_iter()
}

fn number(limit: Option<i32>) -> usize {
    limit.map_or(0, |limit| usize::try_from(limit).unwrap_or(0))
}

/// None: it cannot be understood, and then nothing is too old for it.
fn span(text: &str) -> Option<SignedDuration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    digits
        .parse::<i64>()
        .ok()?
        .checked_mul(seconds)
        .map(SignedDuration::from_secs)
}

fn young(one: &Dated, youth: Option<SignedDuration>, now: Timestamp) -> bool {
    youth.is_none_or(|youth| now.duration_since(one.taken_at) <= youth)
}

type Period = (i64, i64);
type PeriodOf = fn(Timestamp) -> Period;

fn newest_of_each<'a>(newest_first: &[&'a Dated], limit: usize, period: PeriodOf) -> Vec<&'a Dated> {
    let mut seen = BTreeSet::new();
    let newest = newest_first.iter().filter(|one| seen.insert(period(one.taken_at)));
    newest.take(limit).copied().collect()
}

fn hour(at: Timestamp) -> Period {
    (at.as_second().div_euclid(3600), 0)
}

fn day(at: Timestamp) -> Period {
    (at.as_second().div_euclid(86_400), 0)
}

/// ISO 8601: they begin on Mondays.
fn week(at: Timestamp) -> Period {
    let week = at.to_zoned(TimeZone::UTC).date().iso_week_date();
    (week.year().into(), week.week().into())
}

fn month(at: Timestamp) -> Period {
    let date = at.to_zoned(TimeZone::UTC).date();
    (date.year().into(), date.month().into())
}

fn year(at: Timestamp) -> Period {
    (at.to_zoned(TimeZone::UTC).date().year().into(), 0)
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
