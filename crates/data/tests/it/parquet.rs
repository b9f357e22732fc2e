//! Parquet files that the real pandas and pyarrow write, and ours read by them.

use trainyard_data::arrow_array::Array as _;
use trainyard_data::arrow_array::cast::AsArray as _;
use trainyard_data::arrow_array::types::{Int32Type, Int64Type};
use trainyard_data::arrow_schema::{DataType, TimeUnit};
use trainyard_data::{ReadOptions, read, read_csv_text, write_csv, write_parquet};
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
