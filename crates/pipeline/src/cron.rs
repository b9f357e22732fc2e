//! Times in cron's words: minute, hour, day of the month, month, day of the week, in UTC.
//!
//! `*`, lists (`1,15`), ranges (`1-5`), steps (`*/10`, `0-30/5`), names of months and days, and 7 for
//! Sunday, as in crontab(5). As there, when both kinds of day are given, either will do.

use std::str::FromStr;

use chrono::{DateTime, Datelike as _, Days, NaiveTime, Timelike as _, Utc};

/// When something is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    /// A bit for each value.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether the field of days (of weekdays) is anything but `*`.
    days_given: bool,
    weekdays_given: bool,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A day that fits is looked for this far: 29 February comes again after eight years at most.
const DAYS_AHEAD_MAX: u64 = 366 * 9;

impl FromStr for Cron {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(format!(
                "{text:?} has {} fields; wanted are minute, hour, day, month, weekday",
                fields.len()
            ));
        };
        let seven_is_sunday = |bits: u64| (bits | (bits >> 7)) & 0x7f;
        let cron = Self {
            minutes: field("minute", minutes, 0, 59, &[])?,
            hours: field("hour", hours, 0, 23, &[])?,
            days: field("day", days, 1, 31, &[])?,
            months: field("month", months, 1, 12, &MONTHS)?,
            weekdays: seven_is_sunday(field("weekday", weekdays, 0, 7, &WEEKDAYS)?),
            days_given: !days.starts_with('*'),
            weekdays_given: !weekdays.starts_with('*'),
        };
        let start = DateTime::<Utc>::UNIX_EPOCH;
        cron.after(start).map(|_| cron.clone()).ok_or_else(|| format!("{text:?} never comes"))
    }
}

/// The bits of one field; `names` stand for the values from `low` on.
fn field(what: &str, text: &str, low: u32, high: u32, names: &[&str]) -> Result<u64, String> {
    let wrong = |part: &str| format!("{part:?} is no {what} ({low} to {high})");
    let value = |part: &str| -> Result<u32, String> {
        let lower = part.to_ascii_lowercase();
        let named = names.iter().position(|name| *name == lower);
        let value = match named.and_then(|position| u32::try_from(position).ok()) {
            Some(position) => position + low,
            None => part.parse().map_err(|_| wrong(part))?,
        };
        if (low..=high).contains(&value) { Ok(value) } else { Err(wrong(part)) }
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                let step = step.parse().ok().filter(|step| *step > 0).ok_or_else(|| wrong(part))?;
                (range, step)
            }
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((first, last)) => (value(first)?, value(last)?),
            // `5/10` means from 5 on.
            None if part.contains('/') => (value(range)?, high),
            None => (value(range)?, value(range)?),
        };
        if first > last {
            return Err(wrong(part));
        }
        for value in (first..=last).step_by(step) {
            bits |= 1_u64 << value;
        }
    }
    Ok(bits)
}

impl Cron {
    /// The first time after `time` that is due; `None` when there is none for years.
    pub fn after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let has = |bits: u64, value: u32| bits & (1 << value) != 0;
        let first = time.date_naive();
        for ahead in 0..DAYS_AHEAD_MAX {
            let day = first.checked_add_days(Days::new(ahead))?;
            let of_month = has(self.days, day.day());
            let of_week = has(self.weekdays, day.weekday().num_days_from_sunday());
            let fits = if self.days_given && self.weekdays_given {
                of_month || of_week
            } else {
                of_month && of_week
            };
            if !fits || !has(self.months, day.month()) {
                continue;
            }
            // On the first day only what is still to come.
            let from = if ahead == 0 { time.hour() * 60 + time.minute() + 1 } else { 0 };
            let due = (from..24 * 60)
                .find(|minute| has(self.hours, minute / 60) && has(self.minutes, minute % 60));
            if let Some(minute) = due {
                let clock = NaiveTime::from_hms_opt(minute / 60, minute % 60, 0)?;
                return Some(day.and_time(clock).and_utc());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, time: &str) -> String {
        let time: DateTime<Utc> = time.parse().unwrap();
        let next = cron.parse::<Cron>().unwrap().after(time).unwrap();
        next.format("%Y-%m-%d %H:%M").to_string()
    }

    #[test]
    fn the_next_time() {
        for (cron, time, expected) in [
            ("* * * * *", "2026-11-23T14:00:30Z", "2026-11-23 14:01"),
            ("17 3 * * *", "2026-11-23T03:17:00Z", "2026-11-24 03:17"),
            ("*/15 * * * *", "2026-11-23T14:46:00Z", "2026-11-23 15:00"),
            ("5/20 9-17 * * mon-fri", "2026-11-20T17:50:00Z", "2026-11-23 09:05"),
            ("0 0 1,15 * *", "2026-11-02T00:00:00Z", "2026-11-15 00:00"),
            ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29 00:00"),
            ("0 12 * * 7", "2026-11-23T00:00:00Z", "2026-11-29 12:00"),
            // Either kind of day will do when both are given: the 25th, or a Friday.
            ("0 0 25 * fri", "2026-11-23T00:00:00Z", "2026-11-25 00:00"),
            ("0 0 28 dec fri", "2026-12-05T00:00:00Z", "2026-12-11 00:00"),
            ("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31 23:59"),
        ] {
            assert_eq!(next(cron, time), expected, "{cron} after {time}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (cron, expected) in [
            ("* * * *", "has 4 fields"),
            ("60 * * * *", "\"60\" is no minute (0 to 59)"),
            ("0 9-3 * * *", "\"9-3\" is no hour"),
            ("0 0 0 * *", "is no day"),
            ("0 0 * foo *", "\"foo\" is no month"),
            ("*/0 * * * *", "\"*/0\" is no minute"),
            ("0 0 31 2 *", "never comes"),
        ] {
            let error = cron.parse::<Cron>().unwrap_err();
            assert!(error.contains(expected), "{cron}: {error}");
        }
    }
}
