//! What stands behind Flight SQL and Snowflake's protocol: DataFusion, and DuckDB behind a translation of Snowflake's SQL.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array as _, ArrayRef, Float64Array, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use trainyard_engine::{Error, Limits, Source, Summary, summarize, windows};
use trainyard_testkit::run_python;
use trainyard_testkit::warehouses::{WarehouseServer, warehouse_driver};

use crate::conditions::{EVERYWHERE, TYPED, same_rows_of};
use crate::engines::Held;
use crate::same_report::{quantised, same_reports};
use crate::sampled::{MANY, drawn, is_within_what_it_states};
use crate::tables::{ROWS, day, without};

/// Writes Parquet files anew: ROAPI's reader is older than the writer here, and takes its files for damaged ones.
const WRITE_ANEW: &str = "
import pathlib, sys
import pyarrow.parquet as pq
for path in pathlib.Path(sys.argv[1]).iterdir():
    pq.write_table(pq.read_table(path), path)
";

fn write(folder: &Path, name: &str, batch: &RecordBatch) -> PathBuf {
    let path = folder.join(format!("{name}.parquet"));
    let mut writer =
        ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    path
}

fn limits(package: &str) -> Limits {
    Limits { driver: Some(warehouse_driver(package)), ..Limits::default() }
}

fn summary(source: &str, limits: &Limits) -> Summary {
    summarize(&Source::parse(source).unwrap(), limits).unwrap_or_else(|error| panic!("{error}"))
}

/// The rows are in the windows of their times.
pub(crate) fn same_windows(source: &str, limits: &Limits, batch: &RecordBatch) {
    let source = Source::parse(source).unwrap();
    let length = 3_600_000;
    for name in ["moment", "moment in a zone"] {
        let found = windows(&source, limits, name, 0, length).unwrap();
        let times = batch.column_by_name(name).unwrap();
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let mut expected = BTreeMap::new();
        for time in times.iter().flatten() {
            *expected.entry(time.div_euclid(1000 * length)).or_insert(0_u64) += 1;
        }
        let rows: BTreeMap<i64, u64> =
            found.windows.iter().map(|one| (one.number, one.rows)).collect();
        assert!(rows.len() > 1, "{name}: {rows:?}");
        assert_eq!((rows, found.untimed), (expected, times.null_count() as u64), "{name}");
    }
}

#[test]
fn flight_sql_gives_the_report_of_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let days = [day(ROWS[0], 0), day(ROWS[1], 3)];
    let paths = [("before", &days[0]), ("after", &days[1])]
        .map(|(name, batch)| (name, write(folder.path(), name, batch)));
    let few = day(2000, 0);
    let few_path = write(folder.path(), "few", &few);
    let none = write(folder.path(), "none", &day(0, 0));
    let signs = vec![-f64::NAN, f64::NAN, -0.0, 0.0, 1.5, -1.5];
    let odd: [(&str, ArrayRef); 2] = [
        ("x", Arc::new(Float64Array::from(signs))),
        ("id", Arc::new(Int64Array::from(vec![0, 1, 2, 3, 4, 5]))),
    ];
    let odd = RecordBatch::try_from_iter(odd).unwrap();
    let odd_path = write(folder.path(), "odd", &odd);
    let many = day(MANY, 0);
    let many_path = write(folder.path(), "many", &many);
    let tables = [
        ("odd", odd_path.as_path()),
        ("many", many_path.as_path()),
        (paths[0].0, paths[0].1.as_path()),
        (paths[1].0, paths[1].1.as_path()),
        ("few", few_path.as_path()),
        ("none", none.as_path()),
    ];
    run_python(WRITE_ANEW, &[folder.path().to_str().unwrap()], &[]);
    let server = WarehouseServer::flight_sql(&tables);
    let address = format!("grpc://127.0.0.1:{}", server.port());
    let limits = limits("adbc_driver_flightsql");
    let engine = [
        summary(&format!("{address}?table=before"), &limits),
        summary(&format!("{address}?query=select * from \"after\" -- all of it"), &limits),
    ];
    let continuous =
        ["Continuous", "continuous with gaps", "id", "moment", "moment in a zone", "clock"];
    assert_eq!(quantised(&engine[0]), continuous);
    let told = "was summed up by a Flight SQL server (Apache DataFusion ";
    assert!(engine[0].told.starts_with(told), "{}", engine[0].told);
    same_reports(&engine, &days);
    same_rows_of(
        &format!("{address}?table=few"),
        &limits,
        &few,
        &[&EVERYWHERE[..], &TYPED].concat(),
    );
    same_windows(&format!("{address}?table=few"), &limits, &few);
    // DataFusion has an order of all doubles, with -NaN before and NaN behind the others, and -0 before 0.
    let signs = ["x < 2", "not x < 2", "x >= 0", "x <= -0.0", "x != 0"];
    same_rows_of(&format!("{address}?table=odd"), &limits, &odd, &signs);
    let odd = summary(&format!("{address}?table=odd"), &limits).profile;
    let x = odd.column("x").unwrap();
    assert_eq!((x.rows(), x.missing(), x.distinct()), (6, 2, 3));
    let none = summary(&format!("{address}?table=none"), &limits).profile;
    assert_eq!((none.rows(), none.columns().len()), (0, day(0, 0).num_columns()));
    let drawn = summary(&format!("{address}?query=select * from many"), &drawn(&limits));
    assert_eq!(drawn.sampled.as_ref().unwrap().columns, continuous);
    is_within_what_it_states(&drawn, &many);
    let query = "query=delete from few returning id";
    let source = Source::parse(&format!("{address}?{query}")).unwrap();
    assert!(matches!(summarize(&source, &limits).unwrap_err(), Error::Statement { .. }));
}

#[test]
fn snowflakes_statements_give_the_report_of_its_rows() {
    let held = Held::duckdb_named("DB1.db");
    // What DuckDB knows and Snowflake, or what stands for it, does not.
    let columns = ["clock", "bytes", "single"];
    let days = [day(ROWS[0], 0), day(ROWS[1], 3)].map(|day| without(&day, &columns));
    let few = without(&day(2000, 0), &columns);
    held.load("before", &days[0]);
    held.load("after", &days[1]);
    held.load("few", &few);
    let many = without(&day(MANY, 0), &columns);
    held.load("many", &many);
    held.load("none", &without(&day(0, 0), &columns));
    for name in ["before", "after", "few", "many", "none"] {
        held.run(&format!("alter table {name} alter column small type bigint"));
    }
    let server = WarehouseServer::snowflake(held.folder.path());
    let address = format!(
        "snowflake://fake:snow@fakesnow/DB1/main?adbc.snowflake.sql.uri.protocol=http&adbc.snowflake.sql.uri.host=127.0.0.1\
         &adbc.snowflake.sql.uri.port={}",
        server.port()
    );
    let limits = limits("adbc_driver_snowflake");
    let of = |table: &str| summary(&format!("{address}&table={table}"), &limits);
    let engine = [of("before"), of("after")];
    let continuous = ["Continuous", "continuous with gaps", "id", "moment", "moment in a zone"];
    assert_eq!(quantised(&engine[0]), continuous);
    assert!(engine[0].told.starts_with("was summed up by Snowflake "), "{}", engine[0].told);
    assert!(!engine[0].told.contains("snow@"), "{}", engine[0].told);
    same_reports(&engine, &days);
    let typed: Vec<&str> = TYPED.into_iter().filter(|one| !one.contains("single")).collect();
    same_rows_of(
        &format!("{address}&table=few"),
        &limits,
        &few,
        &[&EVERYWHERE[..], &typed[..]].concat(),
    );
    same_windows(&format!("{address}&table=few"), &limits, &few);
    // What is a microsecond before an hour is in the hour before.
    let edge = "query=select to_timestamp_ntz('2025-12-31 23:59:59.999999') as \"at\"";
    let source = Source::parse(&format!("{address}&{edge}")).unwrap();
    let found = windows(&source, &limits, "at", 0, 3_600_000).unwrap().windows;
    assert_eq!((found.len(), found[0].number, found[0].since_begin), (1, 490_895, 3_599_999));
    let drawn = summary(&format!("{address}&table=many"), &drawn(&limits));
    assert_eq!(drawn.sampled.as_ref().unwrap().columns, continuous);
    is_within_what_it_states(&drawn, &many);
    assert_eq!(of("none").profile.rows(), 0);
}
