//! Folders, patterns, compression, chosen columns, writing and reading back.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use trainyard_data::arrow_array::Array as _;
use trainyard_data::arrow_array::cast::AsArray as _;
use trainyard_data::arrow_array::types::{Float64Type, Int64Type};
use trainyard_data::arrow_schema::DataType;
use trainyard_data::{
    Format, ReadOptions, RowFilter, read, read_csv_text, read_table, write_csv, write_parquet,
};

#[test]
fn a_folder_is_read_in_order_with_types_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("day=2")).unwrap();
    std::fs::write(at("a.csv"), "n,f,code,b\n1,2,007,\n").unwrap();
    std::fs::write(at("day=2/b.csv"), "code,b,n,f\nx,True,,2.5\n").unwrap();
    std::fs::write(at("_SUCCESS.csv"), "broken").unwrap();
    std::fs::write(at(".hidden.csv"), "broken").unwrap();
    std::fs::write(at("notes.txt"), "broken").unwrap();
    let source = folder.path().to_str().unwrap().to_owned();
    let batch = read(&source, &ReadOptions::default()).unwrap();
    let types: Vec<_> = batch.columns().iter().map(|column| column.data_type().clone()).collect();
    assert_eq!(types, [DataType::Float64, DataType::Float64, DataType::Utf8, DataType::Boolean]);
    // The first file alone would have made a number of the code.
    assert_eq!(batch.column(2).as_string::<i32>().value(0), "007");
    assert!(batch.column(3).is_null(0));

    let matches = read(&format!("{source}/*.csv"), &ReadOptions::with_columns(["n"])).unwrap_err();
    assert!(
        matches.to_string().contains("_SUCCESS.csv"),
        "a pattern takes what it matches: {matches}"
    );
    let batch =
        read(&format!("{source}/**/[ab].csv"), &ReadOptions::with_columns(["f", "n"])).unwrap();
    assert_eq!(batch.schema().field(0).name(), "f");
    assert_eq!(batch.column(0).as_primitive::<Float64Type>().values().to_vec(), [2.0, 2.5]);
}

#[test]
fn compressed_files_and_digests() {
    let folder = tempfile::tempdir().unwrap();
    let text = b"a,b\n1,x\n2,y\n";
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text).unwrap();
    std::fs::write(folder.path().join("1.csv.gz"), gz.finish().unwrap()).unwrap();
    std::fs::write(folder.path().join("2.csv.zst"), zstd::encode_all(text.as_slice(), 1).unwrap())
        .unwrap();
    std::fs::write(folder.path().join("3.csv"), text).unwrap();
    let options = ReadOptions { digest: true, ..ReadOptions::default() };
    let table = read_table(folder.path().to_str().unwrap(), &options).unwrap();
    assert_eq!(
        table.batch.column(0).as_primitive::<Int64Type>().values().to_vec(),
        [1, 2, 1, 2, 1, 2]
    );
    assert_eq!(table.source.rows(), 6);
    assert_eq!(table.source.files[2].bytes, 12);
    // sha256sum of the text
    assert_eq!(
        table.source.files[2].sha256.as_deref(),
        Some("15920f3fb7c051cc15fceee84432e8803a139a9b53a4ea832c37bf1109e200cf")
    );
    assert_eq!(table.source.digest().unwrap().len(), 64);
    let single = read_table(folder.path().join("3.csv").to_str().unwrap(), &options).unwrap();
    assert_eq!(single.source.digest(), single.source.files[0].sha256);
    assert_eq!(single.source.files[0].format, Format::Csv);
}

#[test]
fn tabs_and_chosen_types() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.tsv");
    std::fs::write(&path, "a\tb\n1\t007\n").unwrap();
    let mut options = ReadOptions::default();
    options.types.insert("b".to_owned(), DataType::Utf8);
    options.types.insert("a".to_owned(), DataType::Float64);
    let batch = read(path.to_str().unwrap(), &options).unwrap();
    assert_eq!(batch.column(0).as_primitive::<Float64Type>().value(0), 1.0);
    assert_eq!(batch.column(1).as_string::<i32>().value(0), "007");
}

#[test]
fn what_is_written_reads_back() {
    let text =
        "i,f,s,b,e\n1,0.1,\"a,\"\"b\"\"\",True,\n-2,1e300,\"x\ny\",False,\n3,-inf,ü,,\n4,,,True,\n";
    let batch = read_csv_text("t.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["deep/er/t.parquet", "t.csv"] {
        let path = folder.path().join(name);
        if path.extension().is_some_and(|end| end == "csv") {
            write_csv(&path, &batch).unwrap();
        } else {
            write_parquet(&path, &batch).unwrap();
        }
        assert_eq!(read(path.to_str().unwrap(), &ReadOptions::default()).unwrap(), batch, "{name}");
        // Not the private rights of a temporary file.
        assert_ne!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o044, 0);
        let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert!(
            left.iter().all(|entry| !entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .ends_with(".tmp"))
        );
    }
}

#[test]
fn a_lone_null_is_no_blank_line() {
    let batch = read_csv_text("t.csv", b"a\nx\n\"\"\ny\n", &ReadOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    write_csv(&path, &batch).unwrap();
    assert_eq!(read(path.to_str().unwrap(), &ReadOptions::default()).unwrap(), batch);
}

#[test]
fn rows_are_filtered_by_columns_that_are_not_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    std::fs::write(&path, "at,x,kind\n2026-01-01,1,a\n2026-01-02,2,b\n2026-01-03,3,a\n").unwrap();
    let mut options = ReadOptions::with_columns(["x"]);
    options.rows = RowFilter {
        time_column: Some("at".to_owned()),
        since: Some("2026-01-02".to_owned()),
        until: None,
        conditions: vec!["kind = a".to_owned()],
    };
    let table = read_table(path.to_str().unwrap(), &options).unwrap();
    assert_eq!(table.batch.num_columns(), 1);
    assert_eq!(table.batch.column(0).as_primitive::<Int64Type>().values().to_vec(), [3]);
    assert_eq!(table.source.rows(), 3, "lineage counts what was read");
    options.rows.conditions = vec!["kind = z".to_owned()];
    let text = read_table(path.to_str().unwrap(), &options).unwrap_err().to_string();
    assert!(text.starts_with("none of the 3 rows of "), "{text}");
}
