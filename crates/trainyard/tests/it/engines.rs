//! `trainyard monitor` and `trainyard profile` on tables that lie in engines.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use trainyard_testkit::engines::{duckdb_library, packages};
use trainyard_testkit::{free_port, run_python};

use crate::project::{stdout_of, trainyard};

/// Rows in which `x` and the labels of `town` move by `shift`.
fn write(path: &Path, rows: usize, shift: f64) {
    let mut text = String::from("x,n,town,day\n");
    for row in 0..rows {
        let x = (row * 7919 % 1009) as f64 / 1009.0 + shift;
        let town = if shift > 0.0 && row % 10 == 0 { 9 } else { row % 8 };
        writeln!(text, "{x},{},t{town},2026-02-{:02}", row % 4, 1 + row * 28 / rows).unwrap();
    }
    std::fs::write(path, text).unwrap();
}

/// A folder with both sides as CSV files.
struct Sides(tempfile::TempDir);

impl Sides {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("before.csv"), 2000, 0.0);
        write(&folder.path().join("after.csv"), 1500, 0.5);
        Self(folder)
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = trainyard();
        command.current_dir(self.0.path()).args(arguments);
        command.envs(environment.iter().copied()).output().unwrap()
    }

    fn monitor(&self, reference: &str, current: &str, further: &[&str]) -> Value {
        let mut arguments =
            vec!["monitor", "--reference", reference, "--current", current, "--json"];
        arguments.extend_from_slice(further);
        let library = duckdb_library();
        let library = [("TRAINYARD_ENGINE_DRIVER", library.to_str().unwrap())];
        serde_json::from_str(&stdout_of(&self.run(&arguments, &library), 0)).unwrap()
    }
}

/// What was found of a column, the score apart.
fn test<'a>(result: &'a Value, name: &str) -> (&'a Value, &'a Value, f64) {
    let columns = result["columns"].as_array().unwrap();
    let column = columns.iter().find(|column| column["name"] == name).unwrap();
    let test = &column["test"];
    (&test["method"], &test["drifted"], test["score"].as_f64().unwrap())
}

#[test]
fn files_give_one_report_whoever_reads_them() {
    let sides = Sides::new();
    let here = sides.monitor("before.csv", "after.csv", &[]);
    let [before, after] =
        ["before", "after"].map(|name| format!("?query=select * from '{name}.csv'"));
    let both = sides.monitor(&before, &after, &["--engine", "duckdb://"]);
    let one = sides.monitor("before.csv", &format!("duckdb://{after}"), &[]);
    let profile = ["profile", &before, "--engine", "duckdb://", "-o", "before.profile"];
    let library = duckdb_library();
    let driver = [("TRAINYARD_ENGINE_DRIVER", library.to_str().unwrap())];
    let written = sides.run(&profile, &driver);
    assert!(stdout_of(&written, 0).contains("2000 rows, 4 columns"));
    let by_profile = sides.monitor("before.profile", "after.csv", &[]);
    for there in [&both, &one, &by_profile] {
        for name in ["x", "n", "town", "day"] {
            let (expected, found) = (test(&here, name), test(there, name));
            assert_eq!((found.0, found.1), (expected.0, expected.1), "{name}");
            assert!((found.2 - expected.2).abs() < 1e-9, "{name}: {} and {}", found.2, expected.2);
        }
    }
    let told: Vec<&str> = both["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|finding| finding["message"].as_str())
        .filter(|message| message.contains("was summed up by DuckDB v"))
        .collect();
    assert_eq!(told.len(), 2, "{}", both["findings"]);
    assert!(!both.to_string().contains("select *"), "{both}");
}

/// Whoever reads a report of rows that were drawn is told so, and of how many; so is who reads one of a profile of these.
#[test]
fn a_report_says_that_rows_were_drawn() {
    let sides = Sides::new();
    let side = |shift: &str| {
        format!(
            "duckdb://?query=select i, i * 7919 % 60013 / 600.0 + {shift} as x, i % 4 as n from range(60000) as r(i)"
        )
    };
    let sample = ["--engine-sample", "10000"];
    let told = |result: &Value| {
        let findings = result["findings"].as_array().unwrap().iter();
        let messages = findings.filter_map(|finding| finding["message"].as_str());
        messages.filter(|message| message.contains("sample")).map(str::to_owned).collect::<Vec<_>>()
    };
    for (shift, drifted) in [("0", false), ("50", true)] {
        let drawn = sides.monitor(&side("0"), &side(shift), &sample);
        let all = sides.monitor(&side("0"), &side(shift), &["--engine-sample", "off"]);
        for name in ["x", "n"] {
            assert_eq!(test(&drawn, name).1, test(&all, name).1, "{name}");
        }
        assert_eq!(test(&drawn, "x").1, drifted);
        let messages = told(&drawn);
        assert_eq!((messages.len(), told(&all).len()), (2, 0), "{}", all["findings"]);
        let message = &messages[0];
        assert!(message.contains("about 10000 rows drawn by chance"), "{message}");
        assert!(message.contains("with 99 % probability"), "{message}");
    }
    let library = duckdb_library();
    let driver = [("TRAINYARD_ENGINE_DRIVER", library.to_str().unwrap())];
    let profile = ["profile", &side("0"), "-o", "drawn.profile", "--engine-sample", "10000"];
    stdout_of(&sides.run(&profile, &driver), 0);
    let by_profile = sides.monitor("drawn.profile", &side("0"), &["--engine-sample", "off"]);
    assert!(told(&by_profile)[0].contains("the reference is a profile of 60000 rows"));
    let twice = ["profile", "drawn.profile", "drawn.profile", "-o", "both.profile"];
    let refused = sides.run(&twice, &driver);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("are a sample"));
}

#[test]
fn conditions_and_segments_choose_the_same_rows() {
    let sides = Sides::new();
    let current = "duckdb://?query=select * from 'after.csv'";
    let reference = "duckdb://?query=select * from 'before.csv'";
    let further = ["--where", "n in (1, 2) and not town = t3", "--segment", "town"];
    let (here, there) = (
        sides.monitor("before.csv", "after.csv", &further),
        sides.monitor(reference, current, &further),
    );
    let segments = |result: &Value| result["segments"].as_array().unwrap().len();
    assert!(segments(&here) > 3, "{}", here["segments"]);
    assert_eq!(segments(&here), segments(&there));
    assert!(here["dataset"]["verdict"].is_string(), "{here}");
    assert_eq!(here["dataset"], there["dataset"]);
    for name in ["x", "n", "town"] {
        let (expected, found) = (test(&here, name), test(&there, name));
        assert_eq!((found.0, found.1), (expected.0, expected.1), "{name}");
        assert!((found.2 - expected.2).abs() < 1e-9, "{name}: {} and {}", found.2, expected.2);
    }
}

#[test]
fn a_file_of_sqlite_is_read_with_the_driver_of_a_package() {
    let sides = Sides::new();
    let make = "
import csv, sqlite3
held = sqlite3.connect('held.db')
for name in ('before', 'after'):
    held.execute(f'create table {name} (x real, n integer, town text, day text)')
    with open(f'{name}.csv', newline='') as file:
        rows = list(csv.reader(file))[1:]
    held.executemany(f'insert into {name} values (?, ?, ?, ?)', rows)
held.commit()
";
    let folder = sides.0.path().to_str().unwrap();
    run_python(&format!("import os\nos.chdir({folder:?})\n{make}"), &[], &[]);
    let drivers = packages();
    let arguments = [
        "monitor",
        "--reference",
        "?table=before",
        "--current",
        "?table=after",
        "--columns",
        "x,n,town",
        "--json",
        "--engine-driver",
        drivers.to_str().unwrap(),
    ];
    let output = sides.run(&arguments, &[("TRAINYARD_ENGINE", "sqlite://held.db")]);
    let there: Value = serde_json::from_str(&stdout_of(&output, 0)).unwrap();
    let here = sides.monitor("before.csv", "after.csv", &["--columns", "x,n,town"]);
    for name in ["x", "n", "town"] {
        assert_eq!(test(&there, name), test(&here, name), "{name}");
    }
}

#[test]
fn what_an_engine_is_not_asked_is_refused() {
    let sides = Sides::new();
    let current = "duckdb://?query=select * from 'after.csv'";
    for (further, expected) in [
        (&["--where", "x > abc"][..], "cannot be compared"),
        (&["--window", "100 rows"], "counts rows, which have no order"),
        (&["--window", "1d", "--segment", "town"], "read rows"),
        (&["--window", "1d", "--labels", "before.csv"], "read rows"),
        (&["--engine-driver", "nowhere"], "libduckdb.so is not in nowhere"),
        (&["--engine-timeout", "5"], "no duration"),
        (&["--engine-sample", "5"], "auto, off, or 10000 to 1000000 rows"),
    ] {
        let mut arguments = vec!["monitor", "--reference", "before.csv", "--current", current];
        arguments.extend_from_slice(further);
        let output = sides.run(&arguments, &[]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(expected), "{further:?}: {error}");
        // As a file that is not there.
        assert_eq!(output.status.code(), Some(2), "{further:?}: {error}");
    }
    let nowhere = ["monitor", "--reference", "before.csv", "--current", "?table=t"];
    let output = sides.run(&nowhere, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no engine is named"));
}

/// Windows of a side, as what was found in each.
fn windows(looked: &Value) -> Vec<(&Value, Vec<(String, f64)>)> {
    let measures = |window: &Value| -> Vec<(String, f64)> {
        let measures = window["measures"].as_array().unwrap().iter();
        let named = measures.map(|measure| {
            let name = ["about", "column", "segment", "metric"].map(|key| measure[key].to_string());
            (name.join(" "), measure["value"].as_f64().unwrap())
        });
        named.collect()
    };
    let windows = looked["windows"].as_array().unwrap().iter();
    windows.map(|window| (&window["window"], measures(window))).collect()
}

#[test]
fn windows_of_an_engine_are_those_of_its_rows() {
    let sides = Sides::new();
    let window =
        |history| ["--window", "1w", "--time-column", "day", "--no-log", "--history", history];
    let current = "duckdb://?query=select * from 'after.csv'";
    let here = sides.monitor("before.csv", "after.csv", &window("here"));
    let there = sides.monitor("before.csv", current, &window("there"));
    let (expected, found) = (windows(&here), windows(&there));
    assert_eq!(expected.len(), 5, "{here}");
    for ((window, expected), (in_engine, found)) in expected.iter().zip(&found) {
        assert_eq!(window, in_engine);
        assert!(expected.len() > 8, "{expected:?}");
        for ((name, value), (same, in_engine)) in expected.iter().zip(found) {
            assert_eq!(name, same);
            assert!((value - in_engine).abs() < 1e-9, "{name}: {value} and {in_engine}");
        }
    }
    assert_eq!(here["looked_at"], there["looked_at"]);
    assert_eq!(here["rows_without_time"], there["rows_without_time"]);

    // A late row has its window looked at again, and no other.
    let again = sides.monitor("before.csv", current, &window("there"));
    assert_eq!(again["looked_at"].as_array().unwrap().len(), 0, "{again}");
    let path = sides.0.path().join("after.csv");
    let late = std::fs::read_to_string(&path).unwrap() + "0.75,1,t1,2026-02-12\n";
    std::fs::write(path, late).unwrap();
    let then = sides.monitor("before.csv", current, &window("there"));
    assert_eq!(then["looked_at"].as_array().unwrap().len(), 1, "{then}");
}

#[test]
fn a_password_is_never_told() {
    let sides = Sides::new();
    let engine = format!("postgresql://me:hidden%20word@127.0.0.1:{}/db", free_port());
    let drivers = packages();
    let environment = [
        ("TRAINYARD_ENGINE", engine.as_str()),
        ("TRAINYARD_ENGINE_DRIVER", drivers.to_str().unwrap()),
        ("TRAINYARD_LOG", "trace"),
    ];
    let arguments = ["monitor", "--reference", "before.csv", "--current", "?table=t"];
    let output = sides.run(&arguments, &environment);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("cannot open postgresql://127.0.0.1:"), "{error}");
    assert!(!error.contains("hidden"), "{error}");
    let help = sides.run(&["monitor", "--help"], &environment);
    assert!(!String::from_utf8_lossy(&help.stdout).contains("hidden"));
}
