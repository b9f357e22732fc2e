//! Tables that differ in known ways.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use trainyard_drift::{DatasetDrift, Options, compare};
use trainyard_report::drift::Meta;

/// A repeatable, roughly uniform number in 0..1 for a row.
fn noise(row: usize, stream: usize) -> f64 {
    let mut state = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (stream as u64) << 32;
    state ^= state >> 29;
    state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state ^= state >> 32;
    (state >> 11) as f64 / (1_u64 << 53) as f64
}

fn table(numeric: usize, rows: usize, shift: f64, label: &str) -> RecordBatch {
    let mut columns: Vec<(String, ArrayRef)> = (0..numeric)
        .map(|column| {
            let moved = if column % 3 == 0 { shift } else { 0.0 };
            let values = (0..rows).map(|row| noise(row, column) + moved);
            (format!("x{column}"), Arc::new(Float64Array::from_iter_values(values)) as ArrayRef)
        })
        .collect();
    let labels = (0..rows).map(|row| if noise(row, 77) < 0.3 { label } else { "plain" });
    columns.push(("label".to_owned(), Arc::new(StringArray::from_iter_values(labels))));
    let counts = (0..rows).map(|row| (noise(row, 78) * 500.0) as i64);
    columns.push(("count".to_owned(), Arc::new(Int64Array::from_iter_values(counts))));
    RecordBatch::try_from_iter(columns).unwrap()
}

/// `numeric` + 2 columns; every third number moves, and current's label is `label`.
pub(crate) fn drift(numeric: usize, label: &str) -> DatasetDrift {
    compare(&table(numeric, 600, 0.0, "odd"), &table(numeric, 500, 0.4, label), &Options::default())
}

pub(crate) fn meta() -> Meta {
    Meta {
        title: "IrisClassifier".to_owned(),
        reference: "data/train.csv".to_owned(),
        current: "data/production_logs.csv".to_owned(),
        time: "2026-01-02 03:04 UTC".to_owned(),
    }
}
