//! Labels are counted and compared as a file holds them, whatever an engine thinks of their order and equality.

use trainyard_data::RowFilter;
use trainyard_engine::{Error, Limits, Source, summarize};

use crate::engines::Held;

/// Three labels that some collations take for two, and an order that is not the alphabet's.
const ROWS: &str = "insert into t (label, mood) values ('a', 'ok'), ('A', 'sad'), ('b', null)";

fn duckdb() -> Held {
    let held = Held::duckdb();
    held.run("create table t (label varchar collate nocase, mood enum('sad', 'ok'))");
    held
}

fn postgres() -> Held {
    let held = Held::postgres();
    held.run("create type mood as enum ('sad', 'ok')");
    held.run(
        "create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    );
    held.run("create table t (label text collate nocase, mood mood)");
    held
}

fn sqlite() -> Held {
    let held = Held::sqlite();
    held.run("create table t (label text collate nocase, mood text)");
    held
}

#[test]
fn no_collation_makes_one_label_of_two() {
    for held in [duckdb(), postgres(), sqlite()] {
        held.run(ROWS);
        let profile = held.summary("table=t").unwrap().profile;
        let distinct = ["label", "mood"].map(|name| profile.column(name).unwrap().distinct());
        assert_eq!(distinct, [3, 2], "{}", held.address);
        let source = Source::parse(&format!("{}?table=t", held.address)).unwrap();
        for condition in ["label = a", "label < a", "mood = ok", "mood > ok"] {
            let rows = RowFilter { conditions: vec![condition.to_owned()], ..RowFilter::default() };
            let limits = Limits { rows, ..held.limits() };
            let rows = summarize(&source, &limits).unwrap().profile.rows();
            assert_eq!(rows, 1, "{}: {condition}", held.address);
        }
    }
}

#[test]
fn money_is_a_number_and_padding_stays() {
    let held = Held::postgres();
    held.run("create table t (price money, padded char(3))");
    held.run("insert into t values (1.5::numeric::money, 'a'), (250::money, 'b')");
    let profile = held.summary("table=t").unwrap().profile;
    let price = profile.column("price").unwrap();
    assert_eq!((price.count_between(1.5, 1.6), price.count_between(250.0, 251.0)), (1, 1));
    assert_eq!(profile.column("padded").unwrap().distinct(), 2);
}

/// SQLite keeps any bytes as text, and its driver hands them over.
#[test]
fn text_that_is_no_text_is_an_error() {
    let held = Held::sqlite();
    held.run("create table t (label text)");
    held.run("insert into t values (cast(x'ff41' as text)), ('a')");
    let error = held.summary("table=t").unwrap_err();
    assert!(matches!(error, Error::Statement { .. }), "{error}");
    assert!(error.to_string().contains("UTF-8") || error.to_string().contains("UTF8"), "{error}");
}
