//! The page over time: alerts that go on, a strip of columns and windows, and a line a window.
//!
//! It is one file without requests or scripts. Signs differ in form, not only in colour.

use std::collections::HashMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use trainyard_drift::{About, DatasetVerdict, Episode, Measure, WindowLength, WindowResult};

use super::super::meta::Meta;
use super::super::state::sign;
use super::summary::{drifted, quality, scores, verdict};
use crate::number::{count, short};

const STYLE: &str = include_str!("style.css");

/// Windows of the strip and of the list, the newest: a page in landscape is no wider.
const WINDOWS_MAX: usize = 120;
/// Columns of the strip, those that drifted most often first: a thousand would be megabytes.
const COLUMNS_MAX: usize = 200;
/// Columns that a window names.
const NAMED_MAX: usize = 5;
/// Alerts that are listed.
const ALERTS_MAX: usize = 100;

/// Windows as one HTML page.
pub fn windows_page(
    results: &[WindowResult],
    length: WindowLength,
    alerts: &[Episode],
    meta: &Meta,
) -> String {
    let shown = &results[results.len().saturating_sub(WINDOWS_MAX)..];
    let title = if meta.title.is_empty() { "Production data" } else { &meta.title };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) ": windows of " (length) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    p.why { (results.len()) " windows of " (length) " of " (meta.current) ", compared with " (meta.reference) }
                    (ongoing(alerts, length))
                    (strip(shown, length))
                    (list(shown, length))
                }
            }
        }
    };
    markup.into_string()
}

fn ongoing(alerts: &[Episode], length: WindowLength) -> Markup {
    let ongoing: Vec<&Episode> = alerts.iter().filter(|one| one.ended.is_none()).collect();
    html! {
        h2 { @if ongoing.is_empty() { "● No alert" } @else { "▲ Alerts" } }
        @if !ongoing.is_empty() {
            ul {
                @for one in ongoing.iter().take(ALERTS_MAX) {
                    li {
                        (one.series) " is " b { (short(one.value)) }
                        @if let Some(low) = one.range.low { ", at least " (short(low)) " is wanted" }
                        @if let Some(high) = one.range.high { ", at most " (short(high)) " is wanted" }
                        ", since " (one.began.name(length))
                        span.why { " (" (one.rule) ")" }
                    }
                }
                @if ongoing.len() > ALERTS_MAX { li { "and " (ongoing.len() - ALERTS_MAX) " more" } }
            }
        }
    }
}

/// A row for all data and one for each column, a cell for each window.
fn strip(shown: &[WindowResult], length: WindowLength) -> Markup {
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return html! {} };
    let columns = columns(shown);
    let cells: Vec<HashMap<&str, &Measure>> =
        shown.iter().map(|result| scores(result).collect()).collect();
    html! {
        h2 { "Columns over time" }
        p.why { (first.window.name(length)) " to " (last.window.name(length)) ", the newest on the right: ▲ drifted, · not, blank not tested" }
        div.wide {
            table.strip {
                tr {
                    th { "all data" }
                    @for result in shown {
                        @match verdict(result) {
                            Some(is) => { td class=(class(is)) { (sign(is)) } }
                            None => { td {} }
                        }
                    }
                }
                @for column in columns.iter().take(COLUMNS_MAX) {
                    tr {
                        th { (column) }
                        @for cell in &cells {
                            @match cell.get(column) {
                                Some(score) if score.is_alarming == Some(true) => {
                                    td.d title=(short(score.value)) { "▲" }
                                }
                                Some(_) => { td { "·" } }
                                None => { td {} }
                            }
                        }
                    }
                }
            }
        }
        @if columns.len() > COLUMNS_MAX {
            p.why { "and " (columns.len() - COLUMNS_MAX) " more columns, which drifted less often" }
        }
    }
}

/// The columns, those that drifted most often first, else as they come.
fn columns(shown: &[WindowResult]) -> Vec<&str> {
    let mut order: Vec<(&str, usize)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for result in shown {
        for (column, measure) in scores(result) {
            let place = *places.entry(column).or_insert_with(|| {
                order.push((column, 0));
                order.len() - 1
            });
            order[place].1 += usize::from(measure.is_alarming == Some(true));
        }
    }
    order.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    order.into_iter().map(|(column, _)| column).collect()
}

/// A line a window, the newest first.
fn list(shown: &[WindowResult], length: WindowLength) -> Markup {
    html! {
        h2 { "Windows" }
        div.wide {
            table.list {
                tr { th { "window" } th.n { "rows" } th { "verdict" } th { "quality" } th { "drifted" } }
                @for result in shown.iter().rev() {
                    tr {
                        th { (result.window.name(length)) @if result.is_open { span.why { " open" } } }
                        td.n { (count(result.rows)) }
                        td {
                            @if let Some(is) = verdict(result) {
                                span class=(is.name()) { (sign(is)) " " (is.name()) }
                            }
                        }
                        td { @for measure in quality(result) { div { (number(measure)) } } }
                        td { (named(result)) }
                    }
                }
            }
        }
    }
}

/// A metric of quality with its interval and what the reference has.
fn number(measure: &Measure) -> Markup {
    html! {
        @if measure.about == About::Estimate { "estimated " }
        (measure.metric) " " b { (short(measure.value)) }
        @if let Some([low, high]) = measure.interval { " (" (short(low)) " to " (short(high)) ")" }
        @if let Some(reference) = measure.reference { span.why { ", reference " (short(reference)) } }
    }
}

fn named(result: &WindowResult) -> String {
    let drifted = drifted(result);
    let names = drifted.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    match drifted.len().saturating_sub(NAMED_MAX) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

fn class(verdict: DatasetVerdict) -> &'static str {
    match verdict {
        DatasetVerdict::Stable => "s",
        DatasetVerdict::Warning => "w",
        DatasetVerdict::Drift => "d",
        DatasetVerdict::Broken => "b",
    }
}

#[cfg(test)]
mod tests {
    use trainyard_drift::{Window, metric};

    use super::*;

    #[test]
    fn ninety_windows_of_fifty_columns_are_a_small_page_without_scripts() {
        const DAY: i64 = 86_400_000;
        let results: Vec<WindowResult> = (0..90)
            .map(|day| {
                let window = Window { begins: day * DAY, ends: (day + 1) * DAY };
                let mut result = WindowResult::new(window, 5000);
                let score = |column: i64| {
                    Measure::new(About::Drift, metric::DRIFT_SCORE, 0.123_456)
                        .of_column(&format!("<column> {column}"))
                        .alarming((day + column) % 3 == 0)
                };
                result.extend((0..50).map(score));
                result.extend([
                    Measure::new(About::Drift, metric::VERDICT, 2.0),
                    Measure::new(About::Quality, "accuracy", 0.91).beside(Some(0.93)),
                ]);
                result
            })
            .collect();
        let day: WindowLength = "1d".parse().unwrap();
        let page = windows_page(&results, day, &[], &Meta::default());
        assert!(page.len() < 300_000, "{} bytes", page.len());
        assert!(!page.contains("<script") && page.contains("&lt;column&gt; 7"));
        assert!(page.contains("1970-03-31") && page.contains("reference 0.93"));
        assert_eq!(page.matches("▲").count(), 90 * 50 / 3 + 2 * 90 + 1);
    }
}
