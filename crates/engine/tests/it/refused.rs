//! What does not leave an engine, does not happen to it, and is said without secrets.

use std::time::Duration;

use trainyard_base::Advise as _;
use trainyard_engine::{Engine, Error, Limits, Source, summarize};
use trainyard_testkit::engines::packaged_driver;

use crate::engines::Held;

#[test]
fn free_text_and_many_labels_stay() {
    let held = Held::duckdb();
    held.run(
        "create table t as select 'n' || i as free, 'l' || (i % 12000) as many, repeat('x', 1001) as long, \
         'l' || (i % 90) as label from range(30000) as r(i)",
    );
    let summary = held.summary("table=t").unwrap();
    let stayed: Vec<&str> = summary.stayed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(stayed, ["free", "many", "long"]);
    assert_eq!(summary.profile.column("label").unwrap().distinct(), 90);
    assert_eq!(summary.profile.column("free").unwrap().distinct(), 0);
    let numbered =
        held.summary("query=select \"label\", row_number() over () as index from t").unwrap();
    assert_eq!(numbered.numbering, ["index"]);
    assert!(numbered.profile.column("index").is_none());
}

#[test]
fn nothing_is_changed_there() {
    for held in [Held::duckdb(), Held::postgres(), Held::sqlite()] {
        held.run("create table t (a integer)");
        for query in [
            "delete from t returning a",
            "insert into t values (1) returning a",
            "select * from t) as s) as q where (select 1) = (1",
        ] {
            let error = held.summary(&format!("query={query}")).unwrap_err();
            assert!(matches!(error, Error::Statement { .. }), "{query}: {error}");
        }
        assert_eq!(held.summary("table=t").unwrap().profile.rows(), 0);
    }
    let held = Held::postgres();
    held.run("create sequence s");
    let error = held.summary("query=select nextval('s') as a").unwrap_err();
    assert!(error.to_string().contains("read-only transaction"), "{error}");
}

#[test]
fn an_engine_has_only_so_long() {
    let seconds = |held: &Held, query: &str| {
        let limits = Limits { time: Duration::from_millis(700), ..held.limits() };
        let source = Source::parse(&format!("{}?query={query}", held.address)).unwrap();
        summarize(&source, &limits).unwrap_err()
    };
    let held = Held::postgres();
    let error = seconds(&held, "select 1 as a from pg_sleep(600)");
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' \
                   AND pid <> pg_backend_pid()";
    assert_eq!(held.server().sql("held", running).trim(), "0");

    let held = Held::duckdb();
    held.run("create table t (a integer)");
    let error = seconds(
        &held,
        "select x.range * y.range % 7 as a from range(10000000) x, range(10000000) y",
    );
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
}

#[test]
fn rows_that_change_between_statements_are_no_result() {
    let held = Held::postgres();
    let query = "query=select (random() * 50)::int as a from generate_series(1, 100 + (random() * 100000)::int)";
    let error = held.summary(query).unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
}

#[test]
fn what_is_not_there_is_named_without_secrets() {
    let driver = Some(packaged_driver("adbc_driver_postgresql"));
    let limits = Limits { driver, ..Limits::default() };
    let closed = trainyard_testkit::free_port();
    for address in [
        format!("postgresql://me:hidden%20word@127.0.0.1:{closed}/db"),
        format!(
            "postgresql://127.0.0.1:{closed}/db?user=me&password=hidden%20word&nonsense=hidden%20word"
        ),
        format!("postgresql://me:hidden word@127.0.0.1:{closed}/db"),
    ] {
        let question = if address.contains('?') { '&' } else { '?' };
        let source = Source::parse(&format!("{address}{question}table=t")).unwrap();
        let error = summarize(&source, &limits).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hidden"), "{text}");
        assert!(matches!(error, Error::Connect { .. }), "{text}");
    }
    let held = Held::duckdb();
    held.run("create table t (a integer)");
    let error = held.summary("table=nothing").unwrap_err();
    assert!(error.to_string().contains("nothing"), "{error}");

    let held_by_server = Held::postgres();
    for held in [&held, &held_by_server] {
        for query in ["select 'hidden word' from nothing", "select 'hidden word' from"] {
            let error = held.summary(&format!("query={query}")).unwrap_err().to_string();
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    let gone = Source::parse("duckdb:///nowhere/a.db?table=t").unwrap();
    let error = summarize(&gone, &held.limits()).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert!(error.hint().is_some());

    let gone_file = Source::parse("sqlite:///nowhere/a.db?table=t").unwrap();
    let limits = Limits { driver: Some(packaged_driver("adbc_driver_sqlite")), ..limits };
    let error = summarize(&gone_file, &limits).unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libduckdb.so");
    std::fs::write(&text, "no library").unwrap();
    let limits = Limits { driver: Some(text), ..Limits::default() };
    let error = summarize(&gone, &limits).unwrap_err();
    assert!(matches!(error, Error::Driver { .. }), "{error}");
    assert_eq!(gone.engine(), Engine::DuckDb);
}
