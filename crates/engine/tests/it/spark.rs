//! Spark, in the long form: a server takes a minute to start and half a gigabyte.

use std::fs::File;

use parquet::arrow::ArrowWriter;
use trainyard_engine::{Limits, Source, summarize};
use trainyard_testkit::spark::{SparkServer, driver};

use crate::same_report::{quantised, same_reports};
use crate::tables::{ROWS, day, only};

#[test]
fn spark_gives_the_report_of_its_rows() {
    if std::env::var_os("TRAINYARD_TEST_LONG").is_none() {
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
        ["Continuous", "continuous with gaps", "id", "moment in a zone"]
    );
    assert!(engine[0].told.starts_with("was summed up by Spark 4."), "{}", engine[0].told);
    same_reports(&engine, &days);
}
