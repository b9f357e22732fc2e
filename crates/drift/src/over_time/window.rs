//! Windows: stretches of time that lie side by side, or so many rows one after the other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use trainyard_base::duration;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * DAY_MS;

/// 1970-01-01 was a Thursday: weeks begin on a Monday, as ISO 8601 has it.
const FIRST_MONDAY_MS: i64 = 4 * DAY_MS;

/// Rows of the shortest window: fewer say nothing.
const ROWS_MIN: u64 = 10;

/// How long windows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowLength {
    /// Milliseconds, a minute or more. Days begin at midnight UTC, weeks on Monday.
    Time(i64),
    /// Rows in the order in which they come.
    Rows(u64),
}

/// A text is no length of windows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no length of windows: 1h, 1d, 1w (a minute or more), or 10000 rows ({ROWS_MIN} or more)"
)]
pub struct NoWindowLength {
    text: String,
}

impl FromStr for WindowLength {
    type Err = NoWindowLength;

    fn from_str(text: &str) -> Result<Self, NoWindowLength> {
        let wrong = || NoWindowLength { text: text.to_owned() };
        let trimmed = text.trim();
        if let Some(count) = trimmed.strip_suffix("rows").or_else(|| trimmed.strip_suffix("row")) {
            let rows: u64 = count.trim().parse().map_err(|_| wrong())?;
            let is_enough = rows >= ROWS_MIN && i64::try_from(rows).is_ok();
            return if is_enough { Ok(Self::Rows(rows)) } else { Err(wrong()) };
        }
        let length = duration::parse(trimmed).map_err(|_| wrong())?;
        let milliseconds = i64::try_from(length.as_millis()).map_err(|_| wrong())?;
        if milliseconds < MINUTE_MS || length.subsec_millis() != 0 {
            return Err(wrong());
        }
        Ok(Self::Time(milliseconds))
    }
}

impl fmt::Display for WindowLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Rows(rows) => write!(f, "{rows} rows"),
            Self::Time(length) => {
                let units =
                    [(WEEK_MS, "w"), (DAY_MS, "d"), (60 * MINUTE_MS, "h"), (MINUTE_MS, "m")];
                match units.iter().find(|(unit, _)| length % unit == 0) {
                    Some((unit, letter)) => write!(f, "{}{letter}", length / unit),
                    None => write!(f, "{}s", length / 1000),
                }
            }
        }
    }
}

impl Serialize for WindowLength {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WindowLength {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl WindowLength {
    /// The window that a time (milliseconds since 1970) lies in; of windows of rows, that of a row number.
    pub fn window_of(self, at: i64) -> Window {
        let (length, offset) = match self {
            Self::Rows(rows) => (rows as i64, 0),
            Self::Time(length) if length % WEEK_MS == 0 => (length, FIRST_MONDAY_MS),
            Self::Time(length) => (length, 0),
        };
        let from_offset = at.saturating_sub(offset);
        let begins = from_offset.saturating_sub(from_offset.rem_euclid(length));
        let begins = begins.saturating_add(offset);
        Window { begins, ends: begins.saturating_add(length) }
    }

    /// Milliseconds of a window; none of windows of rows.
    pub fn milliseconds(self) -> Option<i64> {
        match self {
            Self::Time(length) => Some(length),
            Self::Rows(_) => None,
        }
    }
}

/// A window, from its beginning to before its end: milliseconds since 1970, or numbers of rows, the first being 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Its first moment or row.
    pub begins: i64,
    /// The first moment or row after it.
    pub ends: i64,
}

impl Window {
    /// The day of the week that it begins on, 0 for Monday; of windows of time.
    pub fn weekday(self) -> i64 {
        (self.begins - FIRST_MONDAY_MS).div_euclid(DAY_MS).rem_euclid(7)
    }

    /// How people call it: `2026-02-03` for a day, `2026-02-03 14:00` for what begins within one, `rows 1–10000`.
    pub fn name(self, length: WindowLength) -> String {
        if let WindowLength::Rows(_) = length {
            return format!("rows {}–{}", self.begins + 1, self.ends);
        }
        let (days, within) = (self.begins.div_euclid(DAY_MS), self.begins.rem_euclid(DAY_MS));
        let (year, month, day) = civil(days);
        let date = format!("{year:04}-{month:02}-{day:02}");
        let minutes = within / MINUTE_MS;
        if within == 0 && length.milliseconds().is_none_or(|length| length % DAY_MS == 0) {
            date
        } else {
            format!("{date} {:02}:{:02}", minutes / 60, minutes % 60)
        }
    }
}

/// Year, month and day of a number of days since 1970-01-01 (Howard Hinnant, chrono-compatible low-level date
/// algorithms, `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(text: &str) -> WindowLength {
        text.parse().unwrap()
    }

    #[test]
    fn lengths_as_people_write_them() {
        for (text, expected) in [
            ("1h", WindowLength::Time(3_600_000)),
            ("1d", WindowLength::Time(DAY_MS)),
            ("1w", WindowLength::Time(WEEK_MS)),
            (" 10000 rows", WindowLength::Rows(10_000)),
            ("500rows", WindowLength::Rows(500)),
        ] {
            assert_eq!(length(text), expected, "{text}");
            assert_eq!(length(&expected.to_string()), expected, "{expected}");
        }
        for text in ["", "1", "5 rows", "30s", "1500ms", "rows", "-1d", "99999999999999999999 rows"]
        {
            let error = text.parse::<WindowLength>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} is no length")), "{error}");
        }
    }

    #[test]
    fn days_begin_at_midnight_and_weeks_on_monday() {
        // Tuesday, 2026-02-03 14:30 UTC.
        let at = 1_770_129_000_000;
        let named = |text: &str, at| length(text).window_of(at).name(length(text));
        assert_eq!(named("1h", at), "2026-02-03 14:00");
        assert_eq!(named("1d", at), "2026-02-03");
        assert_eq!(named("1w", at), "2026-02-02");
        assert_eq!(length("1d").window_of(at).weekday(), 1);
        assert_eq!(named("1d", -1), "1969-12-31");
        assert_eq!(named("100 rows", 250), "rows 201–300");
        assert_eq!(named("1d", 951_782_400_000), "2000-02-29");
    }
}
