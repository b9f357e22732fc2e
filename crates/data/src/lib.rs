//! Reads tables (CSV with pandas' typing rules, Parquet, folders, globs) into Arrow columns.
//!
//! [`read`] takes what a user writes: a file, a folder, a pattern such as `logs/*.parquet`, or `-` for
//! standard input. Format and compression (`.gz`, `.zst`) are told by content. Several files are joined
//! by column name.
//!
//! # Types
//!
//! **CSV** columns are typed as `pandas.read_csv` types them, over the whole file: Int64, UInt64,
//! Float64, Boolean, else Utf8. The words pandas takes for missing are nulls; an integer column with
//! nulls is Float64; a column of nulls alone is Float64. Deliberate differences: a boolean column with
//! nulls stays Boolean (pandas makes objects of it), and integers beyond 64 bits are Utf8, so that no
//! digit is lost. Records with too few fields are refused unless
//! [`ReadOptions::fill_short_records`] is set, because a cut line is damage more often than intent.
//!
//! **Text** stays what it is, unless [`ReadOptions::natural`] asks for what people mean by it: see
//! [`Natural`], and [`Columns::reading`] for numbers and times.
//!
//! **Parquet** types stay what they are (an Int64 column with nulls stays Int64: pandas would make
//! floats of it); only large and view strings become Utf8, and dictionary keys Int32. Bytes that the
//! writer did not mark as text (Impala, old versions of Spark) are Utf8 where all of them are UTF-8.
//!
//! Text is plain Utf8, not dictionaries: counting categories hashes each value once either way, and all
//! users have one form to deal with. Dictionaries come only from Parquet files that hold them, where they
//! mean pandas' `category`.

mod chosen;
mod columns;
mod csv;
mod encoding;
mod error;
mod filter;
mod metric;
mod options;
mod parquet;
mod parts;
mod quotes;
mod reading;
mod remarks;
mod schema;
mod source;
mod spill;
mod table;
mod write;

pub use arrow_array;
pub use arrow_schema;

pub use columns::Columns;
pub use error::{Error, Result};
pub use filter::{Kept, Operator, Predicate, RowFilter, RowRule, Value, instant};
pub use metric::Metric;
pub use options::{COLUMNS_MAX, FILE_BYTES_MAX, FILES_MAX, Natural, RECORD_BYTES_MAX, ReadOptions};
pub use parquet::{BodyError, BodyLimits, Head, HeadLimits, parquet_head, read_parquet_body};
pub use parts::{FilePart, PartedFile, join_csv, join_parquet};
pub use reading::{DateOrder, Decimal, Exception, Form, Reading};
pub use remarks::{Remark, Remarks};
pub use source::{Format, STDIN, Source, SourceFile, file_digest, files, has_table_name};
pub use table::{Table, read, read_csv_text, read_table};
pub use write::{csv_bytes, parquet_bytes, write_atomically, write_csv, write_parquet};
