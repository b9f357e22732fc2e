//! Reading and writing tables, against real files and the real pandas.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod blocks;
mod columns;
mod errors;
mod files;
mod natural;
mod pandas;
mod parquet;
mod parquet_bombs;
mod parquet_head;
mod parquet_lengths;
