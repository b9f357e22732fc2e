//! Compares two Parquet files column by column and tells how long each part took.
//!
//! ```text
//! cargo run --release -p trainyard-drift --example compare_parquet -- reference.parquet current.parquet
//! ```
//!
//! One column of both files is in memory at a time and thread, so files need not fit.

#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::error::Error;
use std::fs::File;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use arrow_array::Array;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use rayon::prelude::*;
use trainyard_drift::{Column, Options, column_names, compare_columns, conclude};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(reference), Some(current)) = (arguments.next(), arguments.next()) else {
        return Err("two Parquet files are needed".into());
    };
    let start = Instant::now();
    let options = Options::default();
    let sides = [open(&reference)?, open(&current)?];
    let names = |side: &Side| {
        side.metadata.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    let (before, after) = (names(&sides[0]), names(&sides[1]));
    let columns =
        column_names(before.iter().map(String::as_str), after.iter().map(String::as_str), &options);
    let spent = Mutex::new([Duration::ZERO; 3]);
    let verdicts = columns
        .par_iter()
        .map(|name| {
            let (old, new) =
                rayon::join(|| read(&sides[0], name, &spent), || read(&sides[1], name, &spent));
            let (old, new) = (old?, new?);
            let started = Instant::now();
            let verdict = compare_columns(name, old.as_ref(), new.as_ref(), &options);
            add(&spent, 2, started.elapsed());
            Ok(verdict)
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let drift = conclude(verdicts, sides[0].rows, sides[1].rows, &options);
    let [reading, preparing, comparing] = *spent.lock().map_err(|_| "a thread failed")?;
    println!("{} of {} columns drifted", drift.drifted, drift.tested);
    println!(
        "thread time: read {reading:.2?}, sort and count {preparing:.2?}, compare {comparing:.2?}"
    );
    println!("wall {:.3?}", start.elapsed());
    Ok(())
}

struct Side {
    path: String,
    metadata: ArrowReaderMetadata,
    rows: u64,
}

fn open(path: &str) -> Result<Side, Failure> {
    let metadata = ArrowReaderMetadata::load(&File::open(path)?, arrow_options())?;
    let rows = metadata.metadata().file_metadata().num_rows() as u64;
    Ok(Side { path: path.to_owned(), metadata, rows })
}

fn arrow_options() -> parquet::arrow::arrow_reader::ArrowReaderOptions {
    parquet::arrow::arrow_reader::ArrowReaderOptions::new()
}

fn read(side: &Side, name: &str, spent: &Mutex<[Duration; 3]>) -> Result<Option<Column>, Failure> {
    let Some((index, _)) = side.metadata.schema().column_with_name(name) else { return Ok(None) };
    let started = Instant::now();
    let schema = side.metadata.metadata().file_metadata().schema_descr();
    let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(
        File::open(&side.path)?,
        side.metadata.clone(),
    )
    .with_projection(ProjectionMask::roots(schema, [index]))
    .with_batch_size(1 << 16)
    .build()?
    .collect::<Result<Vec<_>, _>>()?;
    add(spent, 0, started.elapsed());
    let started = Instant::now();
    let chunks: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(0).as_ref()).collect();
    let column = Column::new(&chunks);
    add(spent, 1, started.elapsed());
    Ok(Some(column))
}

fn add(spent: &Mutex<[Duration; 3]>, part: usize, time: Duration) {
    if let Ok(mut spent) = spent.lock() {
        spent[part] += time;
    }
}
