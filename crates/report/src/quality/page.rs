//! The page: the verdict first, then figures of all predictions, then of each part.
//!
//! One file without requests and without scripts.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use trainyard_quality::{Quality, Standing};

use super::result::{Change, Expected, Part, QualityReport};
use crate::drift::sign;
use crate::number::{count, percent, short};

const STYLE: &str = include_str!("../drift/page/style.css");

/// Parts that are shown; the JSON has all.
const PARTS_MAX: usize = 100;
/// Classes of a confusion matrix that are shown.
const CLASSES_MAX: usize = 30;
/// Columns that are shown with what they explain.
const COLUMNS_MAX: usize = 50;

/// The result as one HTML page.
pub fn page(report: &QualityReport) -> String {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (report.title) ": " (report.verdict.name()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (verdict(report))
                    @for part in report.parts.iter().take(PARTS_MAX) { (section(part)) }
                    @if let Some(change) = &report.change { (changed(change)) }
                    (footer(report))
                }
            }
        }
    };
    markup.into_string()
}

fn verdict(report: &QualityReport) -> Markup {
    let counts = &report.counts;
    html! {
        h1 { (report.title) }
        section class={ "verdict " (report.verdict.name()) } aria-label="Verdict" {
            h2 { (sign(report.verdict)) " " (report.verdict.name()) }
            @for reason in &report.reasons { p { (reason) } }
        }
        dl.facts {
            (fact("Predictions", &report.predictions, Some(counts.predictions)))
            @if let Some(labels) = &report.labels { (fact("Labels", labels, Some(counts.labels))) }
            @if let Some(reference) = &report.reference { (fact("Reference", reference, None)) }
            div { dt { "With a label" } dd { (count(counts.labelled)) " (" (percent(counts.share())) ")" } }
            @if counts.superseded > 0 { div { dt { "Labels said anew" } dd { (count(counts.superseded)) } } }
            @if counts.repeated > 0 { div { dt { "Ids seen twice" } dd { (count(counts.repeated)) } } }
            @if !report.time.is_empty() { div { dt { "Made" } dd { (report.time) } } }
        }
    }
}

fn fact(name: &str, source: &str, rows: Option<u64>) -> Markup {
    html! {
        div {
            dt { (name) }
            dd { (source) @if let Some(rows) = rows { " " span.tag { (count(rows)) " rows" } } }
        }
    }
}

fn section(part: &Part) -> Markup {
    let name = if part.name.is_empty() { "All predictions" } else { &part.name };
    html! {
        h2 { (name) }
        p.key { (count(part.labelled)) " of " (count(part.predictions)) " predictions have a label." }
        @if let Some(quality) = &part.quality { (metrics(part, quality)) }
        @if !part.expected.is_empty() { (expected(&part.expected)) }
        @if let Some(quality) = &part.quality { (details(quality)) }
    }
}

fn metrics(part: &Part, quality: &Quality) -> Markup {
    html! {
        .wide tabindex="0" { table {
            thead { tr {
                th scope="col" { "Metric" }
                th scope="col" { "By labels" }
                th scope="col" { "95 % interval" }
                th scope="col" { "Before" }
                th scope="col" { "Standing" }
            } }
            tbody { @for measured in &quality.metrics {
                @let stand = part.stands.iter().find(|stand| stand.metric == measured.metric);
                tr {
                    td.name { (measured.metric) }
                    td.n { (short(measured.value)) }
                    td.n { (interval(measured.interval)) }
                    td.n { @if let Some(before) = stand.and_then(|stand| stand.before) { (short(before)) } }
                    td { @if let Some(stand) = stand { (standing(stand.standing)) } }
                }
            } }
        } }
    }
}

fn interval(interval: Option<(f64, f64)>) -> String {
    interval.map_or_else(String::new, |(low, high)| format!("{} to {}", short(low), short(high)))
}

fn standing(standing: Standing) -> Markup {
    let class = match standing {
        Standing::AsBefore => "stable",
        Standing::Unknown => "warning",
        Standing::Worse => "drift",
    };
    html! { span class={ "s " (class) } { (standing.name()) } }
}

fn expected(all: &[Expected]) -> Markup {
    html! {
        h3 { "Expected without labels" }
        .wide tabindex="0" { table {
            thead { tr {
                th scope="col" { "Metric" }
                th scope="col" { "Expected" }
                th scope="col" { "Band" }
                th scope="col" { "On the reference" }
                th scope="col" { "Realised" }
            } }
            tbody { @for expected in all {
                tr {
                    td.name { (expected.estimate.metric) }
                    td.n { (short(expected.estimate.value)) }
                    td.n { (interval(Some((expected.estimate.low, expected.estimate.high)))) }
                    td.n { @if let Some(before) = expected.before { (short(before)) } }
                    td.n {
                        @if let Some(realised) = expected.realised { (short(realised)) }
                        @if expected.is_contradicted { " contradicts it" }
                    }
                }
            } }
        } }
    }
}

/// Where the model is right and wrong.
fn details(quality: &Quality) -> Markup {
    html! {
        @if let Some(confusion) = &quality.confusion {
            @if confusion.labels.len() <= CLASSES_MAX {
                details {
                    summary { "Classes: what was true (rows) and what was said" }
                    .wide tabindex="0" { table {
                        thead { tr {
                            th {}
                            @for label in &confusion.labels { th scope="col" { (label) } }
                            th scope="col" { "Precision" }
                            th scope="col" { "Recall" }
                        } }
                        tbody { @for (class, row) in quality.classes.iter().zip(&confusion.counts) {
                            tr {
                                td.name { (class.label) }
                                @for rows in row { td.n { (count(*rows)) } }
                                td.n { (short(class.score.precision)) }
                                td.n { (short(class.score.recall)) }
                            }
                        } }
                    } }
                }
            }
        }
        @if !quality.calibration.is_empty() {
            details {
                summary { "Calibration: how often what is called probable is true" }
                .wide tabindex="0" { table {
                    thead { tr { th scope="col" { "Said" } th scope="col" { "True" } th scope="col" { "Rows" } } }
                    tbody { @for point in &quality.calibration {
                        tr {
                            td.n { (percent(point.said)) }
                            td.n { (percent(point.true_share)) }
                            td.n { (count(point.rows as u64)) }
                        }
                    } }
                } }
            }
        }
        @if !quality.deciles.is_empty() {
            details {
                summary { "Errors by the size of the prediction" }
                .wide tabindex="0" { table {
                    thead { tr {
                        th scope="col" { "Mean said" }
                        th scope="col" { "Mean true" }
                        th scope="col" { "MAE" }
                        th scope="col" { "Rows" }
                    } }
                    tbody { @for part in &quality.deciles {
                        tr {
                            td.n { (short(part.said)) }
                            td.n { (short(part.truth)) }
                            td.n { (short(part.mae)) }
                            td.n { (count(part.rows as u64)) }
                        }
                    } }
                } }
            }
        }
    }
}

fn changed(change: &Change) -> Markup {
    html! {
        h2 { "Inputs" }
        @if let Some((before, now)) = change.reconstruction {
            p {
                "Reconstruction error " (short(now.value)) ", on the reference " (short(before.value))
                @if now.differs_from(&before) { ": columns do not go together as they did." }
                @else { ": columns go together as they did." }
            }
        }
        @if let Some(domain) = &change.domain {
            p {
                "A classifier tells predictions from the reference with an area under the ROC curve of "
                (short(domain.area)) " ± " (short(domain.error))
                @if domain.is_told_apart() { ": they differ." } @else { ": they do not differ." }
            }
        }
        .wide tabindex="0" { table {
            thead { tr {
                th scope="col" { "Column" }
                th scope="col" { "More loss expected" }
                th scope="col" { "Tells the sides apart" }
            } }
            tbody { @for column in change.columns.iter().take(COLUMNS_MAX) {
                tr {
                    td.name { (column.name) }
                    td.n { @if let Some(explained) = column.explained { (short(explained)) } }
                    td.n { @if let Some(share) = column.share { (percent(share)) } }
                }
            } }
        } }
    }
}

fn footer(report: &QualityReport) -> Markup {
    html! {
        footer {
            @for note in &report.notes { p { (note) } }
            @if report.parts.len() > PARTS_MAX { p { "The JSON output has the parts that are left out here." } }
            p { "Metrics are scikit-learn's. What is expected without labels is estimated as NannyML 0.13 does it, and holds as long as equal inputs have equal labels." }
        }
    }
}
