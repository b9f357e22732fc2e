//! Times reading a table: `cargo run --release -p trainyard-data --example read_speed -- FILE [COLUMN…]`.

#![expect(clippy::print_stdout, reason = "prints a measurement")]

use std::process::ExitCode;
use std::time::Instant;

use trainyard_data::{ReadOptions, read};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(source) = arguments.next() else {
        println!("usage: read_speed FILE [COLUMN…]");
        return ExitCode::FAILURE;
    };
    let columns: Vec<String> = arguments.collect();
    let options = match columns.as_slice() {
        [] => ReadOptions::default(),
        _ => ReadOptions::with_columns(columns),
    };
    for _ in 0..3 {
        let start = Instant::now();
        match read(&source, &options) {
            Ok(batch) => {
                let (rows, columns) = (batch.num_rows(), batch.num_columns());
                println!("{rows} rows, {columns} columns: {:.3} s", start.elapsed().as_secs_f64());
            }
            Err(error) => {
                println!("error: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
