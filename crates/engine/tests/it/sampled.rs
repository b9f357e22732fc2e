//! Of large tables an engine draws rows: what it then says is within what it states, and what needs no sort is that of all rows.

use arrow_array::RecordBatch;
use trainyard_drift::{ColumnDrift, Options, Profile};
use trainyard_engine::{Limits, Sample, Source, Summary, summarize};

use crate::engines::Held;
use crate::tables::{day, only};

/// Six times as many as are drawn.
pub(crate) const MANY: i64 = 60_000;

const DRAWN: u64 = 10_000;

/// How far scores of two samples may be from those of all rows, here: twice what a rank may be wrong is 0.04.
const SCORE_TOLERANCE: f64 = 0.05;

/// Columns with more values than are counted, with what some of their numbers lie between; of times in microseconds.
const CONTINUOUS: [(&str, [f64; 2]); 6] = [
    ("Continuous", [0.0, 110.0]),
    ("continuous with gaps", [0.0, 9.4]),
    ("id", [0.0, 180_000.0]),
    ("moment", [1.76e15, 1.76e15 + 5e9]),
    ("moment in a zone", [1.76e15, 1.76e15 + 1.2e10]),
    ("clock", [0.0, 1.2e10]),
];

pub(crate) fn drawn(limits: &Limits) -> Limits {
    Limits { sample: Sample::Rows(DRAWN), ..limits.clone() }
}

/// Holds what an engine says of rows that it drew to all of them.
pub(crate) fn is_within_what_it_states(summary: &Summary, rows: &RecordBatch) {
    let sampled = summary.sampled.as_ref().unwrap();
    let all = Profile::new(rows);
    assert_eq!((sampled.rows, summary.profile.rows()), (DRAWN, rows.num_rows() as u64));
    assert!(sampled.rank_error > 0.015 && sampled.rank_error < 0.025, "{sampled:?}");
    for (name, column) in summary.profile.columns() {
        let exact = all.column(name).unwrap();
        let known = |it: &trainyard_drift::Column| (it.rows(), it.missing(), it.infinite());
        assert_eq!(known(column), known(exact), "{name}");
        assert_eq!(column.is_sample(), sampled.columns.contains(name), "{name}");
        if !column.is_sample() {
            assert_eq!(
                (column.len(), column.distinct()),
                (exact.len(), exact.distinct()),
                "{name}"
            );
            continue;
        }
        assert!(column.len() >= sampled.values_min && column.len() < 11_000, "{name}");
        let [low, high] = CONTINUOUS.iter().find(|(other, _)| other == name).unwrap().1;
        let below = |column: &trainyard_drift::Column, bound: f64| {
            column.count_between(f64::NEG_INFINITY, bound) as f64 / column.len() as f64
        };
        assert!(below(exact, f64::midpoint(low, high)) > 0.001, "{name}");
        for part in 1..200 {
            let bound = low + (high - low) * f64::from(part) / 200.0;
            let wrong = (below(column, bound) - below(exact, bound)).abs();
            assert!(wrong <= sampled.rank_error, "{name} at {bound}: {wrong}");
        }
        // The ends are those of all rows: below the smallest is nothing, and a hair above it is something, of both.
        let first = |column: &trainyard_drift::Column| smallest(column, low - 1.0, high);
        assert!((first(column) - first(exact)).abs() <= f64::EPSILON * high, "{name}");
    }
}

/// The smallest value, found by halves.
fn smallest(column: &trainyard_drift::Column, mut below: f64, mut above: f64) -> f64 {
    for _ in 0..200 {
        let middle = f64::midpoint(below, above);
        if column.count_between(f64::NEG_INFINITY, middle) > 0 {
            above = middle;
        } else {
            below = middle;
        }
    }
    above
}

/// Two days in an engine, one as a table and one as a query, and what both say of drift there and here.
fn holds(held: &Held, names: &[&str], does_repeat: bool) {
    let days = [day(MANY, 0), day(MANY, 3)].map(|day| only(&day, names));
    held.load("before", &days[0]);
    held.load("after", &days[1]);
    let limits = drawn(&held.limits());
    let of = |asked: &str| {
        let source = Source::parse(&format!("{}?{asked}", held.address)).unwrap();
        summarize(&source, &limits).unwrap_or_else(|error| panic!("{}: {error}", held.address))
    };
    let asked = ["table=before", "query=select * from after where 1 = 1 -- all"];
    let engine = asked.map(of);
    for (summary, day) in engine.iter().zip(&days) {
        is_within_what_it_states(summary, day);
        let wanted = CONTINUOUS.iter().map(|(name, _)| *name).filter(|name| names.contains(name));
        assert_eq!(summary.sampled.as_ref().unwrap().columns, wanted.collect::<Vec<_>>());
    }
    same_verdicts(&engine, &days);
    if does_repeat {
        assert_eq!(of(asked[0]).profile, engine[0].profile, "{}", held.address);
        assert_eq!(of(asked[1]).profile, engine[1].profile, "{}", held.address);
    }
    // Nothing is drawn of what is small, or where nobody wants it.
    let exact = held.summary(asked[0]).unwrap();
    assert!(exact.sampled.is_none() && !exact.quantised.is_empty());
}

/// The same columns drift.
pub(crate) fn same_verdicts(engine: &[Summary; 2], here: &[RecordBatch; 2]) {
    let exact = here.each_ref().map(Profile::new);
    let options = exact[0].pinned(&Options::default());
    let by_rows = exact[0].compare(&exact[1], &options);
    let by_sample = engine[0].profile.compare(&engine[1].profile, &options);
    let told =
        |column: &ColumnDrift| column.verdict().map(|verdict| (verdict.method, verdict.drifted));
    for (expected, found) in by_rows.columns.iter().zip(&by_sample.columns) {
        assert_eq!((&found.name, told(found)), (&expected.name, told(expected)));
        let score = |column: &ColumnDrift| column.verdict().map_or(0.0, |verdict| verdict.score);
        let apart = (score(found) - score(expected)).abs();
        assert!(apart <= SCORE_TOLERANCE, "{}: {apart}", found.name);
    }
    assert_eq!(by_sample.verdict(), by_rows.verdict());
}

/// Columns of all types, beside those with few values.
const NAMES: [&str; 14] = [
    "x",
    "gaps",
    "Continuous",
    "continuous with gaps",
    "id",
    "whole",
    "single",
    "flag",
    "price",
    "day",
    "moment",
    "moment in a zone",
    "clock",
    crate::tables::HOSTILE,
];

#[test]
fn duckdb_draws_rows() {
    holds(&Held::duckdb(), &NAMES, true);
}

#[test]
fn postgresql_draws_rows() {
    holds(&Held::postgres(), &NAMES, true);
}

#[test]
fn sqlite_draws_rows() {
    let names = ["x", "gaps", "Continuous", "continuous with gaps", "id", "whole"];
    holds(&Held::sqlite(), &names, false);
}

/// Of a column with values in few rows the sample would hold next to none.
#[test]
fn a_column_with_few_values_is_sorted_as_a_whole() {
    let held = Held::duckdb();
    held.run(
        "create table t as select i / 7.0 as many, case when i % 15 = 0 then i end as seldom, i % 3 as few \
         from range(300000) as r(i)",
    );
    let source = Source::parse(&format!("{}?table=t", held.address)).unwrap();
    let summary = summarize(&source, &drawn(&held.limits())).unwrap();
    assert_eq!(summary.quantised, ["many", "seldom"]);
    assert_eq!(summary.sampled.unwrap().columns, ["many"]);
    let seldom = summary.profile.column("seldom").unwrap();
    assert_eq!((seldom.is_sample(), seldom.len(), seldom.missing()), (false, 20_000, 280_000));
    assert_eq!(summary.profile.column("few").unwrap().distinct(), 3);
}
