//! Times as people write them on a command line, and as they are shown: UTC.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat};

/// Forms without a zone, which are UTC.
const FORMS: [&str; 4] =
    ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f"];

/// Milliseconds since the Unix epoch of `2026-03-01T12:00`, `2026-03-01` or `2026-03-01T12:00:00+01:00`.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    let bare = text.strip_suffix('Z').unwrap_or(text);
    let time = FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(bare, form).ok());
    let day = || NaiveDate::parse_from_str(bare, "%Y-%m-%d").ok();
    let time = time.or_else(|| Some(day()?.and_time(NaiveTime::MIN)));
    let time = time.ok_or_else(|| {
        format!("{text:?} is no time; write 2026-03-01T12:00 (UTC), 2026-03-01, or 2026-03-01T12:00:00+01:00")
    })?;
    Ok(time.and_utc().timestamp_millis())
}

/// A time to the second.
pub(crate) fn shown(milliseconds: i64) -> String {
    let time = DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_unless_they_say() {
        for text in [
            "2026-03-01T12:00",
            "2026-03-01T12:00Z",
            "2026-03-01 12:00:00",
            "2026-03-01T13:00:00+01:00",
            "2026-03-01T12:00:00.000Z",
        ] {
            assert_eq!(parse(text).map(shown).as_deref(), Ok("2026-03-01T12:00:00Z"), "{text}");
        }
        assert_eq!(parse("2026-03-01").map(shown).as_deref(), Ok("2026-03-01T00:00:00Z"));
        for text in ["", "yesterday", "2026-13-01", "12:00"] {
            assert!(parse(text).unwrap_err().contains("is no time"), "{text}");
        }
    }
}
