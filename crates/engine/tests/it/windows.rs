//! Rows are counted by windows of time in an engine as they are here, whatever its own time zone.

use trainyard_engine::{Error, Limits, Source, Windowed, Windows, windows};

use crate::engines::Held;

const HOUR: i64 = 3_600_000;

/// Times of rows before and after 1970, within a window and at its edges.
const TIMES: [&str; 5] = [
    "1969-12-31 23:59:59.999",
    "1970-01-01 00:00:00",
    "2026-03-29 01:59:59.999",
    "2026-03-29 02:00:00",
    "2026-03-29 02:30:00.25",
];

/// Puts them into a table, without a zone and in one, and two rows without a time.
fn fill(held: &Held) {
    held.run("create table t (plain timestamp, zoned timestamptz, a integer)");
    let rows = TIMES.map(|time| format!("(timestamp '{time}', timestamptz '{time}+00', 1)"));
    let none = "(null, null, 1), (null, null, 1)";
    held.run(&format!("insert into t values {}, {none}", rows.join(", ")));
}

fn counted(
    held: &Held,
    asked: &str,
    column: &str,
    base: i64,
    length: i64,
) -> trainyard_engine::Result<Windows> {
    let source = Source::parse(&format!("{}?{asked}", held.address)).unwrap();
    windows(&source, &held.limits(), column, base, length)
}

#[test]
fn rows_are_counted_by_window() {
    let postgres = Held::postgres();
    // There is no half past two on that day.
    postgres.run("alter database held set timezone = 'Europe/Berlin'");
    for held in [Held::duckdb(), postgres] {
        fill(&held);
        let found = counted(&held, "table=t", "plain", 0, HOUR).unwrap();
        let spring = 1_774_742_400_000 / HOUR;
        let one = |number: i64, rows: u64, since_begin: i64| Windowed { number, rows, since_begin };
        let expected = vec![
            one(-1, 1, HOUR - 1),
            one(0, 1, 0),
            one(spring + 1, 1, HOUR - 1),
            one(spring + 2, 2, 1_800_250),
        ];
        assert_eq!(found.windows, expected, "{}", held.address);
        assert_eq!((found.untimed, found.columns.join(" ")), (2, "plain zoned a".to_owned()));

        let moved = counted(&held, "table=t", "plain", HOUR / 2, HOUR).unwrap();
        assert_eq!(moved.windows.iter().map(|one| one.rows).collect::<Vec<_>>(), [2, 2, 1]);
        let zoned = counted(&held, "table=t", "zoned", 0, HOUR).unwrap();
        assert_eq!(zoned.windows, found.windows, "{}", held.address);
        let query = "query=select cast(plain as date) as day from t";
        let days = counted(&held, query, "day", 0, 24 * HOUR).unwrap();
        let days: Vec<(i64, u64)> = days.windows.iter().map(|one| (one.number, one.rows)).collect();
        assert_eq!(days, [(-1, 1), (0, 1), (spring / 24, 3)]);

        for (column, reason) in [("a", "it holds no times"), ("b", "there is no such column")] {
            let error = counted(&held, "table=t", column, 0, HOUR).unwrap_err();
            assert!(matches!(error, Error::Time { .. }), "{error}");
            assert!(error.to_string().contains(reason), "{error}");
        }
        let many = "query=select timestamp '2026-01-01' + a * interval '1 hour' as plain from \
                    (select * from generate_series(1, 20001) as r(a)) as q";
        let error = counted(&held, many, "plain", 0, HOUR).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    }
}

#[test]
fn only_the_rows_that_are_asked_for_are_counted() {
    let held = Held::duckdb();
    fill(&held);
    let source = Source::parse(&format!("{}?table=t", held.address)).unwrap();
    let rows = trainyard_data::RowFilter {
        time_column: Some("plain".to_owned()),
        since: Some("2026-03-29T02:00:00Z".to_owned()),
        ..trainyard_data::RowFilter::default()
    };
    let limits = Limits { rows, columns: Some(vec!["plain".to_owned()]), ..held.limits() };
    let found = windows(&source, &limits, "plain", 0, HOUR).unwrap();
    assert_eq!((found.windows.len(), found.windows[0].rows, found.untimed), (1, 2, 0));
    assert_eq!(found.columns, ["plain"]);
}

#[test]
fn times_that_are_text_are_refused() {
    let held = Held::sqlite();
    held.run("create table t (plain text)");
    held.run("insert into t values ('2026-01-01')");
    let error = counted(&held, "table=t", "plain", 0, HOUR).unwrap_err();
    assert!(error.to_string().contains("it holds no times"), "{error}");
}
