//! Spark, by `cargo xtask spark` and in the long form: a server takes a minute to start and half a gigabyte.

use std::fs::File;

use parquet::arrow::ArrowWriter;
use trainyard_engine::{Limits, Source, summarize, windows};
use trainyard_testkit::spark::{SparkServer, driver};

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
