//! From the verdicts on columns to the one on the dataset.

use super::correction::adjust;
use crate::checks::on_table;
use crate::evidently;
use crate::judged::{counts, is_drift, share};
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
    let evidently_error = if options.is_evidently() {
        evidently::error(&columns, reference_rows, current_rows)
    } else {
        None
    };
    let findings = on_table(&mut columns, reference_rows, current_rows, options);
    let mut drift = DatasetDrift {
        reference_rows,
        current_rows,
        columns,
        findings,
        tested: 0,
        drifted: 0,
        share: 0.0,
        drift_share: options.drift_share,
        dataset_drift: false,
        correction: options.correction,
        compat: options.compat,
        evidently_error,
        segments: Vec::new(),
    };
    drift.count();
    drift
}

impl DatasetDrift {
    /// Counts the columns that were tested and those that drifted, and decides.
    pub(crate) fn count(&mut self) {
        (self.tested, self.drifted) = counts(self.columns.iter());
        self.share = share(self.tested, self.drifted);
        self.dataset_drift = is_drift(self.tested, self.drifted, self.drift_share);
    }
}
