//! Parts of a page over time: alerts that go on, a strip of columns and windows, and a line a window.
//!
//! They have no style of their own, so that the page that is a file and those of the tracking server are made of the
//! same. Signs differ in form, not only in colour.

use std::collections::HashMap;

use maud::{Markup, html};
use trainyard_drift::{
    About, DatasetVerdict, Episode, Measure, Window, WindowLength, WindowResult, metric,
};

use super::super::state::sign;
use super::summary::{drifted, quality, scores, verdict};
use crate::number::{count, percent, short};

/// Windows of the strip and of the list, the newest: a page in landscape is no wider.
pub const WINDOWS_SHOWN_MAX: usize = 120;
/// Columns of the strip, those that drifted most often first: a thousand would be megabytes.
const COLUMNS_MAX: usize = 200;
/// Columns that a window names.
const NAMED_MAX: usize = 5;
/// Alerts that are listed.
const ALERTS_MAX: usize = 100;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct WindowParts<'a> {
    /// The windows, in the order of time.
    pub results: &'a [WindowResult],
    /// How long they are.
    pub length: WindowLength,
    /// What was beyond what rules want.
    pub alerts: &'a [Episode],
    /// The address of what is said of a window, up to the number by which it begins; none where nothing more is said.
    pub address: Option<&'a str>,
}

impl<'a> WindowParts<'a> {
    /// The windows of the strip and of the list.
    pub fn shown(&self) -> &'a [WindowResult] {
        let results = self.results;
        results.get(results.len().saturating_sub(WINDOWS_SHOWN_MAX)..).unwrap_or_default()
    }

    /// Alerts that go on.
    pub fn alerts(&self) -> Markup {
        let ongoing: Vec<&Episode> = self.alerts.iter().filter(|one| one.ended.is_none()).collect();
        html! {
            h2 { @if ongoing.is_empty() { "● No alert" } @else { "▲ Alerts" } }
            @if !ongoing.is_empty() {
                ul {
                    @for one in ongoing.iter().take(ALERTS_MAX) { li { (alert(one, self.length)) } }
                    @if ongoing.len() > ALERTS_MAX { li { "and " (ongoing.len() - ALERTS_MAX) " more" } }
                }
            }
        }
    }

    /// A row for all data and one for each column, a cell for each window.
    pub fn strip(&self) -> Markup {
        let (shown, length) = (self.shown(), self.length);
        let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return html! {} };
        let columns = columns(shown);
        let cells: Vec<HashMap<&str, &Measure>> =
            shown.iter().map(|result| scores(result).collect()).collect();
        html! {
            h2 { "Columns over time" }
            p.why { (first.window.name(length)) " to " (last.window.name(length)) ", the newest on the right: ▲ drifted, · not, blank not tested" }
            div.wide tabindex="0" {
                table.strip {
                    tr {
                        th scope="row" { "all data" }
                        @for result in shown {
                            @match verdict(result) {
                                Some(is) => {
                                    td class=(class(is)) title=(result.window.name(length)) { (self.link(result.window, sign(is))) }
                                }
                                None => { td {} }
                            }
                        }
                    }
                    @for column in columns.iter().take(COLUMNS_MAX) {
                        tr {
                            th scope="row" { (column) }
                            @for (result, cell) in shown.iter().zip(&cells) {
                                @match cell.get(column) {
                                    Some(score) if score.is_alarming == Some(true) => {
                                        td.d title=(short(score.value)) { (self.link(result.window, "▲")) }
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

    /// A line a window, the newest first.
    pub fn list(&self) -> Markup {
        html! {
            h2 { "Windows" }
            div.wide tabindex="0" {
                table.list {
                    tr { th { "window" } th.n { "rows" } th { "verdict" } th.n { "labels" } th { "quality" } th { "drifted" } }
                    @for result in self.shown().iter().rev() {
                        tr {
                            th scope="row" {
                                (self.link(result.window, &result.window.name(self.length)))
                                @if result.is_open { span.why { " open" } }
                                @if result.is_partial { span.why { " partial" } }
                            }
                            td.n { (count(result.rows)) }
                            td {
                                @if let Some(is) = verdict(result) {
                                    span class=(is.name()) { (sign(is)) " " (is.name()) }
                                }
                            }
                            td.n { @if let Some(share) = result.labelled_share() { (percent(share)) } }
                            td { @for measure in quality(result) { div { (number(measure)) } } }
                            td {
                                (named(result))
                                @if let Some(why) = result.why_broken() { div.why { (why) } }
                            }
                        }
                    }
                }
            }
        }
    }

    /// A word that leads to what is said of a window, if anything is.
    fn link(&self, window: Window, word: &str) -> Markup {
        html! {
            @match self.address {
                Some(address) => { a href={ (address) (window.begins) } { (word) } }
                None => { (word) }
            }
        }
    }
}

/// What is beyond, what is wanted, and since when.
pub(super) fn alert(one: &Episode, length: WindowLength) -> Markup {
    html! {
        @if one.series.metric == metric::UNKNOWN {
            b { (one.sentence()) }
        } @else {
            (one.series) " is " b { (short(one.value)) }
        }
        @if let Some(low) = one.range.low { ", at least " (short(low)) " is wanted" }
        @if let Some(high) = one.range.high { ", at most " (short(high)) " is wanted" }
        ", since " (one.began.name(length))
        span.why { " (" (one.rule) ")" }
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
