//! Text is read as people mean it, where that is asked for: the same from CSV, from large CSV and from
//! Parquet.

use std::fmt::Write as _;

use trainyard_data::arrow_array::cast::AsArray as _;
use trainyard_data::arrow_array::types::{
    Date32Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use trainyard_data::arrow_array::{Array, ArrayRef};
use trainyard_data::arrow_schema::DataType;
use trainyard_data::{Columns, Error, Natural, ReadOptions, read, write_parquet};

/// Rows of the larger tables: more text than a mebibyte, which is the smallest segment.
const ROWS: usize = 40_000;

fn natural() -> ReadOptions {
    ReadOptions { natural: Some(Natural::default()), ..ReadOptions::default() }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    fn open(&self, text: impl AsRef<[u8]>, options: &ReadOptions) -> Result<Columns, Error> {
        Columns::open(&self.write("t.csv", text), options, None)
    }
}

fn joined(columns: &Columns, name: &str) -> ArrayRef {
    let pieces = columns.read(name).unwrap().unwrap();
    let views: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    arrow_select::concat::concat(&views).unwrap()
}

fn remarks(columns: &Columns) -> String {
    columns.remarks().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn numbers_and_times_are_seen_in_every_format() {
    let mut text = String::from("fee,rate,amount,when,day,word,zip\n");
    for row in 0..ROWS {
        let amount = if row == 30_000 { "N.A.".to_owned() } else { format!("{row}.5") };
        let (hour, day) = (row % 24, row % 28 + 1);
        writeln!(
            text,
            "\"$1,{:03}\",{}.25%,{amount},2026-01-{day:02} {hour:02}:00:00,2026-01-{day:02},w{row},{:05}",
            row % 1000,
            row % 100,
            row % 70_000
        )
        .unwrap();
    }
    let folder = Folder::new();
    let csv = folder.write("t.csv", &text);
    let parquet = folder.0.path().join("t.parquet");
    let whole = Columns::open(&csv, &natural(), None).unwrap();
    write_parquet(&parquet, &read(&csv, &ReadOptions::default()).unwrap()).unwrap();

    let fee = joined(&whole, "fee");
    assert_eq!(fee.as_primitive::<Int64Type>().value(7), 1007);
    let rate = joined(&whole, "rate");
    assert_eq!(rate.as_primitive::<Float64Type>().value(7), 7.25);
    let amount = joined(&whole, "amount");
    assert!(amount.is_null(30_000) && amount.null_count() == 1);
    let reading = whole.reading("amount").unwrap();
    assert_eq!((reading.values, reading.exceptions), (ROWS, 1));
    assert_eq!(reading.examples[0].line, Some(30_002));
    assert_eq!(reading.examples[0].text, "N.A.");
    let day = joined(&whole, "day");
    assert_eq!(day.as_primitive::<Date32Type>().value(0), 20_454);
    assert!(matches!(joined(&whole, "when").data_type(), DataType::Timestamp(_, None)));
    assert_eq!(joined(&whole, "word").data_type(), &DataType::Utf8);
    assert!(whole.reading("word").is_none());
    assert_eq!(joined(&whole, "zip").as_string::<i32>().value(7), "00007");

    let large = Columns::open(&csv, &natural(), Some(1)).unwrap();
    let other = Columns::open(&parquet.to_string_lossy(), &natural(), None).unwrap();
    for name in ["fee", "rate", "amount", "when", "day", "word"] {
        for columns in [&large, &other] {
            assert_eq!(&joined(columns, name), &joined(&whole, name), "{name}");
            let form =
                |columns: &Columns| columns.reading(name).map(|reading| reading.form.clone());
            assert_eq!(form(columns), form(&whole), "{name}");
        }
    }
    assert_eq!(&joined(&large, "zip"), &joined(&whole, "zip"));
    assert_eq!(large.reading("amount").unwrap().examples[0].line, Some(30_002));
    // As it is written, it is what it was.
    let written = whole.into_written();
    assert_eq!(written.data_type("fee"), Some(DataType::Utf8));
}

#[test]
fn dates_and_amounts_as_people_write_them_are_seen() {
    let mut text = String::from("day,stamp,price,about,formula\n");
    for row in 0..100 {
        let (day, hour) = (row % 28 + 1, row % 12 + 1);
        let price = if row % 2 == 0 { "€750K" } else { "€1.5M" };
        writeln!(
            text,
            "{day:02}.01.2026,1/{day}/26 {hour}:00 PM,{price},~{row},\"=\"\"{row}\"\"\""
        )
        .unwrap();
    }
    let folder = Folder::new();
    let columns = Columns::open(&folder.write("t.csv", &text), &natural(), None).unwrap();
    assert_eq!(joined(&columns, "day").as_primitive::<Date32Type>().value(0), 20_454);
    let stamp = joined(&columns, "stamp");
    let stamp = stamp.as_primitive::<TimestampMicrosecondType>();
    assert_eq!(stamp.value(0), (20_454 * 24 + 13) * 3_600_000_000);
    let price = joined(&columns, "price");
    let price = price.as_primitive::<Float64Type>();
    assert_eq!((price.value(0), price.value(1)), (750_000.0, 1_500_000.0));
    for name in ["about", "formula"] {
        assert_eq!(joined(&columns, name).as_primitive::<Int64Type>().value(7), 7, "{name}");
    }
    let form = |name: &str| columns.reading(name).unwrap().form.to_string();
    assert_eq!(form("day"), "dates, day first");
    assert_eq!(form("stamp"), "times, month first");
}

#[test]
fn leading_zeros_make_labels_unless_the_column_is_known_to_be_numbers() {
    let folder = Folder::new();
    let text = "zip,x\n94103,007\n06510,0.5\n";
    let columns = folder.open(text, &natural()).unwrap();
    assert_eq!(joined(&columns, "zip").as_string::<i32>().value(1), "06510");
    assert_eq!(columns.data_type("x"), Some(DataType::Float64));
    let mut known = Natural::default();
    known.numbers.insert("zip".to_owned());
    let options = ReadOptions { natural: Some(known), ..natural() };
    assert_eq!(folder.open(text, &options).unwrap().data_type("zip"), Some(DataType::Int64));
    let plain = folder.open(text, &ReadOptions::default()).unwrap();
    assert_eq!(plain.data_type("zip"), Some(DataType::Int64));
    let mut known = Natural::default();
    known.texts.insert("x".to_owned());
    let options = ReadOptions { natural: Some(known), ..natural() };
    assert_eq!(folder.open(text, &options).unwrap().data_type("x"), Some(DataType::Utf8));
    // One file of several decides for all.
    let several = Folder::new();
    several.write("a.csv", "zip\n94103\n");
    several.write("b.csv", "zip\n06510\n");
    let columns = Columns::open(&several.0.path().to_string_lossy(), &natural(), None).unwrap();
    assert_eq!(joined(&columns, "zip").as_string::<i32>().value(0), "94103");
}

#[test]
fn separators_are_seen_and_said() {
    let folder = Folder::new();
    let excel = folder.open("sep=;\na;b\n1,5;x\n2,25;y\n", &natural()).unwrap();
    assert_eq!(excel.names(), ["a", "b"]);
    assert_eq!(excel.rows(), 2);
    let columns = folder.open("a;b\n1,5;x\n2,25;y\n", &natural()).unwrap();
    assert_eq!(columns.names(), ["a", "b"]);
    assert_eq!(joined(&columns, "a").as_primitive::<Float64Type>().values(), &[1.5, 2.25]);
    assert!(remarks(&columns).contains("fields are separated by ';'"), "{}", remarks(&columns));
    let plain = folder.open("a;b\n1;x\n", &ReadOptions::default()).unwrap();
    assert_eq!(plain.names(), ["a;b"]);
    let given = ReadOptions { delimiter: Some(b'!'), ..natural() };
    let columns = folder.open("a!b\n1!x\n", &given).unwrap();
    assert_eq!((columns.names().len(), remarks(&columns)), (2, String::new()));
}

#[test]
fn row_names_and_trailing_separators_are_no_columns() {
    let folder = Folder::new();
    for text in ["x,g\n1,3.5,red\n2,2.5,blue\n", ",x,g\n0,3.5,red\n1,2.5,blue\n"] {
        let columns = folder.open(text, &natural()).unwrap();
        assert_eq!(columns.names(), ["x", "g"], "{text:?}");
        assert_eq!(joined(&columns, "x").as_primitive::<Float64Type>().values(), &[3.5, 2.5]);
        assert!(remarks(&columns).contains("names the rows"), "{}", remarks(&columns));
    }
    for text in ["x,g\n1,2,\n3,4,\n", "x,g,\n1,2,\n3,4,\n"] {
        let columns = folder.open(text, &natural()).unwrap();
        assert_eq!(columns.names(), ["x", "g"], "{text:?}");
        assert_eq!(joined(&columns, "g").as_primitive::<Int64Type>().values(), &[2, 4]);
        assert!(remarks(&columns).contains("end of lines"), "{}", remarks(&columns));
    }
    let asked = ReadOptions {
        natural: Some(Natural::default()),
        ..ReadOptions::with_columns(["Unnamed: 0"])
    };
    let columns = folder.open(",x\n0,3.5\n1,2.5\n", &asked).unwrap();
    assert_eq!(columns.names(), ["Unnamed: 0"]);
    let error = folder.open("x,g\n1,2,3\n1,4,5\n", &natural()).unwrap_err();
    assert!(matches!(error, Error::Ragged { line: 2, .. }), "{error}");
}

#[test]
fn short_rows_are_counted() {
    let folder = Folder::new();
    let text = "x,y,z\n1,2\n1,2,3\n4\n";
    let error = folder.open(text, &natural()).unwrap_err();
    let Error::Ragged { line: 2, hint, .. } = error else { panic!("{error}") };
    assert!(hint.contains("--short-rows fill"), "{hint}");
    let options = ReadOptions { fill_short_records: true, ..natural() };
    let columns = folder.open(text, &options).unwrap();
    assert_eq!(joined(&columns, "z").null_count(), 2);
    let said = remarks(&columns);
    assert!(said.contains("2 rows are shorter than the header (the first in line 2)"), "{said}");
}

#[test]
fn words_for_missing_and_encodings_can_be_chosen() {
    let folder = Folder::new();
    let text = "country,x\nNA,1\nZA,\nBW,-\n";
    let columns = folder.open(text, &natural()).unwrap();
    assert_eq!(joined(&columns, "country").null_count(), 1);
    assert!(remarks(&columns).contains("NA is read as missing"), "{}", remarks(&columns));
    let options = ReadOptions { nulls: Some(vec!["-".to_owned()]), ..natural() };
    let columns = folder.open(text, &options).unwrap();
    assert_eq!(joined(&columns, "country").as_string::<i32>().value(0), "NA");
    assert_eq!(joined(&columns, "x").null_count(), 2);
    assert_eq!(remarks(&columns), "");
    let options = ReadOptions { encoding: Some("windows-1252".to_owned()), ..natural() };
    let columns = folder.open(b"town\nM\xfcnchen\n", &options).unwrap();
    assert_eq!(joined(&columns, "town").as_string::<i32>().value(0), "München");
}
