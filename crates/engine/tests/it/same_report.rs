//! The report of an engine's tables is that of the same rows here.

use arrow_array::RecordBatch;
use trainyard_drift::{ColumnDrift, Options, Profile, Side, Status};
use trainyard_engine::{POINTS, Summary};

use crate::engines::Held;
use crate::tables::{HOSTILE, ROWS, day, only};

/// How far scores may differ: sums of the same numbers in another order.
const SCORE_TOLERANCE: f64 = 1e-9;
/// How far scores of quantiles may differ from those of all values, here: ranks are right to 1 in 10,000.
const QUANTILES_TOLERANCE: f64 = 1e-3;

fn days() -> [RecordBatch; 2] {
    [day(ROWS[0], 0), day(ROWS[1], 3)]
}

/// What can be told of a column without its type's name, beside its score.
fn told(column: &ColumnDrift) -> String {
    let side = |side: &Option<Side>| {
        side.as_ref().map(|s| (s.rows, s.missing, s.infinite, s.values, s.distinct))
    };
    let status = match &column.status {
        Status::Tested(verdict) => format!("{} {}", verdict.method, verdict.drifted),
        Status::Skipped(_) => "skipped".to_owned(),
        Status::Failed(reason) => reason.clone(),
    };
    format!("{:?} {status} {:?} {:?}", column.kind, side(&column.reference), side(&column.current))
}

fn score(column: &ColumnDrift) -> f64 {
    column.verdict().map_or(0.0, |verdict| verdict.score)
}

/// Compares the reports of both sides in an engine, here, and one in either.
pub(crate) fn same_reports(engine: &[Summary; 2], here: &[RecordBatch; 2]) {
    let exact = here.each_ref().map(Profile::new);
    let short = exact.each_ref().map(|profile| profile.quantised(POINTS));
    let [before, after] = engine.each_ref().map(|summary| &summary.profile);
    let options = exact[0].pinned(&Options::default());
    let by_quantiles = short[0].compare(&short[1], &options);
    let by_rows = exact[0].compare(&exact[1], &options);
    assert!(by_rows.drifted > 0 && by_rows.drifted < by_rows.tested, "{}", by_rows.drifted);
    for (sides, drift) in [
        ("both in the engine", before.compare(after, &options)),
        ("the reference in the engine", before.compare(&short[1], &options)),
        ("current in the engine", short[0].compare(after, &options)),
    ] {
        assert_eq!(drift.columns.len(), by_quantiles.columns.len());
        let find = |all: &[ColumnDrift], name: &str| {
            all.iter().find(|column| column.name == name).unwrap().clone()
        };
        for column in &drift.columns {
            let name = &column.name;
            let expected = find(&by_quantiles.columns, name);
            assert_eq!(told(column), told(&expected), "{sides}: {name:?}");
            let (found, expected) = (score(column), score(&expected));
            assert!(
                (found - expected).abs() <= SCORE_TOLERANCE * expected.abs().max(1.0),
                "{sides}: {name:?} has {found}, not {expected}"
            );
            let rows = find(&by_rows.columns, name);
            let drifted = |column: &ColumnDrift| column.verdict().map(|verdict| verdict.drifted);
            assert_eq!(drifted(column), drifted(&rows), "{sides}: {name:?}");
            assert!(
                (found - score(&rows)).abs() <= QUANTILES_TOLERANCE,
                "{sides}: {name:?} has {found} by quantiles and {} by rows",
                score(&rows)
            );
        }
        assert_eq!(drift.verdict(), by_rows.verdict(), "{sides}");
    }
}

pub(crate) fn quantised(summary: &Summary) -> Vec<&str> {
    summary.quantised.iter().map(String::as_str).collect()
}

#[test]
fn duckdb_gives_the_report_of_its_rows() {
    let held = Held::duckdb();
    let days = days();
    held.load("before", &days[0]);
    held.load("T\"; drop table before; --", &days[1]);
    let engine = [
        held.summary("table=before").unwrap(),
        held.summary("table=main.\"T\"\"; drop table before; --\"").unwrap(),
    ];
    assert_eq!(
        quantised(&engine[0]),
        ["Continuous", "continuous with gaps", "id", "moment", "moment in a zone", "clock"]
    );
    assert!(engine[0].stayed.is_empty(), "{:?}", engine[0].stayed);
    assert!(engine[0].told.starts_with("was summed up by DuckDB v"), "{}", engine[0].told);
    same_reports(&engine, &days);
}

#[test]
fn postgresql_gives_the_report_of_its_rows() {
    let held = Held::postgres();
    let days = days();
    held.load("before", &days[0]);
    held.load("After", &days[1]);
    // What the driver makes has no fixed digits.
    held.run("alter table before alter column price type numeric(10, 2)");
    held.run("alter table \"After\" alter column price type numeric(10, 2)");
    let engine = [
        held.summary("table=public.before").unwrap(),
        held.summary("query=select * from \"After\" -- all of it").unwrap(),
    ];
    assert_eq!(
        quantised(&engine[1]),
        ["Continuous", "continuous with gaps", "id", "moment in a zone", "clock"]
    );
    assert!(engine[0].told.contains("PostgreSQL "), "{}", engine[0].told);
    same_reports(&engine, &days);

    let numeric = held.summary("query=select price::numeric as price from before").unwrap();
    let prices = numeric.profile.column("price").unwrap();
    let same = only(&days[0], &["price"]);
    assert_eq!(prices.distinct(), Profile::new(&same).column("price").unwrap().distinct());
    let endless = "query=select timestamp 'infinity' as t, 'NaN'::numeric as n, '{}'::json as j";
    let endless = held.summary(endless).unwrap().profile;
    let missing = |name: &str| endless.column(name).unwrap().missing();
    assert_eq!(["t", "n", "j"].map(missing), [1, 1, 0]);
}

#[test]
fn sqlite_gives_the_report_of_its_rows() {
    let held = Held::sqlite();
    let names =
        ["x", "gaps", "Continuous", "continuous with gaps", "id", "whole", "small", HOSTILE];
    let days = days().map(|day| only(&day, &names));
    held.load("before", &days[0]);
    held.load("after", &days[1]);
    let engine = ["table=before", "table=after"].map(|table| held.summary(table).unwrap());
    assert_eq!(quantised(&engine[0]), ["Continuous", "continuous with gaps", "id"]);
    same_reports(&engine, &days);
}

#[test]
fn an_empty_table_has_columns_and_no_rows() {
    for held in [Held::duckdb(), Held::postgres(), Held::sqlite()] {
        held.run("create table t (a integer, b double precision, c varchar(9))");
        let summary = held.summary("table=t").unwrap();
        assert_eq!((summary.profile.rows(), summary.profile.columns().len()), (0, 3));
        let column = summary.profile.column("c").unwrap();
        assert_eq!((column.rows(), column.missing()), (0, 0), "{}", held.address);
    }
}

#[test]
fn only_the_columns_that_are_asked_for_are_read() {
    let held = Held::duckdb();
    held.run("create table t as select 1 as a, 'x' as b, 2.5::double as c");
    let names = vec!["c".to_owned(), "z".to_owned()];
    let limits = trainyard_engine::Limits { columns: Some(names), ..held.limits() };
    let source = format!("{}?table=t", held.address);
    let source = trainyard_engine::Source::parse(&source).unwrap();
    let summary = trainyard_engine::summarize(&source, &limits).unwrap();
    let names: Vec<&str> =
        summary.profile.columns().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, summary.profile.rows()), (vec!["c"], 1));
}

/// Of columns with many values the first rows tell that they are many; what they do not tell is counted.
#[test]
fn many_values_are_known_by_the_first_rows_and_few_by_all() {
    let columns = "i / 7.0 as many, case when i < 70000 then 1 else i end as late, i % 90 as few, \
                   'n' || (i % 50000) as texts, 'l' || (i % 40) as label, i as index, \
                   case when i % 3 = 0 then null else i end as gaps";
    for (held, rows) in [
        (Held::duckdb(), "range(120000) as r(i)"),
        (Held::postgres(), "generate_series(0, 119999) as r(i)"),
    ] {
        held.run(&format!("create table t as select {columns} from {rows}"));
        let summary = held.summary("table=t").unwrap();
        assert_eq!(quantised(&summary), ["many", "late", "gaps"], "{}", held.address);
        assert_eq!(summary.numbering, ["index"]);
        let stayed = &summary.stayed[0];
        assert_eq!((summary.stayed.len(), stayed.0.as_str()), (1, "texts"));
        assert!(stayed.1.contains("more than 10000 different texts"), "{}", stayed.1);
        let distinct = |name: &str| summary.profile.column(name).unwrap().distinct();
        assert_eq!((distinct("few"), distinct("label")), (90, 40));
        let late = summary.profile.column("late").unwrap();
        // A point stands for 12 values, and the one at the edge is no longer 1.
        assert_eq!((late.rows(), late.count_between(0.5, 1.5)), (120_000, 69_996));
        let gaps = summary.profile.column("gaps").unwrap();
        assert_eq!((gaps.missing(), gaps.count_between(119_998.5, 119_999.5)), (40_000, 8));
    }
}

/// One of them would end a statement of PostgreSQL, and with it the look at all columns.
#[test]
fn numbers_beyond_double_precision_are_infinite_and_those_below_are_none() {
    let held = Held::postgres();
    let values = "('1e400'), ('-1e400'), ('1e-400'), ('-1e-400'), ('NaN'), (null), ('1.7976931348623157e308'), ('2.5'), \
                  ('Infinity')";
    held.run(&format!(
        "create table t as select v::numeric as n, 1 as a from (values {values}) as q(v)"
    ));
    let summary = held.summary("table=t").unwrap();
    let column = summary.profile.column("n").unwrap();
    assert_eq!((column.rows(), column.missing(), column.infinite()), (9, 2, 3));
    let found = [(-1.0, 1.0), (2.0, 3.0), (1e308, f64::INFINITY)];
    assert_eq!(found.map(|(from, to)| column.count_between(from, to)), [2, 1, 1]);
    assert_eq!(summary.profile.column("a").unwrap().rows(), 9);
}

/// Names that differ in nothing but capital letters are two columns where the engine has two.
#[test]
fn capital_letters_count() {
    for held in [Held::duckdb(), Held::postgres()] {
        held.run("create table \"Tab\" (\"Amount\" integer, \"CITY\" varchar(9), plain integer)");
        held.run("insert into \"Tab\" values (1, 'Rome', 3), (2, 'rome', 3)");
        let profile = held.summary("table=Tab").unwrap().profile;
        let distinct = |name: &str| profile.column(name).map(trainyard_drift::Column::distinct);
        assert_eq!(["Amount", "CITY", "plain"].map(distinct), [Some(2), Some(2), Some(1)]);
        assert_eq!(distinct("amount"), None, "{}", held.address);
    }
    let held = Held::postgres();
    held.run("create table t (x integer, \"X\" integer)");
    held.run("insert into t values (1, 7), (1, 8)");
    let profile = held.summary("table=t").unwrap().profile;
    let distinct = |name: &str| profile.column(name).unwrap().distinct();
    assert_eq!((distinct("x"), distinct("X")), (1, 2));
}
