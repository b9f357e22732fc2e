//! What is wrong is said with file, line, value and a hint; never a panic.

use std::path::PathBuf;

use trainyard_base::Advise as _;
use trainyard_data::arrow_schema::DataType;
use trainyard_data::{COLUMNS_MAX, Error, RECORD_BYTES_MAX, ReadOptions, read, read_table};

/// A file in a folder of its own.
fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// The message of a failed read, with the folder cut out.
fn message_with(name: &str, content: &[u8], options: &ReadOptions) -> String {
    let (folder, path) = file(name, content);
    let error = read(&path, options).unwrap_err();
    error.with_hint().replace(&format!("{}/", folder.path().display()), "")
}

fn message(content: &[u8]) -> String {
    message_with("t.csv", content, &ReadOptions::default())
}

#[test]
fn a_table_of_a_spreadsheet_with_decimal_commas_says_how_it_is_written_again() {
    let told = message(b"id;price;city\n1;9,5;Wien\n2;7,25;Graz\n");
    assert!(told.contains("line 2: 2 fields where the header has 1"), "{told}");
    assert!(told.contains("sep=\";\", decimal=\",\""), "{told}");
    // A title above the names of the columns is another mistake.
    let told = message(b"Prices\nid,price\n1,2\n");
    assert!(told.contains("a title or comment"), "{told}");
}

#[test]
fn a_missing_file_is_named() {
    let error = read("no/such.csv", &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }));
    assert!(
        error.with_hint().starts_with("no such file or folder: no/such.csv\nhint: "),
        "{error}"
    );
}

#[test]
fn nothing_to_read() {
    assert!(message(b"").starts_with("t.csv is empty\nhint: "));
    assert!(message(b"\n\n").starts_with("t.csv is empty"));
    assert!(message(b"a,b\n").starts_with("t.csv has a header but no rows"));
    let options = ReadOptions { allow_no_rows: true, ..ReadOptions::default() };
    let (_folder, path) = file("t.csv", b"a,b\n");
    let batch = read(&path, &options).unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (0, 2));
}

#[test]
fn ragged_records_are_named_by_line() {
    assert!(
        message(b"a,b\n1,2\n3\n")
            .starts_with("t.csv, line 3: 1 fields where the header has 2\nhint: ")
    );
    assert!(
        message(b"a,b\n1,2\n\n3,4,5\n")
            .starts_with("t.csv, line 4: 3 fields where the header has 2")
    );
    assert!(message(b"a,b\n1,2,3\n").contains("line 2: 3 fields"));
}

#[test]
fn text_that_is_none() {
    assert!(
        message(b"a\nx\n\xe4\n").starts_with("t.csv, line 3: not UTF-8 text (byte 0xe4)\nhint: ")
    );
    assert!(message(b"\xff\xfea\0\n\0").contains("UTF-16"));
    assert!(message(b"a\n1\x002\n").starts_with("t.csv, line 2: a NUL byte in the text"));
    assert!(
        message(b"a\n1\n\"x\n")
            .starts_with("t.csv, line 3: the quoted field that starts here is never closed")
    );
    assert!(message(b"PK\x03\x04zip").contains("zip or Excel"));
    assert!(
        message_with("t.json", b"[{\"a\": 1}]", &ReadOptions::default()).contains("it is JSON")
    );
}

#[test]
fn limits_hold() {
    let line = vec![b'x'; RECORD_BYTES_MAX + 10];
    assert!(
        message(&line)
            .starts_with("t.csv, line 1: a record (line) exceeds the limit of 64 MiB\nhint: ")
    );
    let quoted = [b"a\n\"".as_slice(), &line].concat();
    assert!(message(&quoted).starts_with("t.csv, line 2: a record (line) exceeds the limit"));
    let header = vec![b','; COLUMNS_MAX];
    assert!(message(&[&header, b"\n1".as_slice()].concat()).contains("a header of 50001 columns"));
}

#[test]
fn columns_that_are_not_there() {
    let options = ReadOptions::with_columns(["b", "c"]);
    let text = message_with("t.csv", b"a,b\n1,2\n", &options);
    assert_eq!(text, "t.csv has no column \"c\"\nhint: its columns are \"a\", \"b\"");
    let options = ReadOptions { fill_missing_columns: true, ..options };
    let (_folder, path) = file("t.csv", b"a,b\n1,2\n");
    let batch = read(&path, &options).unwrap();
    assert_eq!(batch.column(1).null_count(), 1);
}

#[test]
fn a_value_that_is_not_of_the_given_type() {
    let mut options = ReadOptions::default();
    options.types.insert("b".to_owned(), DataType::Float64);
    let text = message_with("t.csv", b"a,b\n1,2\n3,oops\n", &options);
    assert!(
        text.starts_with("t.csv, line 3, column \"b\": \"oops\" is not Float64\nhint: "),
        "{text}"
    );
}

#[test]
fn damaged_compression_and_parquet() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&b"a,b\n1,2\n".repeat(1000)).unwrap();
    let packed = encoder.finish().unwrap();
    let cut = &packed[..packed.len() - 20];
    assert!(
        message_with("t.csv.gz", cut, &ReadOptions::default())
            .contains("compression is damaged or cut off")
    );

    let (folder, path) = file("t.csv", b"a,b\n1,x\n2,y\n");
    let parquet = folder.path().join("t.parquet");
    trainyard_data::write_parquet(&parquet, &read(&path, &ReadOptions::default()).unwrap())
        .unwrap();
    let whole = std::fs::read(&parquet).unwrap();
    for length in [4, 8, whole.len() / 2, whole.len() - 1] {
        let text = message_with("t.parquet", &whole[..length], &ReadOptions::default());
        assert!(text.starts_with("t.parquet is not a readable Parquet file: "), "{length}: {text}");
    }
    // No damage anywhere may end in a panic or in silence about the file's name.
    for at in 4..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        let (_folder, path) = file("t.parquet", &bytes);
        if let Err(error) = read(&path, &ReadOptions::default()) {
            assert!(error.to_string().contains("t.parquet"), "{error}");
        }
    }
    let text = message_with("t.parquet", b"a,b\n1,2\n", &ReadOptions::default());
    assert!(text.contains("does not begin with PAR1"));
}

#[test]
fn files_of_other_kinds_are_named() {
    for (bytes, reason) in [
        (&b"BZh91AY&SY"[..], "compressed by bzip2"),
        (b"\xfd7zXZ\x00\x00", "compressed by xz"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file"),
        (b"%PDF-1.7\n", "a PDF file"),
        (b"Obj\x01\x04", "an Avro file"),
        (b"<!DOCTYPE html>\n<html>\n", "a web page"),
        (b"<HTML><body>", "a web page"),
    ] {
        let text = message_with("t.csv", bytes, &ReadOptions::default());
        assert!(text.contains(reason), "{text}");
    }
    let text = message_with("t.csv", b"Report 2026\n\na,b\n1,2\n", &ReadOptions::default());
    assert!(text.contains("2 fields where the header has 1"), "{text}");
}

#[test]
fn files_that_do_not_fit_together() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("1.csv"), "a,b\n1,2\n").unwrap();
    std::fs::write(at("2.csv"), "a,c\n1,2\n").unwrap();
    let source = folder.path().to_str().unwrap().to_owned();
    let error = read(&source, &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("missing \"b\", additional \"c\""), "{error}");
    let options = ReadOptions { fill_missing_columns: true, ..ReadOptions::default() };
    let table = read_table(&source, &options).unwrap();
    assert_eq!(table.batch.num_columns(), 3);
    let said: Vec<String> = options.remarks.all().iter().map(ToString::to_string).collect();
    assert_eq!(said, ["not in all files, and missing in the rows of those without: \"b\", \"c\""]);
    assert_eq!(
        table.source.files.iter().map(|file| file.path.clone()).collect::<Vec<PathBuf>>(),
        [at("1.csv"), at("2.csv")]
    );

    let empty = tempfile::tempdir().unwrap();
    let error = read(empty.path().to_str().unwrap(), &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().starts_with("no tables found in "), "{error}");
    let error =
        read(&format!("{}/*.csv", empty.path().display()), &ReadOptions::default()).unwrap_err();
    assert!(error.with_hint().contains("no file matches"), "{}", error.with_hint());
}
