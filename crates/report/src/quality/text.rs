//! The result for a terminal.

use std::fmt::Write as _;

use super::result::{Expected, Part, QualityReport};
use crate::drift::plain;
use crate::number::{count, short};

/// The verdict, why, and the figures of all predictions and of each part.
pub fn text(report: &QualityReport) -> String {
    let mut out = String::new();
    let counts = &report.counts;
    let _infallible = writeln!(out, "{}: {}", plain(&report.title), report.verdict.name());
    for reason in &report.reasons {
        let _infallible = writeln!(out, "  {}", plain(reason));
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
                writeln!(out, "  {}: {} more loss expected", plain(&column.name), short(explained));
        }
    }
    for note in &report.notes {
        let _infallible = writeln!(out, "note: {}", plain(note));
    }
    out
}

/// Columns that are listed; the JSON has all.
const COLUMNS_MAX: usize = 5;

fn write_part(out: &mut String, part: &Part) {
    // What clients send must not steer the terminal.
    let name = if part.name.is_empty() { "all predictions".to_owned() } else { plain(&part.name) };
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

#[cfg(test)]
mod tests {
    use trainyard_drift::DatasetVerdict;

    use super::super::result::Labels;
    use super::*;

    #[test]
    fn what_clients_send_does_not_steer_the_terminal() {
        let part = |name: &str| Part {
            name: name.to_owned(),
            predictions: 1,
            labelled: 0,
            quality: None,
            stands: Vec::new(),
            expected: Vec::new(),
        };
        let report = QualityReport {
            title: "M".to_owned(),
            predictions: String::new(),
            labels: None,
            reference: None,
            time: String::new(),
            counts: Labels::default(),
            parts: vec![part(""), part("country = \u{1b}[2J")],
            change: None,
            verdict: DatasetVerdict::Warning,
            reasons: vec!["country = \u{1b}[2J: worse".to_owned()],
            notes: Vec::new(),
        };
        let text = text(&report);
        assert!(text.contains("[2J: worse") && !text.contains('\u{1b}'), "{text}");
    }
}
