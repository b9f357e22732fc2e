//! Any bytes as a CSV file: an error or a table, and what was typed is written and typed the same again.
//!

#![no_main]

use libfuzzer_sys::fuzz_target;
use trainyard_data::{ReadOptions, read_csv_text};

fuzz_target!(|text: &[u8]| {
    let (fill_short_records, text) = match text.split_first() {
        Some((first, rest)) => (first % 2 == 0, rest),
        None => return,
    };
    let options =
        ReadOptions { fill_short_records, allow_no_rows: true, ..ReadOptions::default() };
    let Ok(batch) = read_csv_text("input.csv", text, &options) else { return };
    for column in batch.columns() {
        assert_eq!(column.len(), batch.num_rows());
    }
    // Each half of the columns alone is typed as it was in the whole.
    let names: Vec<String> =
        batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    let chosen: Vec<String> = names.iter().step_by(2).cloned().collect();
    let some = ReadOptions { columns: Some(chosen), ..options };
    let half = read_csv_text("input.csv", text, &some).expect("the same file with fewer columns");
    for (index, column) in half.columns().iter().enumerate() {
        assert_eq!(column.data_type(), batch.column(index * 2).data_type());
    }
});
