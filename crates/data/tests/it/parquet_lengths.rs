//! Parquet files whose texts have their lengths in lists (`DELTA_LENGTH_BYTE_ARRAY`, `DELTA_BYTE_ARRAY`).
//!
//! The files of `tests/lengths` are pyarrow's: both versions of data pages, small pages without a codec
//! and a single one with zstd, of the table that [`table`] describes. `exabytes.parquet` is a
//! damaged one of 519 bytes, which had the decoder ask for more memory than there is.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, FixedSizeBinaryArray, RecordBatch, StringArray};
use bytes::Bytes;
use trainyard_base::Budget;
use trainyard_data::{BodyError, BodyLimits, ReadOptions, read, read_parquet_body};

const LIMITS: BodyLimits = BodyLimits { bytes_max: 32 << 20, rows_max: 1_000_000 };
const ROWS: usize = 300;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/lengths", name].iter().collect()
}

fn body(bytes: Vec<u8>) -> Result<RecordBatch, BodyError> {
    let budget = Budget::new(1 << 30);
    let mut share = budget.take(0).unwrap();
    read_parquet_body(&Bytes::from(bytes), |_| true, LIMITS, &mut share)
}

/// The columns as they were written.
fn table() -> Vec<(&'static str, ArrayRef)> {
    let texts = |text: &dyn Fn(usize) -> Option<String>| -> ArrayRef {
        Arc::new((0..ROWS).map(text).collect::<StringArray>())
    };
    let fixed = (0..ROWS).map(|row| (row % 3 != 0).then(|| format!("f{row:04}").into_bytes()));
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..ROWS {
        lists.append_value(vec![Some(format!("item {row}")); row % 3]);
    }
    vec![
        ("prefixes", texts(&|row| (row % 7 != 0).then(|| format!("name-{row:04}")))),
        ("lengths", texts(&|row| (row % 5 != 0).then(|| "x".repeat(row % 9)))),
        ("required", texts(&|row| Some(format!("key {row}")))),
        (
            "fixed",
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 5).unwrap()),
        ),
        ("nulls", texts(&|_row| None)),
        ("nulls_lengths", texts(&|_row| None)),
        ("list", Arc::new(lists.finish())),
    ]
}

#[test]
fn lists_of_lengths_are_read_as_they_were_written() {
    for name in ["pages-1-none", "pages-1-zstd", "pages-2-none", "pages-2-zstd"] {
        let path = path(&format!("{name}.parquet"));
        let received = body(std::fs::read(&path).unwrap()).unwrap();
        let on_disk = read(path.to_str().unwrap(), &ReadOptions::default()).unwrap();
        assert_eq!((received.num_rows(), on_disk.num_rows()), (ROWS, ROWS));
        for (column, written) in table() {
            for batch in [&received, &on_disk] {
                let found = batch.column_by_name(column).unwrap();
                if column == "list" {
                    // Items have another name in the file.
                    assert_eq!(format!("{found:?}"), format!("{written:?}"), "{name}");
                } else {
                    assert_eq!(found, &written, "{name}: {column}");
                }
            }
        }
    }
}

#[test]
fn lists_that_claim_exabytes_are_refused() {
    let path = path("exabytes.parquet");
    let error = body(std::fs::read(&path).unwrap()).unwrap_err();
    assert!(matches!(error, BodyError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("lengths of its texts"), "{error}");
    let error = read(path.to_str().unwrap(), &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("lengths of its texts"), "{error}");
}

#[test]
fn changed_files_are_errors_or_tables() {
    let bytes = std::fs::read(path("pages-1-none.parquet")).unwrap();
    // The pages of the first columns.
    for at in 4..900 {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            let _changed = body(changed);
        }
    }
}
