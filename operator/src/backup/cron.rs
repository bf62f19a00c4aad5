//! When backups are due: five fields of cron in a time zone.
//!
//! Enters: a schedule as CronJobs have it and the name of a time zone. Leaves: points in time. Where clocks are put
//! forward or back, a schedule with fixed hours comes exactly once for each of its times, one that falls into the gap
//! as much later as the gap is long; a schedule of every hour goes on by the hours that really pass.

use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A 29th of February is at most so many days away from the next one.
const DAYS_MAX: usize = 366 * 8 + 2;

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    #[error("a schedule has five fields: minute, hour, day of the month, month, day of the week; this has {0}")]
    Fields(usize),
    #[error("{text:?} is no {field}: {low} to {high}, also as 1-5, */2 or 1,15")]
    Field {
        field: &'static str,
        text: String,
        low: u32,
        high: u32,
    },
    #[error("{0:?} is unknown: @hourly, @daily, @weekly, @monthly and @yearly are known")]
    Macro(String),
    #[error("a time zone stands in timeZone, not in the schedule")]
    ZoneInSchedule,
    #[error("the time zone {0:?} is unknown: Europe/Berlin is one")]
    Zone(String),
    #[error("no day is like that: it would never come")]
    Never,
}

/// A schedule in a time zone.
#[derive(Clone, Debug)]
pub struct Timetable {
    cron: Cron,
    zone: TimeZone,
}

impl Timetable {
    /// Without a time zone UTC is meant.
    ///
    /// # Errors
    /// If the schedule or the zone cannot be understood, or no day is ever like that.
    pub fn new(schedule: &str, zone: Option<&str>) -> Result<Self, CronError> {
        let cron: Cron = schedule.parse()?;
        let name = zone.unwrap_or("UTC");
        let zone = TimeZone::get(name).map_err(|_| CronError::Zone(name.into()))?;
        let table = Self { cron, zone };
        match table.next(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(table),
            None => Err(CronError::Never),
        }
    }

    /// The first time after this one.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let mut day = self.day(after).yesterday().ok()?;
        for _ in 0..DAYS_MAX {
            let tomorrow = day.tomorrow().ok()?;
            // What a gap moved on may come after the first times of the next day.
            let firsts = [day, tomorrow].map(|day| self.first(day, after));
            if let Some(first) = firsts.into_iter().flatten().min() {
                return Some(first);
            }
            day = tomorrow;
        }
        None
    }

    /// The last time after `after` that is not after `until`.
    pub fn last(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let mut day = self.day(until).tomorrow().ok()?;
        let first = self.day(after).yesterday().ok()?;
        for _ in 0..DAYS_MAX {
            let yesterday = day.yesterday().ok()?;
            let lasts = [day, yesterday].map(|day| self.last_of(day, after, until));
            if let Some(last) = lasts.into_iter().flatten().max() {
                return Some(last);
            }
            if day < first {
                return None;
            }
            day = yesterday;
        }
        None
    }

    fn day(&self, time: Timestamp) -> Date {
        time.to_zoned(self.zone.clone()).date()
    }

    fn first(&self, day: Date, after: Timestamp) -> Option<Timestamp> {
        let later = |time: &Timestamp| *time > after;
        match (self.cron.has_day(day), self.cron.every_hour()) {
            (false, _) => None,
            (true, true) => self.passing(day, after, Timestamp::MAX).next(),
            (true, false) => self.fixed(day).filter(later).min(),
        }
    }

    fn last_of(&self, day: Date, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let between = |time: &Timestamp| *time > after && *time <= until;
        match (self.cron.has_day(day), self.cron.every_hour()) {
            (false, _) => None,
            (true, true) => self.passing(day, after, until).next_back(),
            (true, false) => self.fixed(day).filter(between).max(),
        }
    }

    /// By the minutes that really pass on this day, after `after` and until `until`.
    fn passing(&self, day: Date, after: Timestamp, until: Timestamp) -> impl DoubleEndedIterator<Item = Timestamp> {
        let start = |day: Date| {
            self.zone
                .to_timestamp(day.at(0, 0, 0, 0))
                .map_or(0, Timestamp::as_second)
        };
        let (start, end) = (start(day), day.tomorrow().map_or(0, start));
        let first = (after.as_second() - start).div_euclid(60) + 1;
        let last = (until.as_second() - start).div_euclid(60);
        let minutes = first.max(0)..=last.min((end - start) / 60 - 1);
        let times = minutes.filter_map(move |minute| Timestamp::from_second(start + minute * 60).ok());
        times.filter(|time| {
            let minute = time.to_zoned(self.zone.clone()).minute();
            self.cron.minutes.has(minute.unsigned_abs().into())
        })
    }

    /// Each time on the clock once: the first of two, and after a gap what would have been in it.
    fn fixed(&self, day: Date) -> impl Iterator<Item = Timestamp> {
        let hours = (0..24_i8).filter(move |hour| self.cron.hours.has(hour.unsigned_abs().into()));
        let minutes = || (0..60_i8).filter(|minute| self.cron.minutes.has(minute.unsigned_abs().into()));
        let clock = hours.flat_map(move |hour| minutes().map(move |minute| day.at(hour, minute, 0, 0)));
        clock.filter_map(|time| self.zone.to_timestamp(time).ok())
    }
}

/// The numbers of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Set {
    bits: u64,
    /// `*`: it does not say anything.
    any: bool,
}

impl Set {
    fn has(self, number: u32) -> bool {
        self.bits >> number & 1 == 1
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cron {
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    weekdays: Set,
}

struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    /// Names of the numbers from `low` on.
    names: &'static [&'static str],
}

const fn field(name: &'static str, low: u32, high: u32, names: &'static [&'static str]) -> Field {
    Field { name, low, high, names }
}

const MINUTE_OF: Field = field("minute", 0, 59, &[]);
const HOUR_OF: Field = field("hour", 0, 23, &[]);
const DAY_OF: Field = field("day of the month", 1, 31, &[]);
const MONTH_OF: Field = field(
    "month",
    1,
    12,
    &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
);
/// 7 is a Sunday as 0 is.
const WEEKDAY_OF: Field = field(
    "day of the week",
    0,
    7,
    &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
);

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let text = text.trim();
        if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
            return Err(CronError::ZoneInSchedule);
        }
        let fields: Vec<&str> = spelled_out(text)?.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(CronError::Fields(fields.len()));
        };
        let mut weekdays = WEEKDAY_OF.set(weekday)?;
        weekdays.bits |= weekdays.bits >> 7 & 1;
        Ok(Self {
            minutes: MINUTE_OF.set(minute)?,
            hours: HOUR_OF.set(hour)?,
            days: DAY_OF.set(day)?,
            months: MONTH_OF.set(month)?,
            weekdays,
        })
    }
}

fn spelled_out(text: &str) -> Result<&str, CronError> {
    Ok(match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other if other.starts_with('@') => return Err(CronError::Macro(other.into())),
        other => other,
    })
}

impl Cron {
    fn every_hour(&self) -> bool {
        (0..24).all(|hour| self.hours.has(hour))
    }

    /// With both kinds of days said, one of them is enough.
    fn has_day(&self, day: Date) -> bool {
        let in_month = self.days.has(day.day().unsigned_abs().into());
        let in_week = self.weekdays.has(number(day.weekday()));
        let matches = match self.days.any || self.weekdays.any {
            true => in_month && in_week,
            false => in_month || in_week,
        };
        matches && self.months.has(day.month().unsigned_abs().into())
    }
}

fn number(weekday: Weekday) -> u32 {
    weekday.to_sunday_zero_offset().unsigned_abs().into()
}

impl Field {
    /// A list of parts.
    fn set(&self, text: &str) -> Result<Set, CronError> {
        text.split(',').try_fold(Set::default(), |set, part| {
            let more = self.part(part).ok_or_else(|| self.wrong(part))?;
            Ok(Set {
                bits: set.bits | more.bits,
                any: set.any || more.any,
            })
        })
    }

    fn wrong(&self, text: &str) -> CronError {
        CronError::Field {
            field: self.name,
            text: text.into(),
            low: self.low,
            high: self.high,
        }
    }

    /// `*`, `4`, `1-5`, each perhaps with `/2` behind; `4/2` goes on to the end.
    fn part(&self, text: &str) -> Option<Set> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(digits(step)?)),
            None => (text, None),
        };
        if step == Some(0) {
            return None;
        }
        let all = matches!(range, "*" | "?");
        let (low, high) = match range.split_once('-') {
            _ if all => (self.low, self.high - u32::from(self.high == 7)),
            Some((low, high)) => (self.number(low)?, self.number(high)?),
            None if step.is_some() => (self.number(range)?, self.high - u32::from(self.high == 7)),
            None => (self.number(range)?, self.number(range)?),
        };
        let step = step.unwrap_or(1);
        let numbers = (low..=high).step_by(usize::try_from(step).ok()?);
        let bits = numbers.fold(0_u64, |bits, number| bits | 1 << number);
        (low <= high).then_some(Set {
            bits,
            any: all && step == 1,
        })
    }

    fn number(&self, text: &str) -> Option<u32> {
        let name = text.to_ascii_lowercase();
        let named = self.names.iter().position(|one| *one == name);
        let number = match named {
            Some(place) => self.low + u32::try_from(place).ok()?,
            None => digits(text)?,
        };
        (self.low..=self.high).contains(&number).then_some(number)
    }
}

/// `+4` is no number here.
fn digits(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// Two times of the timetable that follow each other are about so far apart.
pub fn period(table: &Timetable, after: Timestamp) -> SignedDuration {
    let next = table.next(after);
    let second = next.and_then(|next| table.next(next));
    match (next, second) {
        (Some(next), Some(second)) => second.duration_since(next),
        // It comes once in years, if ever.
        _ => SignedDuration::from_hours(24 * 366),
    }
}

#[cfg(test)]
#[path = "cron_tests.rs"]
mod tests;
