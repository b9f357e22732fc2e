//! A line a window.

use std::fmt::Write as _;

use trainyard_drift::{About, Episode, WindowLength, WindowResult, metric};

use super::super::state::sign;
use super::super::wrapped::{WIDTH, cut, plain, width};
use super::summary::{drifted, quality, scores, verdict};
use crate::number::{count, percent, short};

/// Windows that are listed, the newest; the rest is counted.
const WINDOWS_MAX: usize = 40;
/// Alerts that are listed.
const ALERTS_MAX: usize = 20;

/// The windows, the newest last, and the alerts that go on.
pub fn windows_text(results: &[WindowResult], length: WindowLength, alerts: &[Episode]) -> String {
    let mut out = String::new();
    let hidden = results.len().saturating_sub(WINDOWS_MAX);
    if hidden > 0 {
        // Writing to a String cannot fail.
        let _infallible = writeln!(out, "  {hidden} earlier windows");
    }
    let shown = &results[hidden..];
    let names: Vec<String> = shown.iter().map(|result| result.window.name(length)).collect();
    let room = names.iter().map(|name| width(name)).max().unwrap_or(0);
    for (result, name) in shown.iter().zip(&names) {
        let blanks = " ".repeat(room - width(name));
        let head = format!("  {name}{blanks}  {:>9}  ", count(result.rows));
        let line = format!("{head}{}", said(result));
        let _infallible = writeln!(out, "{}", cut(&line, WIDTH).trim_end());
    }
    let ongoing: Vec<&Episode> = alerts.iter().filter(|one| one.ended.is_none()).collect();
    if !ongoing.is_empty() {
        out.push_str("\nAlerts\n");
        for one in ongoing.iter().take(ALERTS_MAX) {
            let since = one.began.name(length);
            let is_word = one.series.metric == metric::UNKNOWN
                || one.series.metric.ends_with(metric::VERDICT);
            let said = if is_word {
                one.sentence()
            } else {
                format!("{} is {}", one.series, short(one.value))
            };
            let fired = results.iter().find(|result| result.window == one.fired);
            let is_of_all = one.series.metric == metric::VERDICT && one.series.segment.is_none();
            let why = fired.filter(|_| is_of_all).and_then(WindowResult::why_broken);
            let why = why.map_or_else(String::new, |why| format!(" ({})", plain(why)));
            let text = format!("  ▲ {}: {}, since {since}{why}", one.rule, plain(&said));
            let _infallible = writeln!(out, "{}", cut(&text, WIDTH));
        }
        if ongoing.len() > ALERTS_MAX {
            let _infallible = writeln!(out, "  and {} more", ongoing.len() - ALERTS_MAX);
        }
    }
    out
}

/// The verdict of a window, its quality, and the columns that drifted.
fn said(result: &WindowResult) -> String {
    let mut text = match verdict(result) {
        Some(verdict) => format!("{} {:<7}", sign(verdict), verdict.name()),
        None => "not judged".to_owned(),
    };
    if result.is_open {
        text.push_str("  open");
    }
    if result.is_partial {
        text.push_str("  partial");
    }
    if let Some(share) = result.labelled_share() {
        let _infallible = write!(text, "  labels {}", percent(share));
    }
    for measure in quality(result) {
        let estimated = if measure.about == About::Estimate { "estimated " } else { "" };
        let _infallible =
            write!(text, "  {estimated}{} {}", plain(&measure.metric), short(measure.value));
    }
    let drifted = drifted(result);
    if !drifted.is_empty() {
        let names: Vec<String> = drifted.iter().map(|name| plain(name)).collect();
        let all = scores(result).count();
        let _infallible = write!(text, "  {} of {all}: {}", drifted.len(), names.join(", "));
    }
    if let Some(why) = result.why_broken() {
        let _infallible = write!(text, "  {}", plain(why));
    }
    text
}
