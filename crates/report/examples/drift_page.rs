//! Compares two Parquet files and writes the page: `drift_page REFERENCE CURRENT PAGE [FORMAT]`.
//! The format (`text`, `markdown`, `json` or `evidently`) is printed as well.

#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::error::Error;
use std::fs::File;

use arrow_array::{RecordBatch, RecordBatchOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use trainyard_drift::{Options, compare};
use trainyard_report::drift::{Meta, coloured_text, evidently_json, json, markdown, page};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [reference, current, target, rest @ ..] = arguments.as_slice() else {
        return Err("needed: REFERENCE CURRENT PAGE [FORMAT]".into());
    };
    let drift = compare(&read(reference)?, &read(current)?, &Options::default());
    let meta = Meta { reference: reference.clone(), current: current.clone(), ..Meta::default() };
    std::fs::write(target, page(&drift, &meta))?;
    match rest.first().map(String::as_str) {
        None | Some("text") => println!("{}", coloured_text(&drift, &meta)),
        Some("markdown") => println!("{}", markdown(&drift, &meta)),
        Some("json") => println!("{}", json(&drift, &meta)),
        Some("evidently") => println!("{}", evidently_json(&drift)),
        Some(other) => return Err(format!("no format is called {other:?}").into()),
    }
    Ok(())
}

fn read(path: &str) -> Result<RecordBatch, Box<dyn Error>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let (schema, rows) =
        (builder.schema().clone(), builder.metadata().file_metadata().num_rows() as usize);
    let mut reader = builder.with_batch_size(rows.max(1)).build()?;
    if let Some(batch) = reader.next() {
        return Ok(batch?);
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| arrow_array::new_empty_array(field.data_type()))
        .collect();
    let no_rows = RecordBatchOptions::new().with_row_count(Some(0));
    Ok(RecordBatch::try_new_with_options(schema, columns, &no_rows)?)
}
