//! When a line was written, by its own beginning: our logs begin with the time, as text or as the first member of a
//! JSON object. A line without one (a traceback, a program's own words) belongs to the line before it.

use std::time::UNIX_EPOCH;

/// How our JSON lines begin.
const JSON: &str = r#"{"timestamp":""#;

/// Bytes of a date and a time: `2026-11-30 02:48:14`.
const SECONDS: usize = 19;

/// When a line says that it was written, in milliseconds since 1970.
pub(super) fn stamp(line: &str) -> Option<u64> {
    let text = line.strip_prefix(JSON).unwrap_or(line);
    let word = text.split([' ', '"', ',']).next().unwrap_or_default();
    // Python's way has a blank between date and time.
    let time = if word.len() < SECONDS { text.get(..SECONDS)? } else { word };
    let time = humantime::parse_rfc3339_weak(time.strip_suffix('Z').unwrap_or(time)).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// Lets lines through that were written since some time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    since_ms: Option<u64>,
    /// Whether the line before was let through.
    is_open: bool,
}

impl Since {
    pub(super) fn new(since_ms: Option<u64>) -> Self {
        Self { since_ms, is_open: since_ms.is_none() }
    }

    pub(super) fn lets(&mut self, line: &str) -> bool {
        if let Some(since) = self.since_ms
            && let Some(at) = stamp(line)
        {
            self.is_open = at >= since;
        }
        self.is_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_lines_are_read() {
        for line in [
            "2023-11-14T22:13:20.123456Z  INFO trainyard: serving",
            r#"{"timestamp":"2023-11-14T22:13:20.123456Z","level":"INFO"}"#,
            "2023-11-14T22:13:20.123Z",
        ] {
            assert_eq!(stamp(line), Some(1_700_000_000_123), "{line}");
        }
        assert_eq!(stamp("2023-11-14 22:13:20,123 ERROR x"), Some(1_700_000_000_000));
        for line in ["", "Traceback (most recent call last):", "  File \"x.py\"", "2023-11-14", "é"]
        {
            assert_eq!(stamp(line), None, "{line}");
        }
    }

    #[test]
    fn what_has_no_time_belongs_to_the_line_before() {
        let lines = [
            "a line without a time",
            "2023-11-14T22:13:19Z old",
            "  its rest",
            "2023-11-14T22:13:20Z new",
            "  its rest too",
        ];
        let mut since = Since::new(Some(1_700_000_000_000));
        let let_through: Vec<&str> = lines.into_iter().filter(|line| since.lets(line)).collect();
        assert_eq!(let_through, ["2023-11-14T22:13:20Z new", "  its rest too"]);
        let mut all = Since::new(None);
        assert!(lines.iter().all(|line| all.lets(line)));
    }
}
