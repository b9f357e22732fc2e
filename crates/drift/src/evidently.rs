//! Where Evidently stops with an error, for those who asked for its behaviour.

use crate::kind::Kind;
use crate::method::Method;
use crate::side::Side;
use crate::statistics::binned::VALUE_BY_VALUE_MAX;
use crate::verdict::{ColumnDrift, Status};

/// The error with which Evidently stops: the first in its order of checks and columns.
pub(crate) fn error(
    columns: &[ColumnDrift],
    reference_rows: u64,
    current_rows: u64,
) -> Option<String> {
    for (rows, side) in [(current_rows, "current_data"), (reference_rows, "reference_data")] {
        if rows == 0 {
            return Some(format!(
                "ValueError: {side} must contain at least one column; received an empty DataFrame."
            ));
        }
    }
    let new = columns.iter().find(|column| column.reference.is_none() && column.current.is_some());
    if let Some(column) = new {
        return Some(format!("ValueError: Column ({}) is partially present in data", column.name));
    }
    for kind in [Kind::Numerical, Kind::Categorical, Kind::Text] {
        for column in
            columns.iter().filter(|column| column.kind == kind && column.current.is_some())
        {
            match &column.status {
                Status::Failed(reason) | Status::Skipped(reason) => {
                    return Some(format!("column {}: {reason}", column.name));
                }
                Status::Tested(verdict) => {
                    if bins_meet_infinity(column, verdict.method) {
                        return Some(format!(
                            "ValueError: column {}: autodetected range is not finite",
                            column.name
                        ));
                    }
                }
            }
        }
    }
    None
}

/// Whether Evidently's dataset count makes bins of values with an infinity among them, which fails: a
/// side that has infinities and nothing missing is not cleaned.
fn bins_meet_infinity(column: &ColumnDrift, method: Method) -> bool {
    let (Some(reference), Some(current)) = (&column.reference, &column.current) else {
        return false;
    };
    let keeps_infinities = |side: &Side| usize::from(side.infinite > 0 && side.missing == 0);
    let kept = keeps_infinities(reference) + keeps_infinities(current);
    let distinct = reference.distinct as usize + keeps_infinities(reference);
    let bins = matches!(
        method,
        Method::Psi | Method::KullbackLeibler | Method::JensenShannon | Method::Hellinger
    );
    column.kind == Kind::Numerical && bins && kept > 0 && distinct > VALUE_BY_VALUE_MAX
}
