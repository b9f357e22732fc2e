//! Times as users write them, everywhere with one meaning: `500ms`, `30s`, `2m`, `1h 30m`, `7days`.
//!
//! `humantime` reads them; a number without a unit is none, for one would read seconds and another minutes.

use std::time::Duration;

use serde::de::{Deserialize as _, Deserializer, Error as _};

/// A century: nobody waits longer, and a point in time to which more is added may not be one.
const DURATION_MAX: Duration = Duration::from_hours(36_525 * 24);

/// A text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no duration ({reason}), try \"30s\"")]
pub struct NoDuration {
    text: String,
    reason: String,
}

/// The time that a text means.
pub fn parse(text: &str) -> Result<Duration, NoDuration> {
    let wrong = |reason| NoDuration { text: text.to_owned(), reason };
    let duration =
        humantime::parse_duration(text.trim()).map_err(|error| wrong(error.to_string()))?;
    if duration > DURATION_MAX {
        return Err(wrong("more than a hundred years".to_owned()));
    }
    Ok(duration)
}

/// The same where never is a choice: `off` is none.
pub fn parse_or_off(text: &str) -> Result<Option<Duration>, NoDuration> {
    if text.trim() == "off" { Ok(None) } else { parse(text).map(Some) }
}

/// Microseconds as people read them, with the two digits that count: `3.1 ms`, `45 ms`, `1.2 s`.
pub fn of_micros(micros: u64) -> String {
    let millis = micros as f64 / 1e3;
    if millis < 9.95 {
        format!("{millis:.1} ms")
    } else if millis < 999.5 {
        format!("{millis:.0} ms")
    } else {
        format!("{:.1} s", millis / 1e3)
    }
}

/// For `#[serde(deserialize_with = "…")]` of a duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// The same for one that may be left out; such a member has `#[serde(default)]` too.
pub fn deserialize_some<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_is_a_duration_where_it_is_a_choice() {
        assert_eq!(parse_or_off(" off"), Ok(None));
        assert_eq!(parse_or_off("1h"), Ok(Some(Duration::from_hours(1))));
        assert!(parse_or_off("never").is_err() && parse("off").is_err());
    }

    #[test]
    fn microseconds_have_the_digits_that_count() {
        let shown = [0, 3_120, 9_949, 9_950, 999_499, 999_500, 1_240_000].map(of_micros);
        assert_eq!(shown, ["0.0 ms", "3.1 ms", "9.9 ms", "10 ms", "999 ms", "1.0 s", "1.2 s"]);
    }

    #[test]
    fn durations_as_people_write_them() {
        for (text, expected) in [
            ("500ms", Duration::from_millis(500)),
            (" 30s ", Duration::from_secs(30)),
            ("2m", Duration::from_mins(2)),
            ("1h 30m", Duration::from_mins(90)),
            ("7days", Duration::from_hours(7 * 24)),
            ("0s", Duration::ZERO),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in ["", "5", "-1s", "s", "5 apples", "101years", "99999999999999999years"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} is no duration")), "{error}");
        }
    }
}
