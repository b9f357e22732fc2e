//! What every target does with a file: load it and, where that works, ask it rows of several widths.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use trainyard_models::{Format, load_bytes};

/// Values that sit on thresholds, miss, or overflow.
const VALUES: [f64; 9] = [0.0, 1.0, -1.0, f64::NAN, 0.5, 3.0, 1e300, f64::INFINITY, 255.0];

/// Loads a model and asks it.
pub fn ask(bytes: &[u8], format: Format) {
    let Ok(model) = load_bytes(bytes, format) else { return };
    // One row and a block of rows go different ways.
    for (columns, rows) in [(1, 1), (2, 9), (3, 1), (4, 9), (5, 9), (6, 1), (10, 9)] {
        let column = |at: usize| {
            let values = VALUES.iter().cycle().skip(at).take(rows).copied();
            (at.to_string(), Arc::new(Float64Array::from_iter_values(values)) as ArrayRef)
        };
        if let Ok(batch) = RecordBatch::try_from_iter((0..columns).map(column)) {
            drop(model.predict(&batch));
        }
    }
}
