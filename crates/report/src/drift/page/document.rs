//! The page: the verdict first, then the columns by severity, then the details of each.
//!
//! It is one file without requests. Every part works without scripts; the script adds filtering and
//! sorting and opens the details for printing. Its hash is the only script the page's own policy allows.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use trainyard_chart::{histogram, pairs};
use trainyard_drift::{ColumnDrift, DatasetDrift, Distribution, Role, Status};

use super::bins::shares;
use super::column::detail;
use crate::drift::change::change;
use crate::drift::grouped::{Group, grouped};
use crate::drift::meta::Meta;
use crate::drift::sentences::{decision, headline, segment_words, summary};
use crate::drift::state::{Counts, State, sign};
use crate::number::{count, short};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// SHA-256 of [`SCRIPT`] in base 64; a test computes it.
const SCRIPT_HASH: &str = "XHNU1+DgZHhsBrIlnQIgo/Vr5U89UZ1vtjj5xOqidm4=";

/// Rows of the table. A thousand columns stay under 2 MB; beyond, the JSON has them all.
const ROWS_MAX: usize = 2000;
/// Bytes of details; the columns that need attention come first.
const DETAIL_BYTES_MAX: usize = 900_000;
/// Bytes of a score with its threshold that stay on one line.
const FORMULA_BYTES_MAX: usize = 30;
/// Findings shown at once; the rest is folded.
const OPEN_FINDINGS_MAX: usize = 12;
/// Findings shown at all on the overview; each column's details have its own.
const FINDINGS_MAX: usize = 200;

/// The result as one HTML page.
pub fn page(drift: &DatasetDrift, meta: &Meta) -> String {
    let columns = drift.by_severity();
    let shown = columns.get(..ROWS_MAX.min(columns.len())).unwrap_or_default();
    let mut details = Vec::new();
    let mut bytes = 0;
    for (index, column) in shown.iter().enumerate() {
        let markup = detail(index, column);
        bytes += markup.0.len();
        if bytes > DETAIL_BYTES_MAX {
            break;
        }
        details.push(markup);
    }
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{SCRIPT_HASH}'"
    );
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (meta.title()) ": " (headline(drift)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (verdict(drift, meta))
                    (segments(drift))
                    (findings(drift))
                    @if !shown.is_empty() {
                        (table(shown, columns.len(), details.len()))
                        h2 id="details" { "Details" }
                        @for markup in &details { (markup) }
                        @if details.len() < shown.len() {
                            p.why { "The details of " (shown.len() - details.len()) " more columns are in the JSON output; they are left out here to keep the page small." }
                        }
                    }
                    (footer())
                }
                @if !shown.is_empty() { script { (PreEscaped(SCRIPT)) } }
            }
        }
    };
    markup.into_string()
}

fn verdict(drift: &DatasetDrift, meta: &Meta) -> Markup {
    let verdict = drift.verdict();
    let counts = Counts::of(drift);
    html! {
        h1 { (meta.title()) }
        section class={ "verdict " (verdict.name()) } aria-label="Verdict" {
            h2 { (sign(verdict)) " " (headline(drift)) }
            p { (summary(drift)) }
            @if let Some(error) = &drift.evidently_error {
                p { "Evidently gives no report on these data: " (error) }
            }
        }
        ul.counts {
            @for (number, word) in [(counts.drift, "drifted"), (counts.stable, "stable"), (counts.skipped, "skipped"), (counts.failed, "failed")] {
                @if number > 0 || word == "drifted" { li { b { (number) } " " (word) } }
            }
            @let findings = grouped(drift).len();
            @if findings > 0 { li { b { (findings) } @if findings == 1 { " finding" } @else { " findings" } } }
        }
        dl.facts {
            (fact("Reference", &meta.reference, drift.reference_rows))
            (fact("Current", &meta.current, drift.current_rows))
            @if !meta.time.is_empty() { div { dt { "Compared" } dd { (meta.time) } } }
        }
    }
}

fn fact(side: &str, name: &str, rows: u64) -> Markup {
    html! { div { dt { (side) } dd { (name) " " span.tag { (count(rows)) " rows" } } } }
}

/// Parts that were compared by themselves, the worst first.
fn segments(drift: &DatasetDrift) -> Markup {
    if drift.segments.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Segments" }
        p.key { "Each with the same part of the reference; p-values of all of them are adjusted together." }
        .wide tabindex="0" {
            table {
                thead { tr {
                    th scope="col" { "Segment" }
                    th scope="col" { "Verdict" }
                    th scope="col" { "Drifted, and what changed most" }
                } }
                tbody {
                    @for segment in drift.segments_by_severity() {
                        @let verdict = segment.drift.verdict();
                        tr {
                            td.name { (segment.name) }
                            td.n { span class={ "s " (verdict.name()) } { (sign(verdict)) " " (verdict.name()) } }
                            td { (segment_words(segment)) }
                        }
                    }
                }
            }
        }
    }
}

fn findings(drift: &DatasetDrift) -> Markup {
    let all = grouped(drift);
    if all.is_empty() {
        return html! {};
    }
    let (open, folded) = all.split_at(OPEN_FINDINGS_MAX.min(all.len()));
    let list = |part: &[Group<'_>]| {
        html! {
            ul.findings {
                @for group in part {
                    li class=(group.severity.name()) {
                        span.tag { (group.severity.name()) } " "
                        @if !group.columns.is_empty() { b { (group.names()) } ": " }
                        (group.message)
                    }
                }
            }
        }
    };
    html! {
        h2 { "Schema and quality" }
        (list(open))
        @if !folded.is_empty() {
            details {
                summary { (folded.len()) " more findings" }
                .in {
                    (list(folded.get(..FINDINGS_MAX.min(folded.len())).unwrap_or_default()))
                    @if folded.len() > FINDINGS_MAX { p.why { "and " (folded.len() - FINDINGS_MAX) " more in the JSON output" } }
                }
            }
        }
    }
}

fn table(shown: &[&ColumnDrift], all: usize, detailed: usize) -> Markup {
    let effects =
        shown.iter().filter_map(|column| column.verdict()).any(|verdict| verdict.effect.is_some());
    html! {
        h2 { "Columns" }
        p.key {
            (PreEscaped("<svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><path class=\"a\" d=\"M0 12V4H26V12Z\"/></svg>")) " reference (area) \u{2003}"
            (PreEscaped("<svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><path class=\"l\" d=\"M0 10H9V3H18V8H26\"/></svg>")) " current (line); of labels: reference and current side by side"
        }
        .tools hidden {
            label { "Filter " input type="search" placeholder="column name"; }
            label { input type="checkbox"; " only what is not stable" }
            output class="why" {}
        }
        .wide tabindex="0" {
            table.columns {
                thead { tr {
                    th scope="col" data-k="name" { "Column" }
                    th scope="col" data-k="kind" { "Kind" }
                    th scope="col" { "Distribution" }
                    th scope="col" data-k="s" { "Verdict" }
                    th scope="col" { "What changed" }
                    th scope="col" data-k="v" { "Score" }
                    @if effects { th scope="col" data-k="e" { "Effect" } }
                } }
                tbody { @for (index, column) in shown.iter().enumerate() { (row(index, column, index < detailed, effects)) } }
            }
        }
        @if shown.len() < all { p.why { (all - shown.len()) " more columns are in the JSON output." } }
    }
}

fn row(index: usize, column: &ColumnDrift, linked: bool, effects: bool) -> Markup {
    let state = State::of(column);
    let verdict = column.verdict();
    let score = verdict.map(|verdict| format!("{:.6e}", verdict.decisive_score()));
    let effect = verdict.and_then(|verdict| verdict.effect.as_ref());
    html! {
        tr data-i=(index) data-s=(state.word()) data-v=[score] data-e=[effect.map(|effect| format!("{:.4}", effect.value.abs()))] {
            td.name {
                @if linked { a href={ "#c" (index) } { (column.name) } } @else { (column.name) }
                @if column.role != Role::Feature { " " span.tag { (column.role.name()) } }
            }
            td.k { (column.kind.name()) }
            td.spark { @if let Some(distribution) = &column.distribution { (spark(distribution, &column.name)) } }
            td.n { span class={ "s " (state.word()) } { (state.sign()) " " (state.word()) } }
            td.h { (change(column)) }
            td.w {
                @match &column.status {
                    Status::Tested(verdict) => {
                        @let decision = decision(verdict);
                        span.tag { (verdict.method.id()) } " " span class=[(decision.len() <= FORMULA_BYTES_MAX).then_some("f")] { (decision) }
                    }
                    Status::Skipped(reason) | Status::Failed(reason) => { span.why { (reason) } }
                }
            }
            @if effects { td.e { @if let Some(effect) = effect { (short(effect.value)) " " span.why { (effect.size.name()) } } } }
        }
    }
}

fn spark(distribution: &Distribution, name: &str) -> Markup {
    let title = format!("distributions of {name}");
    let drawing = match distribution {
        Distribution::Numbers { bins, .. } => {
            let (reference, current) = shares(bins);
            histogram::small(&reference, &current, &title)
        }
        // Labels have no order, so a line over them would mean nothing.
        Distribution::Categories { top, .. } => {
            let shares: Vec<(f64, f64)> =
                top.iter().map(|label| (label.reference, label.current)).collect();
            pairs::small(&shares, &title)
        }
    };
    PreEscaped(drawing.0)
}

fn footer() -> Markup {
    html! {
        footer {
            p { "A p-value below its threshold, or a distance above it, is drift. The sizes of effects (negligible, small, medium, large) follow Cohen and do not depend on the number of rows." }
            p { "Made by Trainyard. Scores are those of Evidently 0.7, but for texts and times, which it compares by other means or not at all." }
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use sha2::Digest as _;

    use super::*;

    #[test]
    fn the_policy_allows_this_script() {
        let hash = base64::engine::general_purpose::STANDARD
            .encode(sha2::Sha256::digest(SCRIPT.as_bytes()));
        assert_eq!(SCRIPT_HASH, hash);
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
    }
}
