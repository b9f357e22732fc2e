//! Columns that are read one by one hold what the whole table holds, also where it does not fit.

use std::fmt::Write as _;
use std::path::Path;

use trainyard_data::arrow_array::{Array, ArrayRef};
use trainyard_data::{Columns, Error, ReadOptions, RowFilter, read, write_parquet};

/// Every segment is as small as it gets: a mebibyte of text.
const LITTLE_MEMORY: Option<u64> = Some(1);

fn joined(columns: &Columns, name: &str) -> ArrayRef {
    let pieces = columns.read(name).unwrap().unwrap();
    let views: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    arrow_select::concat::concat(&views).unwrap()
}

/// Both ways of reading give the same; returns into how many pieces the first column fell.
fn check(source: &str, options: &ReadOptions, memory: Option<u64>) -> usize {
    let whole = read(source, options).unwrap();
    let columns = Columns::open(source, options, memory).unwrap();
    let schema = whole.schema();
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(columns.names().iter().collect::<Vec<_>>(), names);
    assert_eq!(columns.rows(), whole.num_rows());
    for (name, expected) in names.iter().zip(whole.columns()) {
        assert_eq!(&joined(&columns, name), expected, "column {name}");
    }
    assert!(columns.read("no such column").unwrap().is_none());
    columns.read(names[0]).unwrap().unwrap().len()
}

/// Types that are decided late, line breaks in quotes, gaps: several mebibytes.
fn difficult(rows: usize) -> String {
    let mut text = String::from("code,number,gaps,flag,note,none\n");
    for row in 0..rows {
        let gap = if row % 70 == 69 { "" } else { "12" };
        let note = if row % 5 == 0 { "\"two\nlines, \"\"quoted\"\"\"" } else { "plain" };
        writeln!(text, "{row:06},{row},{gap},{},{note},", row % 2 == 0).unwrap();
    }
    text.push_str("x1,0.5,3,False,last,\n");
    text
}

fn written(folder: &Path, name: &str, text: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn csv_that_does_not_fit_is_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let text = difficult(120_000);
    let path = written(folder.path(), "t.csv", text.as_bytes());
    assert!(check(&path, &ReadOptions::default(), LITTLE_MEMORY) >= 3);
    check(&path, &ReadOptions::default(), None);

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    let packed = written(folder.path(), "t.csv.gz", &encoder.finish().unwrap());
    assert!(check(&packed, &ReadOptions::default(), LITTLE_MEMORY) >= 3);
}

#[test]
fn several_files_that_do_not_fit_have_one_type_a_column() {
    let folder = tempfile::tempdir().unwrap();
    let numbers: String = (0..300_000).fold("id,x\n".to_owned(), |mut text, row| {
        writeln!(text, "{row:05},{row}").unwrap();
        text
    });
    written(folder.path(), "1.csv", numbers.as_bytes());
    written(folder.path(), "2.csv", b"id,x\nabc,0.25\n");
    let source = folder.path().to_string_lossy().into_owned();
    check(&source, &ReadOptions::default(), LITTLE_MEMORY);
    let columns = Columns::open(&source, &ReadOptions::default(), LITTLE_MEMORY).unwrap();
    assert_eq!(columns.source().files.len(), 2);
}

#[test]
fn filters_and_chosen_columns_hold_for_every_store() {
    let folder = tempfile::tempdir().unwrap();
    let text = difficult(120_000);
    let csv = written(folder.path(), "t.csv", text.as_bytes());
    let batch = read(&csv, &ReadOptions::default()).unwrap();
    let parquet = folder.path().join("t.parquet");
    write_parquet(&parquet, &batch).unwrap();
    let options = ReadOptions {
        rows: RowFilter {
            conditions: vec!["number >= 7000".to_owned(), "flag = True".to_owned()],
            ..RowFilter::default()
        },
        ..ReadOptions::with_columns(["note", "gaps"])
    };
    for (source, memory) in
        [(csv.as_str(), None), (&csv, LITTLE_MEMORY), (&parquet.to_string_lossy(), None)]
    {
        check(source, &options, memory);
    }
    let none = ReadOptions {
        rows: RowFilter { conditions: vec!["number < 0".to_owned()], ..RowFilter::default() },
        ..ReadOptions::default()
    };
    for source in [csv.as_str(), &parquet.to_string_lossy()] {
        let error = Columns::open(source, &none, LITTLE_MEMORY).unwrap_err();
        assert!(matches!(error, Error::NoRowsKept { read: 120_001, .. }), "{error}");
    }
}

#[test]
fn a_chosen_column_that_is_not_there_is_left_out_when_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "t.csv", b"a,b\n1,2\n");
    let options =
        ReadOptions { skip_missing_columns: true, ..ReadOptions::with_columns(["b", "gone"]) };
    let columns = Columns::open(&path, &options, None).unwrap();
    assert_eq!(columns.names(), ["b"]);
}

#[test]
fn errors_name_the_line_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = difficult(120_000);
    let line = text.lines().count() + 1;
    text.push_str("1,2\n");
    let path = written(folder.path(), "t.csv", text.as_bytes());
    let at_once = read(&path, &ReadOptions::default()).unwrap_err().to_string();
    let piecewise =
        Columns::open(&path, &ReadOptions::default(), LITTLE_MEMORY).unwrap_err().to_string();
    assert_eq!(at_once, piecewise);
    assert!(at_once.contains(&format!("line {line}")), "{at_once}");
}

#[test]
fn a_damaged_column_does_not_keep_the_others_from_being_read() {
    let folder = tempfile::tempdir().unwrap();
    let csv = written(folder.path(), "t.csv", difficult(20_000).as_bytes());
    let batch = read(&csv, &ReadOptions::default()).unwrap();
    let path = folder.path().join("t.parquet");
    write_parquet(&path, &batch).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // The first column's pages follow the magic number.
    for byte in bytes.get_mut(40..4_000).unwrap() {
        *byte = !*byte;
    }
    std::fs::write(&path, bytes).unwrap();
    let columns = Columns::open(&path.to_string_lossy(), &ReadOptions::default(), None).unwrap();
    assert!(columns.read("code").is_err());
    assert_eq!(joined(&columns, "note").len(), 20_001);
}
