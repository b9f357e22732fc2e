//! The first rows of Parquet files, for pages that show them.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use bytes::Bytes;
use trainyard_data::{BodyError, HeadLimits, parquet_bytes, parquet_head};

const LIMITS: HeadLimits = HeadLimits { rows: 3, columns: 2, value_chars: 10, bytes_max: 32 << 20 };

fn file(columns: Vec<(&str, ArrayRef)>) -> Bytes {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    Bytes::from(parquet_bytes(Path::new("t"), &[batch]).unwrap())
}

#[test]
fn the_first_rows_and_columns_are_text() {
    let numbers: ArrayRef =
        Arc::new((0..100_i64).map(|n| (n != 1).then_some(n)).collect::<Int64Array>());
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..100).map(|_| "é".repeat(11))));
    let other: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
    let head = parquet_head(&file(vec![("n", numbers), ("t", texts), ("o", other)]), LIMITS);
    let head = head.unwrap();
    assert_eq!((head.columns_total, head.rows_total, head.rows.len()), (3, 100, 3));
    let names: Vec<(&str, &str)> =
        head.columns.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
    assert_eq!(names, [("n", "Int64"), ("t", "Utf8")]);
    let cut = Some(format!("{}…", "é".repeat(10)));
    assert_eq!(head.rows[0], [Some("0".to_owned()), cut.clone()]);
    assert_eq!(head.rows[1], [None, cut]);
}

#[test]
fn what_is_not_shown_of_a_value_takes_no_room() {
    let text = "x".repeat(1 << 20);
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values([&text, &text]));
    let head = parquet_head(&file(vec![("t", texts)]), LIMITS).unwrap();
    assert_eq!(head.rows.len(), 2);
    for value in head.rows.iter().flatten().flatten() {
        assert!(value.starts_with("xxxxxxxxxx…") && value.capacity() < 1000, "{value}");
    }
}

#[test]
fn what_is_no_table_or_holds_too_much_is_an_error() {
    for bytes in [&b""[..], b"PAR1", b"<script>alert(1)</script>"] {
        let error = parquet_head(&Bytes::from_static(bytes), LIMITS).unwrap_err();
        assert!(matches!(error, BodyError::Damaged(_)), "{error}");
    }
    // A long text that repeats is small in the file only.
    let text = "x".repeat(1 << 20);
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..50).map(|_| &text)));
    let tight = HeadLimits { bytes_max: 1 << 16, ..LIMITS };
    let error = parquet_head(&file(vec![("t", texts)]), tight).unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { .. }), "{error}");
}
