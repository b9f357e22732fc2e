//! A time as machines write it: ISO 8601 with a date (RFC 3339 and its like), or RFC 2822 (mail); else as people do
//! ([`super::date`]).

use std::borrow::Cow;

use arrow_cast::parse::string_to_datetime;
use chrono::{DateTime, NaiveTime, Timelike as _, Utc};

use super::date::written;
use super::form::DateOrder;
use super::moment::Moment;

/// Characters of `2026-01-31`.
const DATE_LENGTH: usize = 10;

/// Reads a time whose date is written in this order.
pub(super) fn moment(text: &str, order: DateOrder) -> Option<Moment> {
    let text = text.trim();
    if !text.is_ascii() {
        return None;
    }
    let by_machine = || if order == DateOrder::Year { machine(text) } else { None };
    by_machine().or_else(|| written(text, order))
}

/// ISO 8601, or RFC 2822.
fn machine(text: &str) -> Option<Moment> {
    if text.len() < DATE_LENGTH {
        return None;
    }
    let Some(text) = extended(text) else { return mail(text) };
    let time = string_to_datetime(&Utc, &text).ok()?;
    let clock = text.get(DATE_LENGTH..).unwrap_or_default();
    Some(Moment {
        micros: time.timestamp_micros(),
        is_date: clock.is_empty(),
        is_zoned: clock.contains(['Z', 'z', '+', '-']),
    })
}

/// Reads a time of day, `12:30` or `12:30:00.5`: microseconds since midnight.
pub(super) fn time_of_day(text: &str) -> Option<i64> {
    let text = text.trim();
    let time = ["%H:%M:%S%.f", "%H:%M"]
        .iter()
        .find_map(|format| NaiveTime::parse_from_str(text, format).ok())?;
    let seconds = i64::from(time.num_seconds_from_midnight());
    Some(seconds * 1_000_000 + i64::from(time.nanosecond() / 1000))
}

/// RFC 2822.
fn mail(text: &str) -> Option<Moment> {
    // "Sat, 31 Jan 2026 12:00:00 +0100" begins with a weekday or a day, and has a clock.
    let time = text.contains(':').then(|| DateTime::parse_from_rfc2822(text).ok()).flatten()?;
    Some(Moment { micros: time.timestamp_micros(), is_date: false, is_zoned: true })
}

/// ISO 8601 with all signs and with seconds; `None` where the text does not begin with a year and what may
/// follow it. A compact date alone is an integer, and taken for one.
fn extended(text: &str) -> Option<Cow<'_, str>> {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| {
        bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    if bytes.get(4) == Some(&b'-') {
        // 2026-01-31T12:00, with a zone or nothing behind it.
        let has_minutes = digits(11, 13) && bytes.get(13) == Some(&b':') && digits(14, 16);
        let is_short = has_minutes && !matches!(bytes.get(16), Some(b':' | b'.' | b'0'..=b'9'));
        return Some(if is_short {
            Cow::Owned(format!("{}:00{}", part(0, 16), part(16, text.len())))
        } else {
            Cow::Borrowed(text)
        });
    }
    // 20260131T120000Z, 20260131T1200
    let is_compact = digits(0, 8) && matches!(bytes.get(8), Some(b'T' | b't')) && digits(9, 13);
    is_compact.then(|| {
        let (seconds, rest) = if digits(13, 15) { (part(13, 15), 15) } else { ("00", 13) };
        Cow::Owned(format!(
            "{}-{}-{}T{}:{}:{seconds}{}",
            part(0, 4),
            part(4, 6),
            part(6, 8),
            part(9, 11),
            part(11, 13),
            part(rest, text.len())
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day() {
        assert_eq!(time_of_day("00:30"), Some(1_800_000_000));
        assert_eq!(time_of_day(" 00:00:01.5"), Some(1_500_000));
        for text in ["", "12", "25:00", "12:00:00Z", "2026-01-31 12:00"] {
            assert_eq!(time_of_day(text), None, "{text:?}");
        }
    }

    #[test]
    fn times_as_machines_write_them() {
        /// 2026-01-31T12:00:00Z
        const NOON: i64 = 1_769_860_800_000_000;
        const HOUR: i64 = 3_600_000_000;
        for (text, micros, is_date, is_zoned) in [
            ("2026-01-31", NOON - 12 * HOUR, true, false),
            ("2026-01-31 12:00:00", NOON, false, false),
            ("2026-01-31T12:00:00.250", NOON + 250_000, false, false),
            ("2026-01-31T12:00:00Z", NOON, false, true),
            ("2026-01-31T12:00", NOON, false, false),
            ("2026-01-31 12:00", NOON, false, false),
            ("2026-01-31T12:00Z", NOON, false, true),
            ("2026-01-31T12:00+01:00", NOON - HOUR, false, true),
            ("20260131T120000Z", NOON, false, true),
            ("20260131T120000.25", NOON + 250_000, false, false),
            ("20260131T1200", NOON, false, false),
            (" 2026-01-31T12:00:00+01:00", NOON - HOUR, false, true),
            ("Sat, 31 Jan 2026 12:00:00 +0100", NOON - HOUR, false, true),
        ] {
            let found = moment(text, DateOrder::Year);
            assert_eq!(found, Some(Moment { micros, is_date, is_zoned }), "{text:?}");
        }
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-01-31x",
            "2026-01-31T12:0",
            "20260131",
            "2026013112",
            "20260131T12",
            "20261331T120000Z",
            "12:00:00",
            "2026-0131-",
            "N.A.",
            "31.12.2026",
        ] {
            assert_eq!(moment(text, DateOrder::Year), None, "{text:?}");
        }
    }
}
