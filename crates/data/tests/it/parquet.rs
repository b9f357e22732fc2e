//! Parquet files that the real pandas and pyarrow write, and ours read by them.

use std::path::Path;
use std::sync::Arc;

use trainyard_data::arrow_array::cast::AsArray as _;
use trainyard_data::arrow_array::types::{Int32Type, Int64Type};
use trainyard_data::arrow_array::{
    Array as _, ArrayRef, BinaryArray, Int64Array, LargeBinaryArray, RecordBatch,
};
use trainyard_data::arrow_schema::{DataType, TimeUnit};
use trainyard_data::{Columns, ReadOptions, read, read_csv_text, write_csv, write_parquet};
use trainyard_testkit::run_python;

const WRITE: &str = r#"
import sys, datetime, decimal
import pandas as pd, pyarrow as pa, pyarrow.parquet as pq
frame = pd.DataFrame({
    "int": pd.array([1, 2, 3], dtype="int64"), "nullable": pd.array([1, None, 3], dtype="Int64"),
    "small": pd.array([1, 2, 3], dtype="int16"), "unsigned": pd.array([1, 2, 3], dtype="uint32"),
    "float": [0.5, None, float("inf")], "single": pd.array([0.5, 1.5, 2.5], dtype="float32"),
    "text": ["a", None, "ü"], "flag": [True, False, True],
    "kind": pd.Categorical(["x", "y", "x"]),
    "day": [datetime.date(2026, 1, 1)] * 3,
    "time": pd.to_datetime(["2026-01-01T00:00:00Z", None, "2026-01-03T00:00:00Z"]),
    "price": [decimal.Decimal("1.50")] * 3,
})
frame.index = [10, 20, 30]
frame.to_parquet(sys.argv[1] + "/pandas.parquet", row_group_size=2)
pq.write_table(pa.table({"x": list(range(100_000)), "s": ["v%d" % (i % 7) for i in range(100_000)]}),
               sys.argv[1] + "/groups.parquet", row_group_size=1000)
pq.write_table(pa.table([[1], [2]], names=["x", "x"]), sys.argv[1] + "/twice.parquet")
"#;

const CHECK: &str = r#"
import sys
import pandas as pd
parquet, text = pd.read_parquet(sys.argv[1] + "/ours.parquet"), pd.read_csv(sys.argv[1] + "/ours.csv")
pd.testing.assert_frame_equal(parquet, text, check_dtype=False)
print(list(parquet.columns), parquet["f"].tolist(), parquet["s"].tolist(), parquet["i"].tolist())
"#;

#[test]
fn types_stay_what_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    run_python(WRITE, &[root], &[]);
    let batch = read(&format!("{root}/pandas.parquet"), &ReadOptions::default()).unwrap();
    let schema = batch.schema();
    let of = |name: &str| schema.field_with_name(name).unwrap().data_type().clone();
    assert_eq!(batch.num_rows(), 3);
    assert!(batch.column_by_name("__index_level_0__").is_none(), "row labels are no data");
    assert_eq!(of("int"), DataType::Int64);
    assert_eq!(of("nullable"), DataType::Int64);
    assert_eq!(batch.column_by_name("nullable").unwrap().null_count(), 1);
    assert_eq!(
        (of("small"), of("unsigned"), of("single")),
        (DataType::Int16, DataType::UInt32, DataType::Float32)
    );
    assert_eq!(
        (of("text"), of("flag"), of("day")),
        (DataType::Utf8, DataType::Boolean, DataType::Date32)
    );
    assert_eq!(
        of("kind"),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
    );
    assert!(matches!(
        of("time"),
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, Some(_))
    ));
    assert!(matches!(of("price"), DataType::Decimal128(3, 2)), "{}", of("price"));
    let kind = batch.column_by_name("kind").unwrap().as_dictionary::<Int32Type>();
    assert_eq!(kind.len(), 3);

    let chosen = ReadOptions::with_columns(["s", "x"]);
    let batch = read(&format!("{root}/groups.parquet"), &chosen).unwrap();
    assert_eq!(batch.schema().field(0).name(), "s");
    assert!(batch.column(1).as_primitive::<Int64Type>().values().iter().copied().eq(0..100_000));
    assert_eq!(batch.column(0).as_string::<i32>().value(99_999), "v4");

    let error = read(&format!("{root}/twice.parquet"), &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("two columns named \"x\""), "{error}");
}

#[test]
fn pandas_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let text = "i,f,s,b\n1,0.1,\"a,b\",True\n2,,,False\n3,1e-7,\"x\ny\",True\n";
    let batch = read_csv_text("t.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
    write_parquet(folder.path().join("ours.parquet"), &batch).unwrap();
    write_csv(folder.path().join("ours.csv"), &batch).unwrap();
    let answer = run_python(CHECK, &[folder.path().to_str().unwrap()], &[]);
    assert_eq!(
        answer.trim(),
        "['i', 'f', 's', 'b'] [0.1, nan, 1e-07] ['a,b', nan, 'x\\ny'] [1, 2, 3]"
    );
}

#[test]
fn csv_and_parquet_join_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let batch = read_csv_text("t.csv", b"a,b\n1,x\n", &ReadOptions::default()).unwrap();
    write_parquet(folder.path().join("1.parquet"), &batch).unwrap();
    std::fs::write(folder.path().join("2.csv"), "b,a\n5,2.5\n").unwrap();
    let joined = read(folder.path().to_str().unwrap(), &ReadOptions::default()).unwrap();
    assert_eq!(*joined.column(0).data_type(), DataType::Float64);
    assert_eq!(joined.column(1).as_string::<i32>().value(1), "5");
}

/// A file of these columns, and its path.
fn written(folder: &Path, columns: Vec<(&str, ArrayRef)>) -> String {
    let path = folder.join("table.parquet");
    write_parquet(&path, &RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn bytes_without_the_mark_of_text_are_text_where_all_of_them_are() {
    let folder = tempfile::tempdir().unwrap();
    let texts = [Some(b"red".as_slice()), None, Some("grün".as_bytes())];
    let path = written(
        folder.path(),
        vec![
            ("text", Arc::new(BinaryArray::from_iter(texts)) as ArrayRef),
            ("large", Arc::new(LargeBinaryArray::from_iter(texts))),
            (
                "bytes",
                Arc::new(BinaryArray::from_iter([Some(b"red".as_slice()), None, Some(b"\xff")])),
            ),
        ],
    );
    let whole = read(&path, &ReadOptions::default()).unwrap();
    let columns = Columns::open(&path, &ReadOptions::default(), None).unwrap();
    for name in ["text", "large"] {
        for array in [whole.column_by_name(name).unwrap(), &columns.read(name).unwrap().unwrap()[0]]
        {
            let text = array.as_string::<i32>();
            assert_eq!((text.value(0), text.value(2)), ("red", "grün"), "{name}");
            assert!(text.is_null(1), "{name}");
        }
    }
    let bytes = &columns.read("bytes").unwrap().unwrap()[0];
    assert_eq!(*bytes.data_type(), DataType::Binary);
    assert_eq!(*whole.column_by_name("bytes").unwrap().data_type(), DataType::Binary);
}

/// The footer has the number of rows twice: for each row group, which the decoder goes by, and beside
/// them, where a writer may leave anything.
#[test]
fn rows_are_those_of_the_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let numbers = Int64Array::from_iter_values(0..100);
    let path = written(folder.path(), vec![("x", Arc::new(numbers) as ArrayRef)]);
    let mut bytes = std::fs::read(&path).unwrap();
    // Field 3, an i64 of 100 in zigzag; then field 4, the list of row groups.
    let count = [0x16, 0xc8, 0x01, 0x19];
    let at = bytes.windows(count.len()).rposition(|window| window == count).unwrap();
    bytes[at + 1] = 0xc6;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(read(&path, &ReadOptions::default()).unwrap().num_rows(), 100);
    let columns = Columns::open(&path, &ReadOptions::default(), None).unwrap();
    assert_eq!((columns.rows(), columns.source().rows()), (100, 100));
}
