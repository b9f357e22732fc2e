//! The result for a terminal.

use std::fmt::Write as _;

use super::result::{Expected, Part, QualityReport};
use crate::number::{count, short};

/// The verdict, why, and the figures of all predictions and of each part.
pub fn text(report: &QualityReport) -> String {
    let mut out = String::new();
    let counts = &report.counts;
    let _infallible = writeln!(out, "{}: {}", report.title, report.verdict.name());
    for reason in &report.reasons {
        let _infallible = writeln!(out, "  {reason}");
    }
    let _infallible = writeln!(
        out,
        "{} predictions, {} with a label ({:.1} %)",
        count(counts.predictions),
        count(counts.labelled),
        100.0 * counts.share()
    );
    for part in &report.parts {
        write_part(&mut out, part);
    }
    if let Some(change) = &report.change {
        let explaining = change.columns.iter().filter(|column| column.explained.is_some());
        for column in explaining.take(COLUMNS_MAX) {
            let explained = column.explained.unwrap_or_default();
            let _infallible =
                writeln!(out, "  {}: {} more loss expected", column.name, short(explained));
        }
    }
    for note in &report.notes {
        let _infallible = writeln!(out, "note: {note}");
    }
    out
}

/// Columns that are listed; the JSON has all.
const COLUMNS_MAX: usize = 5;

fn write_part(out: &mut String, part: &Part) {
    let name = if part.name.is_empty() { "all predictions" } else { &part.name };
    let _infallible = writeln!(
        out,
        "\n{name} ({} of {} with a label)",
        count(part.labelled),
        count(part.predictions)
    );
    for measured in part.quality.iter().flat_map(|quality| &quality.metrics) {
        let _infallible = write!(out, "  {:<18} {:>10}", measured.metric, short(measured.value));
        if let Some((low, high)) = measured.interval {
            let _infallible = write!(out, "  [{}, {}]", short(low), short(high));
        }
        if let Some(stand) = part.stands.iter().find(|stand| stand.metric == measured.metric) {
            let before = stand.before.map_or_else(|| "?".to_owned(), short);
            let _infallible = write!(out, "  before {before}: {}", stand.standing.name());
        }
        out.push('\n');
    }
    for Expected { estimate, before, is_contradicted, .. } in &part.expected {
        let _infallible = write!(
            out,
            "  {:<18} {:>10}  [{}, {}]  estimated",
            estimate.metric,
            short(estimate.value),
            short(estimate.low),
            short(estimate.high)
        );
        if let Some(before) = before {
            let _infallible = write!(out, ", before {}", short(*before));
        }
        if *is_contradicted {
            out.push_str(", contradicted by labels");
        }
        out.push('\n');
    }
}
