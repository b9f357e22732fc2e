//! Files of many blocks read as if from the start, whatever lies across the cuts.

use std::fmt::Write as _;

use trainyard_data::arrow_array::Array as _;
use trainyard_data::arrow_array::cast::AsArray as _;
use trainyard_data::arrow_array::types::{Float64Type, Int64Type};
use trainyard_data::arrow_schema::DataType;
use trainyard_data::{Error, ReadOptions, read_csv_text};

/// Several blocks of about a mebibyte each.
const ROWS: usize = 60_000;

#[test]
fn quoted_line_breaks_that_look_like_records() {
    // A cut inside such a field finds perfect records of the right width that are none.
    let trap = "9,\"x\",0.5\n8,y,0.5\n7,\"z\n\",0.5\n".replace('"', "\"\"");
    let mut text = String::from("id,note,value\n");
    for row in 0..ROWS {
        let note = if row % 3 == 0 { trap.repeat(1 + row % 5) } else { "plain".to_owned() };
        writeln!(text, "{row},\"{note}\",{}.25", row % 100).unwrap();
    }
    let batch = read_csv_text("t.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(batch.num_rows(), ROWS);
    let ids = batch.column(0).as_primitive::<Int64Type>();
    assert!(ids.values().iter().copied().eq(0..ROWS as i64));
    let notes = batch.column(1).as_string::<i32>();
    let plain_trap = trap.replace("\"\"", "\"");
    for row in (0..ROWS).step_by(101) {
        let expected =
            if row % 3 == 0 { plain_trap.repeat(1 + row % 5) } else { "plain".to_owned() };
        assert_eq!(notes.value(row), expected, "row {row}");
        assert_eq!(
            batch.column(2).as_primitive::<Float64Type>().value(row),
            (row % 100) as f64 + 0.25
        );
    }
}

#[test]
fn one_field_larger_than_several_blocks() {
    let long = "1,2\n".repeat(1_000_000);
    let text = format!("a,b\n1,x\n2,\"{long}\"\n3,y\n");
    let batch = read_csv_text("t.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values().to_vec(), [1, 2, 3]);
    assert_eq!(batch.column(1).as_string::<i32>().value(1), long);
}

#[test]
fn the_last_row_decides_the_type_of_all_blocks() {
    let mut body = String::new();
    for row in 0..300_000 {
        writeln!(body, "{row:05},{row},{row}").unwrap();
    }
    let text = format!("code,number,count\n{body}x,0.5,1\n");
    let batch = read_csv_text("t.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
    // Codes stay as written, with their zeros.
    assert_eq!(batch.column(0).as_string::<i32>().value(7), "00007");
    assert_eq!(batch.column(1).as_primitive::<Float64Type>().value(7), 7.0);
    assert_eq!(*batch.column(2).data_type(), DataType::Int64);

    let text = format!("code,number,count\n{body}18446744073709551615,,1\n");
    let batch = read_csv_text("t.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(*batch.column(0).data_type(), DataType::UInt64);
    assert_eq!(*batch.column(1).data_type(), DataType::Float64);
    assert_eq!(batch.column(1).null_count(), 1);
}

#[test]
fn line_numbers_are_right_in_late_blocks() {
    let body = "1,2\r\n".repeat(700_000);
    for (end, line) in [("3\r\n", 700_002), ("3,4,5\n", 700_002), ("\n\n3,\"4\n", 700_004)] {
        let text = format!("a,b\r\n{body}{end}");
        let error = read_csv_text("t.csv", text.as_bytes(), &ReadOptions::default()).unwrap_err();
        match error {
            Error::Ragged { line: found, .. } | Error::OpenQuote { line: found, .. } => {
                assert_eq!(found, line, "{end:?}");
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn lone_returns_cut_as_well() {
    let mut body = String::new();
    for row in 0..400_000 {
        write!(body, "{row},x\r").unwrap();
    }
    let batch =
        read_csv_text("t.csv", format!("a,b\r{body}").as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(batch.num_rows(), 400_000);
}
