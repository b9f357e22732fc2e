//! Samples that are too small to be judged.
//!
//! Three rows always look different from four. What is equal is equal at any size, though: a small table
//! compared with itself has not drifted.

use crate::column::Column;
use crate::finding::{Finding, FindingKind, Severity};
use crate::options::Options;
use crate::verdict::ColumnDrift;

/// Why a column is not judged, if a side has too few usable values for it.
pub(crate) fn too_few(reference: &Column, current: &Column, options: &Options) -> Option<String> {
    let least = options.least_samples();
    let sides = [(reference, "the reference"), (current, "current")];
    let (column, side) = sides.into_iter().find(|(column, _)| column.len() < least)?;
    let is_equal = !options.is_evidently() && reference.values() == current.values();
    (!is_equal).then(|| {
        let values = if column.len() == 1 { "value" } else { "values" };
        format!(
            "{} usable {values} in {side}, fewer than the {least} it takes to judge",
            column.len()
        )
    })
}

/// The finding on a column that is not judged for this reason.
pub(crate) fn finding(reason: &str) -> Finding {
    Finding::new(FindingKind::TooFew, Severity::Warning, reason)
}

/// Where a whole side is too small, says so once instead of for each column.
pub(crate) fn of_sides(
    columns: &mut [ColumnDrift],
    reference_rows: u64,
    current_rows: u64,
    options: &Options,
) -> Option<Finding> {
    let least = options.least_samples();
    let sides = [(reference_rows, "the reference"), (current_rows, "current")];
    let (rows, side) = sides.into_iter().find(|(rows, _)| (1..least).contains(rows))?;
    let is_of_column = |finding: &Finding| finding.kind == FindingKind::TooFew;
    if !columns.iter().any(|column| column.findings.iter().any(is_of_column)) {
        return None;
    }
    for column in columns {
        column.findings.retain(|finding| !is_of_column(finding));
    }
    let word = if rows == 1 { "row" } else { "rows" };
    let message = format!(
        "{side} has {rows} {word}, fewer than the {least} it takes to judge: nothing is judged"
    );
    Some(Finding::new(FindingKind::TooFew, Severity::Warning, message))
}

#[cfg(test)]
mod tests {
    use arrow_array::Float64Array;

    use super::*;
    use crate::{Compat, Status, compare_arrays};

    #[test]
    fn few_values_are_not_judged_unless_they_are_equal() {
        let three = Float64Array::from(vec![1.0, 2.0, 3.0]);
        let four = Float64Array::from(vec![7.0, 8.0, 9.0, 10.0]);
        let drift = compare_arrays("x", &three, &four, &Options::default());
        assert!(matches!(&drift.status, Status::Skipped(reason) if reason.contains("3 usable")));
        assert!(drift.findings.iter().any(|finding| finding.kind == FindingKind::TooFew));
        assert!(compare_arrays("x", &three, &three, &Options::default()).verdict().is_some());
        let asked = Options { min_samples: Some(3), ..Options::default() };
        assert!(compare_arrays("x", &three, &four, &asked).verdict().is_some());
        let evidently = Options { compat: Compat::Evidently, ..Options::default() };
        assert!(compare_arrays("x", &three, &four, &evidently).verdict().is_some());
    }
}
