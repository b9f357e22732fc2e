//! A time as machines write it: ISO 8601 with a date (RFC 3339 and its like), or RFC 2822 (mail).

use arrow_cast::parse::string_to_datetime;
use chrono::{DateTime, Utc};

/// A text that is a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Microseconds since 1970, in UTC, which also times without a zone are taken for.
    pub(super) micros: i64,
    /// A date alone.
    pub(super) is_date: bool,
    /// It says how far from UTC it is.
    pub(super) is_zoned: bool,
}

/// Characters of `2026-01-31`.
const DATE_LENGTH: usize = 10;

/// Reads a time.
pub(super) fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    if text.len() < DATE_LENGTH || !text.is_ascii() {
        return None;
    }
    if text.as_bytes().get(4) != Some(&b'-') {
        // "Sat, 31 Jan 2026 12:00:00 +0100" begins with a weekday or a day, and has a clock.
        let time = text.contains(':').then(|| DateTime::parse_from_rfc2822(text).ok()).flatten()?;
        return Some(Moment { micros: time.timestamp_micros(), is_date: false, is_zoned: true });
    }
    let time = string_to_datetime(&Utc, text).ok()?;
    let clock = text.get(DATE_LENGTH..).unwrap_or_default();
    Some(Moment {
        micros: time.timestamp_micros(),
        is_date: clock.is_empty(),
        is_zoned: clock.contains(['Z', 'z', '+', '-']),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (" 2026-01-31T12:00:00+01:00", NOON - HOUR, false, true),
            ("Sat, 31 Jan 2026 12:00:00 +0100", NOON - HOUR, false, true),
        ] {
            assert_eq!(moment(text), Some(Moment { micros, is_date, is_zoned }), "{text:?}");
        }
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-01-31x",
            "12:00:00",
            "2026-0131-",
            "N.A.",
            "31.12.2026",
        ] {
            assert_eq!(moment(text), None, "{text:?}");
        }
    }
}
