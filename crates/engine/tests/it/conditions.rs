//! Conditions keep the rows in an engine that they keep of the same file here.

use arrow_array::RecordBatch;
use trainyard_data::{ReadOptions, RowFilter, read_table, write_parquet};
use trainyard_engine::{Error, Limits, Source, summarize};

use crate::engines::Held;
use crate::tables::{HOSTILE, day, only};

/// Of columns that all engines hold alike.
pub(crate) const EVERYWHERE: [&str; 14] = [
    "x > 2",
    "x >= -0.0 and x <= 0",
    "not x > 2",
    "x != 0",
    "x < inf",
    "x = null or gaps > 40",
    "gaps is not null and not gaps < $10",
    "whole in (1, 3, 9)",
    "whole not in (1, 3)",
    "whole > 2.5",
    "id >= 9007199254740993 or id = 6",
    "small <= -1 or small = 7",
    "\"La\"\"b'el; --\" in (\"'; drop table t; --\", ü, a\\)",
    "\"La\"\"b'el; --\" > Gz and not \"La\"\"b'el; --\" = \"\"",
];

/// Of those with types of their own.
pub(crate) const TYPED: [&str; 7] = [
    "flag = true",
    "not \"flag with gaps\" = true",
    "price > 4.05 and price <= 5",
    "day >= 2024-10-05T12:00:00Z",
    "moment > 2025-10-09T08:55:00.000001Z",
    "\"moment in a zone\" < 2025-10-09T10:00:00+01:00",
    "single > 0.3 and single < 0.5",
];

/// How many rows of a Parquet file are kept.
fn here(path: &str, rows: &RowFilter) -> u64 {
    let options = ReadOptions { rows: rows.clone(), allow_no_rows: true, ..ReadOptions::default() };
    read_table(path, &options).unwrap().batch.num_rows() as u64
}

fn same_rows(held: &Held, batch: &RecordBatch, conditions: &[&str]) {
    held.load("t", batch);
    same_rows_of(&format!("{}?table=t", held.address), &held.limits(), batch, conditions);
}

/// The same of a table that is there already.
pub(crate) fn same_rows_of(
    address: &str,
    limits: &Limits,
    batch: &RecordBatch,
    conditions: &[&str],
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    write_parquet(&path, batch).unwrap();
    let path = path.to_str().unwrap();
    let source = Source::parse(address).unwrap();
    let there = |rows: RowFilter| {
        // The column that is read is another one.
        let columns = Some(vec!["id".to_owned()]);
        let limits = Limits { columns, rows, ..limits.clone() };
        summarize(&source, &limits).map(|summary| summary.profile)
    };
    let mut counts = Vec::new();
    for condition in conditions {
        let rows = RowFilter { conditions: vec![(*condition).to_owned()], ..RowFilter::default() };
        let expected = here(path, &rows);
        let profile = there(rows).unwrap_or_else(|error| panic!("{condition}: {error}"));
        assert_eq!(profile.rows(), expected, "{address}: {condition}");
        assert_eq!(profile.columns().len(), 1);
        counts.push(expected);
    }
    // Conditions that keep all or nothing would not tell much.
    let telling = counts.iter().filter(|count| (1..batch.num_rows() as u64).contains(count));
    assert!(telling.count() > conditions.len() - 3, "{counts:?}");
    for wrong in ["y = 1", "x = abc", "x >"] {
        let rows = RowFilter { conditions: vec![wrong.to_owned()], ..RowFilter::default() };
        assert!(matches!(there(rows).unwrap_err(), Error::Condition(_)), "{wrong}");
    }
}

#[test]
fn duckdb_keeps_the_same_rows() {
    same_rows(&Held::duckdb(), &day(2000, 0), &[&EVERYWHERE[..], &TYPED].concat());
}

#[test]
fn postgresql_keeps_the_same_rows() {
    let held = Held::postgres();
    // The meaning of a backslash is a setting.
    held.run("alter database held set standard_conforming_strings = off");
    same_rows(&held, &day(2000, 0), &[&EVERYWHERE[..], &TYPED].concat());
    let window = RowFilter {
        time_column: Some("moment".to_owned()),
        since: Some("2025-10-09T08:55:00Z".to_owned()),
        until: Some("2025-10-09T09:30:00Z".to_owned()),
        ..RowFilter::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    write_parquet(&path, &day(2000, 0)).unwrap();
    let source = Source::parse(&format!("{}?table=t", held.address)).unwrap();
    let limits = Limits { rows: window.clone(), ..held.limits() };
    let rows = summarize(&source, &limits).unwrap().profile.rows();
    assert_eq!(rows, here(path.to_str().unwrap(), &window));
    assert!(rows > 100 && rows < 1900, "{rows}");
}

#[test]
fn sqlite_keeps_the_same_rows() {
    // It has no NaN.
    let names = ["gaps", "id", "whole", "small", HOSTILE];
    let conditions: Vec<&str> =
        EVERYWHERE.into_iter().filter(|condition| !condition.contains('x')).collect();
    let batch = only(&day(2000, 0), &names);
    let held = Held::sqlite();
    held.load("t", &batch);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    write_parquet(&path, &batch).unwrap();
    let source = Source::parse(&format!("{}?table=t", held.address)).unwrap();
    assert!(conditions.len() > 6, "{conditions:?}");
    for condition in conditions {
        let rows = RowFilter { conditions: vec![condition.to_owned()], ..RowFilter::default() };
        let limits = Limits { rows: rows.clone(), ..held.limits() };
        let found = summarize(&source, &limits).unwrap().profile.rows();
        assert_eq!(found, here(path.to_str().unwrap(), &rows), "{condition}");
    }
}
