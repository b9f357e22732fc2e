//! Spark, by `cargo xtask spark` and in the long form: a server takes a minute to start and half a gigabyte.

use std::fs::File;

use parquet::arrow::ArrowWriter;
use trainyard_engine::{Limits, Source, summarize, windows};
use trainyard_testkit::spark::{SparkServer, driver, memory_max};

use crate::conditions::{EVERYWHERE, TYPED, same_rows_of};
use crate::same_report::{quantised, same_reports};
use crate::sampled::{MANY, drawn, is_within_what_it_states, same_verdicts};
use crate::tables::{ROWS, day, only};

#[test]
fn spark_gives_the_report_of_its_rows() {
    if ["TRAINYARD_TEST_LONG", "TRAINYARD_TEST_SPARK"].map(std::env::var_os) == [None, None] {
        return;
    }
    let server = SparkServer::start();
    // Times of day it has none, and bytes are read as they are.
    let names = [
        "x",
        "gaps",
        "Continuous",
        "continuous with gaps",
        "id",
        "whole",
        "many",
        "small",
        "single",
        "flag",
        "flag with gaps",
        "price",
        "day",
        "moment",
        "moment in a zone",
        "moment in the east",
        "nothing",
        "bytes",
        crate::tables::HOSTILE,
    ];
    let days = [day(ROWS[0], 0), day(ROWS[1], 3)].map(|day| only(&day, &names));
    let limits = Limits { driver: Some(driver()), ..Limits::default() };
    let engine = ["before", "after"].map(|name| {
        let batch = &days[usize::from(name == "after")];
        let path = server.folder().join(format!("{name}.parquet"));
        let mut writer =
            ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        let query = format!("select * from parquet.`{}`", path.display());
        let source = format!("spark://127.0.0.1:{}?query={query}", server.port());
        summarize(&Source::parse(&source).unwrap(), &limits).unwrap()
    });
    assert_eq!(
        quantised(&engine[0]),
        ["Continuous", "continuous with gaps", "id", "moment", "moment in a zone"]
    );
    assert!(engine[0].told.starts_with("was summed up by Spark 4."), "{}", engine[0].told);
    same_reports(&engine, &days);

    let many = [0, 3].map(|shift| only(&day(MANY, shift), &names));
    let sampled = many.each_ref().map(|batch| {
        let path = server.folder().join("many.parquet");
        let mut writer =
            ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        let port = server.port();
        let source =
            format!("spark://127.0.0.1:{port}?query=select * from parquet.`{}`", path.display());
        let of = || summarize(&Source::parse(&source).unwrap(), &drawn(&limits)).unwrap();
        let summary = of();
        is_within_what_it_states(&summary, batch);
        assert_eq!(of().profile, summary.profile);
        summary
    });
    assert_eq!(sampled[0].sampled.as_ref().unwrap().columns, quantised(&engine[0]));
    same_verdicts(&sampled, &many);

    let none = server.folder().join("none.parquet");
    let few = server.folder().join("few.parquet");
    for (path, batch) in [(&none, days[0].slice(0, 0)), (&few, days[0].slice(0, 2000))] {
        let file = File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
    let of = |path: &std::path::Path| {
        let port = server.port();
        format!("spark://127.0.0.1:{port}?query=select * from parquet.`{}`", path.display())
    };
    let empty = summarize(&Source::parse(&of(&none)).unwrap(), &limits).unwrap().profile;
    assert_eq!((empty.rows(), empty.columns().len()), (0, names.len()));
    let few_rows = days[0].slice(0, 2000);
    same_rows_of(&of(&few), &limits, &few_rows, &[&EVERYWHERE[..], &TYPED].concat());

    // Times with a zone and without one lie in the same hours.
    let moments = "select timestamp '2026-03-29 01:30:00+00:00' as zoned, timestamp_ntz '2026-03-29 02:30:00.25' as plain";
    let source = format!("spark://127.0.0.1:{}?query={moments}", server.port());
    let source = Source::parse(&source).unwrap();
    let hour = 3_600_000;
    let begins = 1_774_742_400_000 / hour;
    for (column, number, since_begin) in
        [("zoned", begins + 1, hour / 2), ("plain", begins + 2, hour / 2 + 250)]
    {
        let found = windows(&source, &limits, column, 0, hour).unwrap().windows;
        assert_eq!(found.len(), 1, "{column}");
        assert_eq!(
            (found[0].number, found[0].rows, found[0].since_begin),
            (number, 1, since_begin)
        );
    }
}

/// 400 million rows of eight doubles are 25 GB, of which Spark makes those that a statement reads and keeps none: two executors with
/// a gigabyte each look at them.
#[test]
fn a_table_larger_than_memory_is_drawn_from() {
    const ROWS: u64 = 400_000_000;
    // A prime, so that each number is as frequent as the others, to one in 400.
    const DIFFERENT: u64 = 1_000_003;
    if ["TRAINYARD_TEST_LONG", "TRAINYARD_TEST_SPARK"].map(std::env::var_os) == [None, None] {
        return;
    }
    let server = SparkServer::start_on("local-cluster[2,1,1024]", &["--driver-memory", "1g"]);
    let limits = Limits { driver: Some(driver()), ..Limits::default() };
    let of = |shift: u64| {
        let column = |index: u64| {
            let factor = 7919 + 2 * index;
            // The last one moves.
            let shift = if index == 7 { shift } else { 0 };
            format!("cast(id * {factor} % {DIFFERENT} + {shift} as double) / 1000 as c{index}")
        };
        let columns: Vec<String> = (0..8).map(column).collect();
        let query = format!("select {} from range({ROWS})", columns.join(", "));
        let source = format!("spark://127.0.0.1:{}?query={query}", server.port());
        summarize(&Source::parse(&source).unwrap(), &limits).unwrap()
    };
    let engine = [of(0), of(200_000)];
    for summary in &engine {
        let sampled = summary.sampled.as_ref().unwrap();
        assert_eq!((sampled.columns.len(), summary.profile.rows()), (8, ROWS));
        for (name, column) in &summary.profile.columns()[..7] {
            assert!(column.is_sample() && column.missing() == 0, "{name}");
            for bound in [1.0, 10.0, 250.0, 500.0, 990.0] {
                let below = column.count_between(0.0, bound) as f64 / column.len() as f64;
                let wrong = (below - bound / 1000.003).abs();
                assert!(wrong <= sampled.rank_error, "{name} below {bound}: {wrong}");
            }
            let end = column.count_between(1000.0015, 1000.0025);
            assert!(end >= 1, "{name}: the largest is of all rows");
        }
    }
    let [before, after] = engine.map(|summary| summary.profile);
    let drift = before.compare(&after, &trainyard_drift::Options::default());
    let drifted: Vec<&str> = drift
        .columns
        .iter()
        .filter(|column| column.verdict().is_some_and(|verdict| verdict.drifted))
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(drifted, ["c7"]);
    let (ours, theirs) = (memory_max("self"), server.memory_max());
    assert!(ours < 1 << 30 && theirs < 4 << 30, "{ours} and {theirs} bytes");
}
