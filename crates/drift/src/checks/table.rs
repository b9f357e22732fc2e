//! The table as a whole.

use super::header::on_header;
use super::names::on_names;
use super::repeats::on_repeats;
use super::volume::on_volume;
use crate::finding::{Finding, FindingKind, Severity};
use crate::options::Options;
use crate::too_few;
use crate::verdict::ColumnDrift;

/// Findings on the table as a whole. What it says of every column is no longer said of each.
pub(crate) fn on_table(
    columns: &mut [ColumnDrift],
    reference_rows: u64,
    current_rows: u64,
    options: &Options,
) -> Vec<Finding> {
    let empty = [(reference_rows, "the reference"), (current_rows, "current")];
    let mut findings: Vec<Finding> = empty
        .iter()
        .filter(|(rows, _)| *rows == 0)
        .map(|(_, side)| {
            Finding::new(FindingKind::Empty, Severity::Serious, format!("{side} has no rows"))
        })
        .collect();
    if options.is_evidently() {
        return findings;
    }
    findings.extend(too_few::of_sides(columns, reference_rows, current_rows, options));
    findings.extend(on_volume(reference_rows, current_rows, options));
    if let Some(repeats) = on_repeats(columns, reference_rows, current_rows) {
        for column in columns.iter_mut() {
            column.findings.retain(|finding| finding.kind != FindingKind::LostUniqueness);
        }
        findings.push(repeats);
    }
    findings.extend(on_names(columns));
    findings.extend(on_header(columns));
    findings
}
