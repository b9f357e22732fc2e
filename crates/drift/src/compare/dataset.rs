//! From the verdicts on columns to the one on the dataset.

use super::correction::adjust;
use crate::checks::on_table;
use crate::evidently;
use crate::options::Options;
use crate::verdict::{ColumnDrift, DatasetDrift};

/// Brings the verdicts on columns together: adjusts p-values and decides on the dataset.
pub fn conclude(
    mut columns: Vec<ColumnDrift>,
    reference_rows: u64,
    current_rows: u64,
    options: &Options,
) -> DatasetDrift {
    adjust(&mut columns, options.correction);
    let counted = columns.iter().filter(|column| column.counted).filter_map(ColumnDrift::verdict);
    let (tested, drifted) = counted.fold((0, 0), |(tested, drifted), verdict| {
        (tested + 1, drifted + usize::from(verdict.counts_as_drifted))
    });
    let share = if tested == 0 { 0.0 } else { drifted as f64 / tested as f64 };
    let evidently_error = if options.is_evidently() {
        evidently::error(&columns, reference_rows, current_rows)
    } else {
        None
    };
    let findings = on_table(&mut columns, reference_rows, current_rows, options);
    DatasetDrift {
        reference_rows,
        current_rows,
        columns,
        findings,
        tested,
        drifted,
        share,
        drift_share: options.drift_share,
        dataset_drift: tested > 0 && share >= options.drift_share,
        correction: options.correction,
        compat: options.compat,
        evidently_error,
    }
}
