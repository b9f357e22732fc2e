//! Dates and times as requests write them: nanoseconds since the Unix epoch, without a time zone.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

/// What a text that should be a date turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Datetime {
    /// Nanoseconds since the Unix epoch.
    Nanoseconds(i64),
    /// `NaT` and the like.
    Missing,
    /// Has a time zone, which MLflow refuses: the signature's datetime has none.
    WithTimeZone,
    /// Not a date, or beyond the years 1677 to 2262 that nanoseconds reach.
    Unreadable,
}

/// Reads ISO 8601: `2024-01-02`, `2024-01-02T03:04[:05[.123456789]]`, with a space or `T`.
pub(crate) fn parse(text: &str) -> Datetime {
    let text = text.trim();
    if matches!(text, "NaT" | "nan" | "NaN" | "") {
        return Datetime::Missing;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
        None => (text, ""),
    };
    let date = ["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d"]
        .iter()
        .find_map(|format| NaiveDate::parse_from_str(date, format).ok());
    let Some(date) = date else { return Datetime::Unreadable };
    if time.is_empty() {
        return nanoseconds(date.and_time(NaiveTime::MIN));
    }
    if time.contains(['Z', 'z', '+', '-']) {
        return Datetime::WithTimeZone;
    }
    ["%H:%M:%S%.f", "%H:%M", "%H%M%S"]
        .iter()
        .find_map(|format| NaiveTime::parse_from_str(time, format).ok())
        .map_or(Datetime::Unreadable, |time| nanoseconds(date.and_time(time)))
}

fn nanoseconds(when: NaiveDateTime) -> Datetime {
    when.and_utc().timestamp_nanos_opt().map_or(Datetime::Unreadable, Datetime::Nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_dates_and_times() {
        let second = 1_000_000_000;
        for (text, expected) in [
            ("1970-01-01", Datetime::Nanoseconds(0)),
            ("1970-01-02", Datetime::Nanoseconds(86_400 * second)),
            ("1970-01-01T00:00:05", Datetime::Nanoseconds(5 * second)),
            ("1970-01-01 00:01", Datetime::Nanoseconds(60 * second)),
            ("19700101", Datetime::Nanoseconds(0)),
            ("1970-01-01T00:00:00.000000007", Datetime::Nanoseconds(7)),
            ("1969-12-31T23:59:59.5", Datetime::Nanoseconds(-500_000_000)),
            ("2024-01-02T03:04:05Z", Datetime::WithTimeZone),
            ("2024-01-02T03:04:05+01:00", Datetime::WithTimeZone),
            ("2024-01-02 03:04:05-01", Datetime::WithTimeZone),
            ("NaT", Datetime::Missing),
            ("hello", Datetime::Unreadable),
            ("2024-13-01", Datetime::Unreadable),
            ("2024-01-02T25:00", Datetime::Unreadable),
            ("9999-01-01", Datetime::Unreadable),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
