//! A time as people write it: `31.12.2026`, `12/31/2026 5:00 PM`, `31-Dec-2026`, `Dec 31, 2026`, and ISO 8601 dates with
//! clocks that are not: `2026-12-31 17:00:00,250 UTC`.

use chrono::{NaiveDate, NaiveTime};

use super::form::DateOrder;
use super::moment::Moment;

/// The longest text that is looked at: a weekday, a date, a clock with a fraction, and a zone.
const BYTES_MAX: usize = 50;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Letters of a month or weekday that is cut short.
const SHORT_NAME: usize = 3;

/// Years of two digits below this are of this century (POSIX's rule for `%y`).
const CENTURY_FROM: u32 = 69;

/// Reads a time whose date is written in this order.
pub(super) fn written(text: &str, order: DateOrder) -> Option<Moment> {
    if text.len() > BYTES_MAX || !text.is_ascii() {
        return None;
    }
    let mut rest = Rest(text);
    let date = date(&mut rest, order)?;
    if rest.0.is_empty() {
        let midnight = date.and_time(NaiveTime::MIN).and_utc();
        return Some(Moment {
            micros: midnight.timestamp_micros(),
            is_date: true,
            is_zoned: false,
        });
    }
    // Between date and clock.
    rest.one_of(&[',', 'T', ':', ' '])?;
    rest.blanks();
    let clock = clock(&mut rest)?;
    rest.blanks();
    let zone = if rest.0.is_empty() { None } else { Some(zone(&mut rest)?) };
    if !rest.0.is_empty() {
        return None;
    }
    let local = date.and_time(clock).and_utc().timestamp_micros();
    let micros = local - zone.unwrap_or_default() * 1_000_000;
    Some(Moment { micros, is_date: false, is_zoned: zone.is_some() })
}

fn date(rest: &mut Rest<'_>, order: DateOrder) -> Option<NaiveDate> {
    let mut name = rest.letters();
    if name.is_some_and(|name| place(&WEEKDAYS, name).is_some()) {
        rest.one_of(&[',']);
        rest.blanks();
        name = rest.letters();
    }
    if let Some(name) = name {
        // Dec 31, 2026
        let month = place(&MONTHS, name)?;
        rest.one_of(&['.']);
        rest.blanks();
        let (day, _) = rest.digits(1, 2)?;
        rest.one_of(&[',']);
        rest.one_of(&[' '])?;
        let (year, _) = rest.digits(4, 4)?;
        return (order == DateOrder::Year).then(|| day_of(year, month, day)).flatten();
    }
    let (first, width) = rest.digits(1, 4)?;
    let separator = rest.one_of(&['/', '-', '.', ' '])?;
    if let Some(name) = rest.letters() {
        // 31-Dec-2026
        let month = place(&MONTHS, name)?;
        rest.one_of(&['.', ',']);
        rest.one_of(&[separator])?;
        let (year, _) = rest.digits(4, 4)?;
        return (order == DateOrder::Year).then(|| day_of(year, month, first)).flatten();
    }
    let (second, _) = rest.digits(1, 2)?;
    rest.one_of(&[separator])?;
    let (third, year_width) = rest.digits(1, 4)?;
    let year = match (year_width, separator) {
        (4, _) => third,
        // With points it may be a version.
        (2, '/') if third < CENTURY_FROM => 2000 + third,
        (2, '/') => 1900 + third,
        _ => 0,
    };
    match order {
        DateOrder::Year if width == 4 && year_width <= 2 => day_of(first, second, third),
        DateOrder::Day if width <= 2 && year > 0 => day_of(year, second, first),
        // Nobody writes 12.31.2026.
        DateOrder::Month if width <= 2 && year > 0 && separator != '.' => {
            day_of(year, first, second)
        }
        _ => None,
    }
}

fn day_of(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

/// The number of a name in a list, from 1, also cut to three letters or `Sept`.
fn place(names: &[&str], name: &str) -> Option<u32> {
    let is_it = |whole: &&str| {
        name.len() >= SHORT_NAME
            && whole.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    let found = names.iter().position(is_it)?;
    u32::try_from(found + 1).ok()
}

/// 17:00, 17:00:30.25, 5:00 PM
fn clock(rest: &mut Rest<'_>) -> Option<NaiveTime> {
    let (hour, _) = rest.digits(1, 2)?;
    rest.one_of(&[':'])?;
    let (minute, _) = rest.digits(2, 2)?;
    let mut second = 0;
    let mut nanos = 0;
    if rest.one_of(&[':']).is_some() {
        second = rest.digits(2, 2)?.0;
        if rest.one_of(&['.', ',']).is_some() {
            let (fraction, width) = rest.digits(1, 9)?;
            nanos = fraction * 10_u32.pow(9_u32.checked_sub(u32::try_from(width).ok()?)?);
        }
    }
    let before = rest.0;
    rest.blanks();
    let hour = match rest.letters() {
        Some(half) if half.eq_ignore_ascii_case("am") && (1..=12).contains(&hour) => hour % 12,
        Some(half) if half.eq_ignore_ascii_case("pm") && (1..=12).contains(&hour) => hour % 12 + 12,
        _ => {
            rest.0 = before;
            hour
        }
    };
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)
}

/// Seconds by which the clock is before UTC: `Z`, `UTC`, `+01:00`, `+0100 UTC`, `Z[UTC]`.
fn zone(rest: &mut Rest<'_>) -> Option<i64> {
    let mut offset = 0;
    if !utc(rest) {
        let sign = rest.one_of(&['+', '-'])?;
        let seconds = match rest.digits(2, 4)? {
            (clock, 4) => clock / 100 * 3600 + clock % 100 * 60,
            (hours, 2) if rest.one_of(&[':']).is_some() => hours * 3600 + rest.digits(2, 2)?.0 * 60,
            (hours, 2) => hours * 3600,
            _ => return None,
        };
        offset = if sign == '-' { -i64::from(seconds) } else { i64::from(seconds) };
        rest.blanks();
        utc(rest);
    }
    // Java names the zone once more.
    if rest.0.starts_with('[') && rest.0.ends_with(']') {
        rest.0 = "";
    }
    Some(offset)
}

/// Whether a word for UTC comes next.
fn utc(rest: &mut Rest<'_>) -> bool {
    let before = rest.0;
    let name = rest.letters().unwrap_or_default();
    let is_utc = ["z", "utc", "gmt"].iter().any(|word| word.eq_ignore_ascii_case(name));
    if !is_utc {
        rest.0 = before;
    }
    is_utc
}

/// What is left of a text.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn take(&mut self, is_of: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|one: char| !is_of(one)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn blanks(&mut self) {
        self.take(|one| one == ' ');
    }

    /// The letters that come next, if there are some.
    fn letters(&mut self) -> Option<&'a str> {
        Some(self.take(|one| one.is_ascii_alphabetic())).filter(|letters| !letters.is_empty())
    }

    /// The number that comes next, and of how many digits it is: at least and at most so many.
    fn digits(&mut self, least: usize, most: usize) -> Option<(u32, usize)> {
        let digits = self.take(|one| one.is_ascii_digit());
        if !(least..=most).contains(&digits.len()) {
            return None;
        }
        Some((digits.parse().ok()?, digits.len()))
    }

    /// The character that comes next, if it is one of these.
    fn one_of(&mut self, characters: &[char]) -> Option<char> {
        let rest = self.0.strip_prefix(characters)?;
        let found = self.0.chars().next();
        self.0 = rest;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-31
    const DAY: i64 = 1_769_817_600_000_000;
    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn dates_as_people_write_them() {
        use DateOrder::{Day, Month, Year};
        for (text, order, micros) in [
            ("31.01.2026", Day, DAY),
            ("31.1.2026 17:00", Day, DAY + 17 * HOUR),
            ("31/01/2026", Day, DAY),
            ("31-01-2026", Day, DAY),
            ("31/1/26", Day, DAY),
            ("01/31/2026", Month, DAY),
            ("1/31/26 5:00 PM", Month, DAY + 17 * HOUR),
            ("01/31/2026 12:30:00 AM", Month, DAY + HOUR / 2),
            ("2026/01/31", Year, DAY),
            ("2026.01.31", Year, DAY),
            ("2026/01/31 01:00:00", Year, DAY + HOUR),
            ("31-Jan-2026", Year, DAY),
            ("31 January 2026", Year, DAY),
            ("Jan 31, 2026", Year, DAY),
            ("Saturday, Jan. 31, 2026, 1:00 am", Year, DAY + HOUR),
            ("31/Jan/2026:01:00:00 +0000", Year, DAY + HOUR),
            ("2026-01-31 01:00:00 UTC", Year, DAY + HOUR),
            ("2026-01-31 01:00:00,250", Year, DAY + HOUR + 250_000),
            ("2026-01-31 01:00:00 +0100 GMT", Year, DAY),
            ("2026-01-31T01:00:00Z[UTC]", Year, DAY + HOUR),
            ("2026-01-31T01:00:00+01:00[Europe/Berlin]", Year, DAY),
        ] {
            let found = written(text, order).map(|found| found.micros);
            assert_eq!(found, Some(micros), "{text:?}");
        }
        assert!(written("31.01.2026", Day).unwrap().is_date);
        assert!(written("2026-01-31 01:00 UTC", Year).unwrap().is_zoned);
    }

    #[test]
    fn what_is_no_date() {
        use DateOrder::{Day, Month, Year};
        for text in [
            "",
            "2026",
            "1.2.3",
            "1.2.26",
            "10.0.0.1",
            "31.13.2026",
            "01/31",
            "Jan 2026",
            "5 May",
            "32/32/2026",
            "555-1234",
            "3/4",
            "12:00:00",
            "may be",
            "31.01.2026x",
            "31-01/2026",
            "2026-01-31 25:00",
            "2026-01-31 13:00 PM",
            "1/2/3",
            "2026-01-31 12:00 CET",
            "2026-01-31 12:00 +",
        ] {
            for order in [Year, Day, Month] {
                assert_eq!(written(text, order), None, "{text:?} {order:?}");
            }
        }
        // The order decides.
        assert_eq!(written("31/01/2026", Month), None);
        assert_eq!(written("01/31/2026", Day), None);
        assert_eq!(written("31/01/2026", Year), None);
        assert_eq!(written("12.01.2026", Month), None);
        assert_eq!(written("31-Jan-2026", Day), None);
    }
}
