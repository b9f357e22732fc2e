//! Numbers, times and sizes as people read them.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use trainyard_mlflow::entities::{RunInfo, RunStatus};

/// A metric's value: six significant digits are enough to compare; the page has them all in a
/// title.
pub(crate) fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.abs() >= f64::MAX {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let magnitude = value.abs();
    let text = if value != 0.0 && !(1e-4..1e9).contains(&magnitude) {
        format!("{value:.4e}")
    } else if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        let digits = (5 - magnitude.log10().floor() as i32).clamp(0, 9) as usize;
        let text = format!("{value:.digits$}");
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    };
    text.replace('-', "−").replace("e−", "e-")
}

/// A param in a cell: long fractions are cut to what [`number`] shows, long text at its end.
pub(crate) fn param(text: &str) -> String {
    const SHOWN: usize = 28;
    match text.parse::<f64>() {
        Ok(value) if text.len() > 9 && value.is_finite() && text.contains('.') => number(value),
        _ => short(text, SHOWN),
    }
}

/// A name that may break where its parts end.
pub(crate) fn breakable(name: &str) -> Markup {
    html! {
        @for (position, piece) in name.split_inclusive(['/', '_', '.', '-']).enumerate() {
            @if position > 0 { wbr; }
            (piece)
        }
    }
}

/// How long a run took; none where it has not ended, and where nobody measured it (a report that is logged at
/// once).
pub(crate) fn took(info: &RunInfo) -> Option<String> {
    let (start, end) = info.start_time.zip(info.end_time)?;
    (start != end).then(|| duration(end.saturating_sub(start)))
}

/// For how long a run goes on, roughly: a page that changes by itself says it anew. None of one that has ended, or does
/// not say when it began.
pub(crate) fn so_far(info: &RunInfo, now: i64) -> Option<String> {
    let start = info.start_time.filter(|start| *start > 0 && info.status == RunStatus::Running)?;
    let minutes = now.saturating_sub(start) / 60_000;
    Some(match minutes {
        ..1 => "under a minute so far".to_owned(),
        1..60 => format!("{minutes} min so far"),
        60..2_880 => format!("{} h {} min so far", minutes / 60, minutes % 60),
        _ => format!("{} days so far", minutes / 1_440),
    })
}

/// A moment in UTC.
pub(crate) fn time(millis: i64) -> Markup {
    let Some(time) = DateTime::<Utc>::from_timestamp_millis(millis) else {
        return html! { (millis.to_string()) };
    };
    html! {
        time datetime=(time.format("%Y-%m-%dT%H:%M:%SZ").to_string()) {
            (time.format("%Y-%m-%d %H:%M:%S").to_string())
        }
    }
}

/// The same as text.
pub(crate) fn time_text(millis: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(millis);
    time.map_or_else(|| millis.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// How long something took.
pub(crate) fn duration(millis: i64) -> String {
    let seconds = millis / 1000;
    match millis {
        ..0 => "–".to_owned(),
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{:.1} s", millis as f64 / 1000.0),
        60_000..3_600_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// How long ago a moment was, roughly.
pub(crate) fn ago(millis: i64, now: i64) -> String {
    let minutes = now.saturating_sub(millis) / 60_000;
    match minutes {
        ..1 => "just now".to_owned(),
        1..60 => format!("{minutes} min ago"),
        60..2_880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1_440),
    }
}

/// A file's size.
pub(crate) fn bytes(size: i64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut value = size as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{size} {name}") } else { format!("{value:.1} {name}") }
}

/// A name that people gave to something, at most `max` characters of it: the whole stands beside it where it is longer,
/// and one that nobody can see is said to be none, so that there is something to click on.
pub(crate) fn name(name: &str, max: usize) -> Markup {
    if is_blank(name) {
        return html! { span.soft { "(no name)" } };
    }
    let is_long = name.char_indices().nth(max).is_some();
    html! {
        @if is_long { span title=(name) { (short(name, max)) } } @else { (name) }
    }
}

/// Whether nothing of a text can be seen: spaces, control characters, and characters without a width.
pub(crate) fn is_blank(text: &str) -> bool {
    let is_unseen = |character: char| {
        let has_no_width = matches!(character, '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{feff}');
        character.is_whitespace() || character.is_control() || has_no_width
    };
    text.chars().all(is_unseen)
}

/// At most `max` characters, with an ellipsis for the rest.
pub(crate) fn short(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_seen_whatever_it_is() {
        for blank in ["", " ", "\u{3000}\t", "\0\u{7}", "\u{200b}\u{202e}"] {
            let shown = name(blank, 9).into_string();
            assert_eq!(shown, "<span class=\"soft\">(no name)</span>", "{blank:?}");
        }
        assert_eq!(name("a b", 3).into_string(), "a b");
        assert_eq!(name("a<bc", 3).into_string(), "<span title=\"a&lt;bc\">a&lt;b…</span>");
    }

    #[test]
    fn numbers_are_short_and_right() {
        for (value, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (-3.0, "−3"),
            (0.1 + 0.2, "0.3"),
            (0.966_666_666, "0.966667"),
            (12.345_678_9, "12.3457"),
            (123_456.789, "123457"),
            (0.000_123_456_7, "0.000123457"),
            (0.000_012_345, "1.2345e-5"),
            (1e300, "1.0000e300"),
            (-1.5e10, "−1.5000e10"),
            (f64::MAX, "∞"),
            (f64::NEG_INFINITY, "−∞"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn what_took_no_time_was_not_measured() {
        let info = |end| RunInfo { start_time: Some(5), end_time: end, ..RunInfo::default() };
        // Clients say both.
        let far = RunInfo { start_time: Some(i64::MIN), ..info(Some(i64::MAX)) };
        assert!(took(&far).is_some_and(|text| text.contains(" h ")));
        let took = [None, Some(5), Some(6)].map(|end| took(&info(end)));
        assert_eq!(took, [None, None, Some("1 ms".to_owned())]);
        assert_eq!(breakable("val/<loss>").into_string(), "val/<wbr>&lt;loss&gt;");
    }

    #[test]
    fn a_run_that_goes_on_says_for_how_long() {
        let start = 1_700_000_000_000;
        let info = |status| RunInfo { status, start_time: Some(start), ..RunInfo::default() };
        let running = info(RunStatus::Running);
        let after = |minutes: i64| so_far(&running, start + minutes * 60_000).unwrap();
        assert_eq!(
            [-1, 0, 59, 125, 6_000].map(after),
            ["under a minute", "under a minute", "59 min", "2 h 5 min", "4 days"]
                .map(|text| format!("{text} so far"))
        );
        assert_eq!(so_far(&info(RunStatus::Finished), start), None);
        let unknown = RunInfo { start_time: Some(0), ..running };
        assert_eq!(so_far(&unknown, start), None);
    }

    #[test]
    fn durations_sizes_and_texts_are_short() {
        let durations = [-1, 0, 999, 1_500, 61_000, 3_723_000].map(duration);
        assert_eq!(durations, ["–", "0 ms", "999 ms", "1.5 s", "1 min 1 s", "1 h 2 min"]);
        assert_eq!([0, 999, 1_000, 12_345_678].map(bytes), ["0 B", "999 B", "1.0 KB", "12.3 MB"]);
        let moments = [5, -60_000, -7_200_000, -259_200_000].map(|millis| ago(millis, 0));
        assert_eq!(moments, ["just now", "1 min ago", "2 h ago", "3 days ago"]);
        assert_eq!(short("äöü", 2), "äö…");
        assert_eq!(short("äöü", 3), "äöü");
        let params = ["17.78279410038923", "0.10", "1234567890123", "infinity...", "lbfgs"];
        assert_eq!(params.map(param), ["17.7828", "0.10", "1234567890123", "infinity...", "lbfgs"]);
        let shown = time(1_700_000_000_000).into_string();
        assert_eq!(shown, "<time datetime=\"2023-11-14T22:13:20Z\">2023-11-14 22:13:20</time>");
        assert_eq!(time(i64::MAX).into_string(), i64::MAX.to_string());
    }
}
