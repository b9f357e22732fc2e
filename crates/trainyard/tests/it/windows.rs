//! `trainyard monitor --window`: production data over time, kept, told, and tried.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use trainyard_testkit::{KillOnDrop, free_port, run_python, workspace_root};

use crate::project::{TestProject, stdout_of, trainyard};
use crate::watch::{SECRET, receiver};

const ROWS_A_DAY: u32 = 200;

/// So many rows of each of these days of February 2026, in which `x` moved by so much, and `n` with it.
fn days(days: &[(u32, u32, f64)]) -> String {
    let mut text = String::from("time,x,n,side\n");
    for (day, rows, shift) in days {
        for row in 0..*rows {
            let x = f64::from(row % ROWS_A_DAY) / f64::from(ROWS_A_DAY) + shift;
            let (hour, minute) = (row % 24, row % 60);
            let side = if row % 2 == 0 { "left" } else { "right" };
            let n = row % 4 + if *shift > 0.0 { 10 } else { 0 };
            writeln!(text, "2026-02-{day:02}T{hour:02}:{minute:02}:00,{x},{n},{side}").unwrap();
        }
    }
    text
}

/// As many rows on each of these days as on others, the fifth being odd.
pub(crate) fn usual(last: u32) -> Vec<(u32, u32, f64)> {
    (1..=last).map(|day| (day, ROWS_A_DAY, if day == 5 { 3.0 } else { 0.0 })).collect()
}

pub(crate) fn write(folder: &Path, current: &[(u32, u32, f64)]) {
    let reference: Vec<_> = (1..=10).map(|day| (day, ROWS_A_DAY, 0.0)).collect();
    std::fs::write(folder.join("reference.csv"), days(&reference)).unwrap();
    std::fs::write(folder.join("current.csv"), days(current)).unwrap();
}

pub(crate) const SIDES: [&str; 5] =
    ["monitor", "--reference", "reference.csv", "--current", "current.csv"];

fn monitor(folder: &Path, further: &[&str]) -> Output {
    trainyard().current_dir(folder).args(SIDES).args(further).output().unwrap()
}

pub(crate) fn looked(folder: &Path, further: &[&str]) -> Value {
    let window = ["--window", "1d", "--time-column", "time", "--json"];
    let further = [window.as_slice(), further].concat();
    serde_json::from_str(&stdout_of(&monitor(folder, &further), 0)).unwrap()
}

/// When a window begins, by the day of February 2026.
fn begins(day: i64) -> i64 {
    1_769_904_000_000 + (day - 1) * 86_400_000
}

pub(crate) fn looked_at(looked: &Value) -> Vec<i64> {
    let windows = looked["looked_at"].as_array().unwrap();
    windows.iter().map(|window| window["begins"].as_i64().unwrap()).collect()
}

fn measure(window: &Value, metric: &str, column: Option<&str>, segment: Option<&str>) -> f64 {
    let is_wanted = |measure: &&Value| {
        measure["metric"] == metric
            && measure["about"] != "change"
            && measure["column"].as_str() == column
            && measure["segment"].as_str() == segment
    };
    let found = window["measures"].as_array().unwrap().iter().find(is_wanted);
    found.unwrap_or_else(|| panic!("no {metric} in {window}"))["value"].as_f64().unwrap()
}

#[test]
fn windows_are_kept_and_late_rows_reopen_theirs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, &usual(6));
    let uri = format!("sqlite:///{}", folder.join("mlflow.db").display());
    let logged = ["--tracking-uri", uri.as_str(), "--segment", "side", "--prometheus", "m.prom"];
    let first = looked(folder, &logged);
    assert_eq!(looked_at(&first), (1..=6).map(begins).collect::<Vec<_>>());
    let windows = first["windows"].as_array().unwrap();
    for (day, window) in (1..).zip(windows) {
        let is_odd = day == 5;
        assert_eq!(window["rows"], ROWS_A_DAY);
        assert_eq!(measure(window, "verdict", None, None) >= 1.0, is_odd, "{window}");
        assert_eq!(measure(window, "drift_score", Some("x"), None) > 1.0, is_odd, "{window}");
        let left = measure(window, "rows", None, Some("\"side\" = \"left\""));
        assert_eq!(left, f64::from(ROWS_A_DAY / 2));
    }
    let metrics = std::fs::read_to_string(folder.join("m.prom")).unwrap();
    assert!(metrics.contains("trainyard_window_alerts{model=\"\"} 0"), "{metrics}");
    let page = std::fs::read_to_string(folder.join("reports/windows.html")).unwrap();
    assert!(page.contains("2026-02-05") && page.contains("● No alert"), "{page}");

    let again = looked(folder, &logged);
    assert!(looked_at(&again).is_empty(), "nothing is new");
    assert_eq!(again["windows"], first["windows"]);

    // A late row of the third day, and the first day is removed.
    let mut late = usual(6);
    late.remove(0);
    late.push((3, 1, 0.0));
    write(folder, &late);
    let then = looked(folder, &[logged.as_slice(), &["--no-log"]].concat());
    assert_eq!(looked_at(&then), [begins(3)]);
    assert_eq!(then["windows"].as_array().unwrap().len(), 6);
    assert_eq!(then["windows"][2]["rows"], ROWS_A_DAY + 1);
    assert_eq!(then["windows"][0], first["windows"][0]);
    assert_eq!(then["run_id"], first["run_id"]);

    // What was not logged then is with the next look.
    assert!(looked_at(&looked(folder, &logged)).is_empty());
    let script = "import os, sys, mlflow\n\
        os.chdir(sys.argv[3])\n\
        history = mlflow.MlflowClient(sys.argv[1]).get_metric_history(sys.argv[2], 'rows')\n\
        print(sorted(int(one.value) for one in history))\n\
        print(max(history, key=lambda one: one.value).timestamp)\n\
        mlflow.set_tracking_uri(sys.argv[1])\n\
        recent = mlflow.artifacts.load_dict(f'runs:/{sys.argv[2]}/recent.json')\n\
        print(recent['window'], [one['rows'] for one in recent['windows']])";
    let run_id = then["run_id"].as_str().unwrap();
    let history = run_python(script, &[&uri, run_id, &folder.to_string_lossy()], &[]);
    let rows = "[200, 200, 201, 200, 200, 200]";
    let expected = format!("[200, 200, 200, 200, 200, 200, 201]\n{}\n1d {rows}", begins(3));
    assert_eq!(history.trim(), expected);

    let tried = monitor(folder, &["--window", "1d", "--try-rules"]);
    let tried = stdout_of(&tried, 0);
    assert!(tried.contains("verdict would have fired once in 6 days: 2026-02-05"), "{tried}");
    assert!(tried.contains("estimate can say nothing of 6 days: it is about nothing"), "{tried}");
    assert!(tried.contains("rows can say nothing of 6 days: there are no figures"), "{tried}");
}

#[test]
fn a_target_that_nobody_can_know_yet_breaks_nothing_and_what_does_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, &[1, 2, 3, 4].map(|day| (day, ROWS_A_DAY, 0.0)));
    let path = folder.join("reference.csv");
    let reference = std::fs::read_to_string(&path).unwrap();
    let labelled = reference.lines().enumerate().map(|(row, line)| match row {
        0 => format!("{line},churned\n"),
        row => format!("{line},{}\n", row % 2),
    });
    std::fs::write(&path, labelled.collect::<String>()).unwrap();
    let windows = ["--window", "1d", "--time-column", "time"];
    let with = |further: &[&str]| {
        let output = monitor(folder, &[windows.as_slice(), further].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (stdout_of(&output, 0), told)
    };
    let (told, _) = with(&["--target", "churned"]);
    assert!(!told.contains("broken") && told.contains("stable"), "{told}");
    let single = stdout_of(&monitor(folder, &["--target", "churned", "--json"]), 0);
    assert!(!single.contains("broken") && single.contains("it is not judged"), "{single}");
    // A column that is no target is missed, and the line, the alert and the page say which.
    let (told, alerts) = with(&["--history", "other"]);
    let broken: Vec<&str> = told.lines().filter(|line| line.contains("broken")).collect();
    assert!(broken.len() > 4 && broken.iter().all(|line| line.contains("churned")), "{told}");
    assert!(told.contains("verdict is broken") && !told.contains("verdict is 3"), "{told}");
    let page = std::fs::read_to_string(folder.join("reports/windows.html")).unwrap();
    assert!(page.contains("churned: "), "{page}");
    let more = with(&["--history", "other"]).1;
    assert!(more.contains("4 windows are kept as found before; --again"), "{alerts}{more}");
}

#[test]
fn windows_of_a_table_whose_values_changed_are_looked_at_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let days = |shift: f64| {
        [1, 2, 3, 4, 5].map(|day| (day, ROWS_A_DAY, if day == 2 { shift } else { 0.0 }))
    };
    write(folder, &days(0.0));
    let first = looked(folder, &[]);
    assert_eq!(looked_at(&first).len(), 5);
    // As many rows at the same times, with other values.
    write(folder, &days(3.0));
    let then = looked(folder, &[]);
    assert_eq!(looked_at(&then), [begins(2)]);
    assert!(measure(&then["windows"][1], "drift_score", Some("x"), None) > 1.0, "{then}");
    assert_eq!(then["windows"][3], first["windows"][3]);
    // Written anew, and nothing is new.
    write(folder, &days(3.0));
    assert!(looked_at(&looked(folder, &[])).is_empty());
    assert_eq!(looked_at(&looked(folder, &["--again"])).len(), 5);
}

#[test]
fn labels_that_come_late_judge_their_window() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let said = |row: u32| if row.is_multiple_of(3) { "yes" } else { "no" };
    let turned = |row: u32| if row.is_multiple_of(3) { "no" } else { "yes" };
    let x = |row: u32| row * 37 % 101;
    let mut current = String::from("time,request_id,x,prediction\n");
    let mut holdout = String::from("x,prediction,actual\n");
    // One in ten is wrong, and on the third day every second one.
    let mut labels = [String::new(), String::new(), String::new()];
    for (day, of_day) in (0..).zip(&mut labels) {
        for row in day * ROWS_A_DAY..(day + 1) * ROWS_A_DAY {
            let (hour, said, x) = (row % 24, said(row), x(row));
            writeln!(current, "2026-02-{:02}T{hour:02}:00:00,{row:05},{x},{said}", day + 1)
                .unwrap();
            let one_in = if day == 2 { 2 } else { 10 };
            let actual = if row.is_multiple_of(one_in) { turned(row) } else { said };
            writeln!(of_day, "{row:05},{actual}").unwrap();
            let actual = if row.is_multiple_of(10) { turned(row) } else { said };
            writeln!(holdout, "{x},{said},{actual}").unwrap();
        }
    }
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("reference.csv", &current);
    write("current.csv", &current);
    write("holdout.csv", &holdout);
    let labelled = [
        "--columns=x,prediction",
        "--labels=labels.csv",
        "--labelled-reference=holdout.csv",
        "--no-log",
    ];
    let look = |days: usize| {
        write("labels.csv", &format!("request_id,actual\n{}", labels[..days].concat()));
        looked(folder, &labelled)
    };
    let first = look(2);
    assert_eq!(looked_at(&first), [begins(1), begins(2), begins(3)]);
    assert_eq!(first["windows"][2]["labelled"], 0);
    let then = look(3);
    assert_eq!(looked_at(&then), [begins(3)], "labels of one day came");
    for (window, accuracy) in then["windows"].as_array().unwrap().iter().zip([0.9, 0.9, 0.5]) {
        assert_eq!(window["labelled"], ROWS_A_DAY);
        let measures = window["measures"].as_array().unwrap();
        let found = measures.iter().find(|one| one["metric"] == "accuracy").unwrap();
        assert_eq!((&found["about"], &found["value"]), (&"quality".into(), &accuracy.into()));
        assert_eq!((&found["reference"], &found["samples"]), (&0.9.into(), &ROWS_A_DAY.into()));
        assert_eq!(found["is_alarming"], accuracy < 0.9, "{found}");
    }
    assert!(looked_at(&look(3)).is_empty(), "nothing is new");
}

#[test]
fn metrics_of_what_was_true_are_known_once_labels_came() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut current = String::from("time,request_id,amount,prediction\n");
    let mut holdout = String::from("amount,prediction,actual\n");
    let mut labels = [String::new(), String::new()];
    for (day, of_day) in (0..).zip(&mut labels) {
        for row in day * 100..(day + 1) * 100 {
            let (hour, said) = (row % 24, if row % 2 == 0 { "yes" } else { "no" });
            writeln!(current, "2026-02-{:02}T{hour:02}:00:00,{row},{},{said}", day + 1, row % 10)
                .unwrap();
            writeln!(holdout, "{},{said},{said}", row % 10).unwrap();
            let actual = if row % 4 == 0 { "no" } else { said };
            writeln!(of_day, "{row},{actual}").unwrap();
        }
    }
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("reference.csv", &current);
    write("current.csv", &current);
    write("holdout.csv", &holdout);
    let settings = "[monitor.metrics]\n\
        profit = \"sum(case when prediction = yes and actual = yes then amount when prediction = yes then -5 else 0 end)\"\n\
        right = \"share(prediction = actual)\"\n\
        odd = \"sum(nothing) + count(actual = yes)\"\n\
        [[monitor.alert]]\nmetric = \"right\"\nbelow_reference = 0.1\n";
    write("monitor.toml", settings);
    let usual = ["--columns=amount,prediction", "--config=monitor.toml", "--no-log"];
    let unlabelled = looked(folder, &usual);
    for window in unlabelled["windows"].as_array().unwrap() {
        for name in ["profit", "right", "odd"] {
            assert_eq!(measure(window, "unknown", Some(name), None), 1.0, "{window}");
        }
    }
    assert_eq!(unlabelled["alerts"].as_array().unwrap().len(), 3, "{}", unlabelled["alerts"]);
    let labelled = ["--labels=labels.csv", "--labelled-reference=holdout.csv"];
    let look = |days: usize| {
        write("labels.csv", &format!("request_id,actual\n{}", labels[..days].concat()));
        looked(folder, &[usual.as_slice(), &labelled].concat())
    };
    let first = look(1);
    assert_eq!(first["windows"][1]["labelled"], 0);
    let has = |window: &Value, name: &str| {
        window["measures"].as_array().unwrap().iter().any(|one| one["metric"] == name)
    };
    assert!(!has(&first["windows"][1], "profit"), "no label of that day came");
    let then = look(2);
    assert_eq!(looked_at(&then), [begins(2)]);
    for window in then["windows"].as_array().unwrap() {
        // Of a hundred rows 25 were rightly a yes, of 2, 6 and, in turns, 0, 4 or 8, and 25 wrongly.
        let expected =
            (0..100).filter(|row| row % 4 == 2).map(|row| f64::from(row % 10)).sum::<f64>();
        assert_eq!(measure(window, "profit", None, None), expected - 125.0, "{window}");
        assert_eq!(measure(window, "right", None, None), 0.75);
        assert_eq!(measure(window, "unknown", Some("right"), None), 0.0);
        assert_eq!(measure(window, "unknown", Some("odd"), None), 1.0);
        let measures = window["measures"].as_array().unwrap();
        let right = measures.iter().find(|one| one["metric"] == "right").unwrap();
        assert_eq!((&right["about"], &right["samples"]), (&"quality".into(), &100.into()));
        assert_eq!(right["reference"], 1.0);
    }
    let alerts = then["alerts"].as_array().unwrap();
    let of = |name: &str| {
        alerts.iter().any(|one| {
            one["rule"] == name || one["series"]["column"] == name && one["ended"].is_null()
        })
    };
    assert!(of("right") && of("odd") && !of("profit"), "{alerts:?}");
}

#[test]
fn an_alert_is_told_once_and_so_is_that_it_is_over() {
    let (url, received) = receiver();
    let mut project = TestProject::iris();
    project.edit(
        "# [notify]  ",
        "[notify]\nwebhook_url_env = \"HOOK\"\nwebhook_secret_env = \"HOOK_SECRET\"\n#  ",
    );
    project.edit(
        "[watch]",
        "[[monitor.alert]]\nmetric = \"drift_score\"\ncolumn = \"x\"\nabove = 0.3\n\n[watch]",
    );
    let hook = |url: &str| {
        vec![("HOOK".to_owned(), url.to_owned()), ("HOOK_SECRET".to_owned(), SECRET.to_owned())]
    };
    let look = |project: &TestProject, last: u32| {
        write(project.path(), &usual(last));
        let window = ["--window", "1d", "--time-column", "time", "--no-log"];
        let output = project.run(&[SIDES.as_slice(), window.as_slice()].concat());
        stdout_of(&output, 0)
    };
    let heard = || -> Value {
        let delivery = received.recv_timeout(Duration::from_mins(1)).unwrap();
        serde_json::from_str(&delivery.body).unwrap()
    };
    // What nobody hears is told again.
    project.env = hook("http://127.0.0.1:1/");
    look(&project, 5);
    project.env = hook(&url);
    let said = look(&project, 5);
    assert!(said.contains("Alerts") && said.contains("drift_score of x"), "{said}");
    let told = heard();
    assert_eq!(told["type"], "alert");
    let text = told["text"].as_str().unwrap();
    assert!(text.starts_with("IrisClassifier: drift_score of x is "), "{text}");
    assert!(text.ends_with("above 0.3, since 2026-02-05"), "{text}");
    // The next message is that it is over: nothing is told twice.
    look(&project, 5);
    look(&project, 6);
    let told = heard();
    assert_eq!(told["text"], "IrisClassifier: back to what is usual: drift_score of x");
    look(&project, 6);
    assert!(received.try_recv().is_err(), "nothing is told twice");
}

#[test]
fn metrics_of_ones_own_are_measured_in_windows_and_segments_and_alerted_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, &usual(6));
    let settings = "[monitor.metrics]\n\
        left = \"share(side = left)\"\n\
        big = \"sum(case when n > 5 then n else 0 end) / 2\"\n\
        gone = \"sum(what)\"\n\
        [[monitor.alert]]\nmetric = \"big\"\nabove_reference = 10\n\
        [[monitor.alert]]\nmetric = \"left\"\nsegment = \"*\"\nother_than = [0, 1]\n";
    std::fs::write(folder.join("monitor.toml"), settings).unwrap();
    let look = || looked(folder, &["--config", "monitor.toml", "--segment", "side"]);
    let first = look();
    for (day, window) in (1..).zip(first["windows"].as_array().unwrap()) {
        let expected = if day == 5 { 1150.0 } else { 0.0 };
        assert_eq!(measure(window, "big", None, None), expected, "{window}");
        assert_eq!(measure(window, "left", None, None), 0.5);
        assert_eq!(measure(window, "left", None, Some("\"side\" = \"left\"")), 1.0);
        let measures = window["measures"].as_array().unwrap();
        assert!(measures.iter().all(|one| one["metric"] != "gone"));
        let big = measures.iter().find(|one| one["metric"] == "big").unwrap();
        assert_eq!((&big["about"], &big["reference"]), (&"data".into(), &0.0.into()));
        let said = window["remarks"].to_string();
        assert!(said.contains("gone is not known: ") && said.contains("what"), "{said}");
        // What nobody knows is not well, and rings without a rule.
        assert!(measure(window, "verdict", None, None) >= 1.0, "{window}");
        assert_eq!(measure(window, "unknown", Some("gone"), None), 1.0);
        assert_eq!(measure(window, "unknown", Some("big"), None), 0.0);
    }
    let alerts = first["alerts"].as_array().unwrap();
    let alert = |alert: &Value| (alert["rule"].clone(), alert["began"]["begins"].clone());
    let alerts: Vec<_> = alerts.iter().map(alert).collect();
    assert_eq!(alerts, [("big".into(), begins(5).into()), ("unknown".into(), begins(1).into())]);
    let failing = ["--window", "1d", "--time-column", "time", "--config", "monitor.toml"];
    let failed = monitor(
        folder,
        &[failing.as_slice(), &["--segment", "side", "--fail-on", "warning"]].concat(),
    );
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(4), "{said}");
    assert!(said.contains("is warning: gone is not known"), "{said}");
    // A definition that changes is one more look at all.
    assert!(looked_at(&look()).is_empty());
    std::fs::write(folder.join("monitor.toml"), settings.replace("/ 2", "/ 4")).unwrap();
    let then = look();
    assert_eq!(looked_at(&then).len(), 6);
    assert_eq!(measure(&then["windows"][4], "big", None, None), 575.0);
    // What only the reference has is a column that is gone, and not a text.
    let reference = std::fs::read_to_string(folder.join("reference.csv")).unwrap();
    let reference = reference.replace('\n', ",left\n").replacen(",left\n", ",seen\n", 1);
    std::fs::write(folder.join("reference.csv"), reference).unwrap();
    let settings = settings.replace("sum(what)", "share(side != seen)");
    std::fs::write(folder.join("monitor.toml"), settings).unwrap();
    let then = look();
    let window = &then["windows"][0];
    assert!(window["measures"].as_array().unwrap().iter().all(|one| one["metric"] != "gone"));
    assert!(window["remarks"].to_string().contains("gone is not known: there is no column"));
    // A profile has no rows, so that nobody knows how far a metric is from it.
    let profiled = ["profile", "reference.csv", "-o", "reference.profile"];
    stdout_of(&trainyard().current_dir(folder).args(profiled).output().unwrap(), 0);
    let sides = ["monitor", "--reference", "reference.profile", "--current", "current.csv"];
    let output = trainyard().current_dir(folder).args(sides).args(failing).arg("--json").output();
    let then: Value = serde_json::from_str(&stdout_of(&output.unwrap(), 0)).unwrap();
    let window = &then["windows"][0];
    assert_eq!(measure(window, "big", None, None), 0.0);
    assert_eq!(measure(window, "unknown", Some("big"), None), 1.0);
    assert_eq!(measure(window, "unknown", Some("left"), None), 0.0);
    assert!(window["remarks"].to_string().contains("big of the reference is not known"));
}

#[test]
fn windows_of_rows_need_no_times_and_mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, &usual(6));
    let rows = monitor(folder, &["--window", "500 rows", "--columns", "x,n"]);
    let said = stdout_of(&rows, 0);
    assert!(said.contains("rows 1–500") && said.contains("rows 1001–1500"), "{said}");
    assert!(said.lines().any(|line| line.contains("1001–1500") && line.contains("open")), "{said}");

    let rule = "[monitor]\n[[monitor.alert]]\nabove = 1\n";
    std::fs::write(folder.join("monitor.toml"), rule).unwrap();
    let mistakes: [(&[&str], &str); 6] = [
        (&["--window", "1d", "--columns", "x"], "--time-column"),
        (&["--window", "1d", "--time-column", "x"], "holds no times"),
        (&["--window", "5 rows"], "no length of windows"),
        (&["--try-rules"], "--window"),
        (&["--window", "1w", "--try-rules"], "no windows are kept yet"),
        (&["--window", "1d", "--config", "monitor.toml"], "no `metric`"),
    ];
    for (arguments, expected) in mistakes {
        let output = monitor(folder, arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

/// A log of three days, the last of them moved, with an hour a segment; and the reference.
const LOG: &str = r#"
import sys, datetime as d, pyarrow as pa, pyarrow.parquet as pq
folder, log = sys.argv[1:]
start = d.datetime(2026, 2, 1, tzinfo=d.timezone.utc)
def x(n, day): return (n * 7919 % 2003) / 2003 + (3 if day == 2 else 0)
for day in range(3):
    for hour in range(0, 24, 6):
        begins = start + d.timedelta(days=day, hours=hour)
        at = [begins + d.timedelta(seconds=n) for n in range(500)]
        n = len(at)
        table = pa.table({
            "trainyard.request_id": [f"{day}-{hour}-{i}" for i in range(n)],
            "trainyard.time": pa.array(at, pa.timestamp("ms", tz="UTC")),
            "trainyard.model": ["m"] * n,
            "trainyard.model_version": ["1" if day < 2 else "2"] * n,
            "x": [x(i + hour // 6 * 500, day) for i in range(n)],
            "side": ["left" if i % 2 else "right" for i in range(n)],
            "prediction": [float(i % 3 + (9 if day == 2 else 0)) for i in range(n)],
        })
        name = f"predictions-{int(begins.timestamp() * 1000):013}-7-00000000-000000.parquet"
        pq.write_table(table, f"{log}/{name}")
pq.write_table(pa.table({
    "x": [x(i, 0) for i in range(2000)],
    "side": ["left" if i % 2 else "right" for i in range(2000)],
    "prediction": [float(i % 3) for i in range(2000)],
}), f"{folder}/reference.parquet")
"#;

/// Summaries are made by the server that finds the segments, say the same as rows, and stay when these are gone.
#[test]
fn windows_of_which_no_rows_are_left_are_told_by_summaries() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let log = folder.join("log");
    std::fs::create_dir(&log).unwrap();
    run_python(LOG, &[folder.to_str().unwrap(), log.to_str().unwrap()], &[]);
    let model = workspace_root().join("crates/serve/tests/models/onnx_rf");
    let port = free_port();
    let mut command = trainyard();
    command.args(["serve", "--port", &port.to_string(), "--model-uri"]).arg(model);
    command.arg("--prediction-log").arg(&log).stdout(Stdio::null()).stderr(Stdio::null());
    command.args(["--prediction-log-summaries-days-after", "off"]);
    let server = KillOnDrop::spawn(&mut command);
    let started = Instant::now();
    let files = || -> usize {
        let Ok(entries) = std::fs::read_dir(log.join("summaries")) else { return 0 };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".summary") && !name.starts_with('.')).count()
    };
    while files() < 12 {
        assert!(started.elapsed() < Duration::from_mins(2), "{} hours are summarised", files());
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(server);

    let looked = |history: &str, further: &[&str]| -> Vec<(i64, f64, f64)> {
        let mut monitor = trainyard();
        monitor.current_dir(folder).args(["monitor", "--reference", "reference.parquet"]);
        monitor.args(["--current", "log", "--window", "1d", "--json", "--history", history]);
        let output = monitor.args(further).output().unwrap();
        let looked: Value = serde_json::from_str(&stdout_of(&output, 0)).unwrap();
        let windows = looked["windows"].as_array().unwrap();
        let of = |window: &Value| {
            assert_eq!(measure(window, "missing_share", Some("side"), None), 0.0);
            let score = measure(window, "drift_score", Some("x"), None);
            (window["rows"].as_i64().unwrap(), measure(window, "verdict", None, None), score)
        };
        windows.iter().map(of).collect()
    };
    let by_rows = looked("rows", &[]);
    assert_eq!(by_rows.iter().map(|window| window.0).collect::<Vec<_>>(), [2000; 3]);
    assert!(by_rows[2].1 > by_rows[0].1, "{by_rows:?}");
    let agree = |others: &[(i64, f64, f64)]| {
        assert_eq!(others.len(), by_rows.len());
        for (one, other) in by_rows.iter().zip(others) {
            assert_eq!((one.0, one.1), (other.0, other.1), "{by_rows:?} {others:?}");
            assert!((one.2 - other.2).abs() < 0.02, "{by_rows:?} {others:?}");
        }
    };
    agree(&looked("alone", &["--from-summaries"]));
    // The rows of all days but one segment are removed: nothing of that counts twice.
    let mut segments: Vec<_> = std::fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .collect();
    segments.sort();
    for segment in &segments[..11] {
        std::fs::remove_file(segment).unwrap();
    }
    agree(&looked("gone", &[]));
    // What was kept of the values of their rows goes with these.
    let profiles = || -> usize {
        let entries = std::fs::read_dir(folder.join("rows/1d")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "profile")).count()
    };
    assert_eq!(profiles(), 3);
    agree(&looked("rows", &[]));
    assert_eq!(profiles(), 1);
    // The log has been dead for long.
    let mut monitor = trainyard();
    monitor.current_dir(folder).args(["monitor", "--reference", "reference.parquet"]);
    monitor.args(["--current", "log", "--window", "1d", "--fail-on", "broken"]);
    let dead = monitor.args(["--history", "gone"]).output().unwrap();
    assert_eq!(dead.status.code(), Some(4), "{dead:?}");
    assert!(String::from_utf8_lossy(&dead.stderr).contains("nothing came to the log"), "{dead:?}");
    // A summary of the first day is damaged, and a column in one of the last: these days are known to nobody, and the
    // other is as it was.
    let summaries = std::fs::read_dir(log.join("summaries")).unwrap();
    let paths = summaries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "summary")).collect();
    paths.sort();
    std::fs::write(&paths[0], "no summary").unwrap();
    let mut bytes = std::fs::read(&paths[11]).unwrap();
    *bytes.last_mut().unwrap() ^= 0xff;
    std::fs::write(&paths[11], bytes).unwrap();
    let mut monitor = trainyard();
    monitor.current_dir(folder).args(["monitor", "--reference", "reference.parquet", "--json"]);
    monitor.args(["--current", "log", "--window", "1d", "--history", "doubt"]);
    let output = monitor.arg("--from-summaries").output().unwrap();
    let looked: Value = serde_json::from_str(&stdout_of(&output, 0)).unwrap();
    let windows = looked["windows"].as_array().unwrap();
    let verdicts: Vec<f64> =
        windows.iter().map(|window| measure(window, "verdict", None, None)).collect();
    assert_eq!(verdicts, [3.0, by_rows[1].1, 3.0], "{looked}");
}

/// What a server makes of a log is merged by the next one, whoever is killed in between, and no row is lost or counts twice.
#[test]
fn hours_are_merged_to_days_by_servers_that_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let log = folder.join("log");
    std::fs::create_dir(&log).unwrap();
    run_python(LOG, &[folder.to_str().unwrap(), log.to_str().unwrap()], &[]);
    let model = workspace_root().join("crates/serve/tests/models/onnx_rf");
    let server = || {
        let mut command = trainyard();
        command.args(["serve", "--port", &free_port().to_string(), "--model-uri"]).arg(&model);
        command.arg("--prediction-log").arg(&log).stdout(Stdio::null()).stderr(Stdio::null());
        KillOnDrop::spawn(command.args(["--prediction-log-summaries-days-after", "1h"]))
    };
    // Files of hours, and of days.
    let files = || -> [usize; 2] {
        let Ok(entries) = std::fs::read_dir(log.join("summaries")) else { return [0; 2] };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        let of = |ending| names.iter().filter(|name| name.ends_with(ending)).count();
        [of(".summary"), of(".day")]
    };
    let started = Instant::now();
    let mut kills = 0;
    loop {
        let before = files();
        let mut server = server();
        // As soon as it wrote or removed anything: mostly it is about to do the next.
        while files() == before {
            assert!(started.elapsed() < Duration::from_mins(5), "{before:?} after {kills} kills");
            std::thread::sleep(Duration::from_millis(1));
        }
        if kills == 8 {
            while files() != [0, 3] {
                assert!(started.elapsed() < Duration::from_mins(5), "{:?} are left", files());
                std::thread::sleep(Duration::from_millis(5));
            }
            break;
        }
        server.kill();
        kills += 1;
        if files() == [0, 3] {
            break;
        }
    }
    let looked = |history: &str, further: &[&str]| -> Vec<Value> {
        let mut monitor = trainyard();
        monitor.current_dir(folder).args(["monitor", "--reference", "reference.parquet"]);
        monitor.args(["--current", "log", "--json", "--history", history]);
        let output = monitor.args(further).output().unwrap();
        let looked: Value = serde_json::from_str(&stdout_of(&output, 0)).unwrap();
        looked["windows"].as_array().unwrap().clone()
    };
    let days = looked("days", &["--window", "1d", "--from-summaries"]);
    assert_eq!(days.iter().map(|day| day["rows"].as_u64().unwrap()).collect::<Vec<_>>(), [2000; 3]);
    let verdicts: Vec<f64> = days.iter().map(|day| measure(day, "verdict", None, None)).collect();
    assert!(verdicts[2] > verdicts[0], "{verdicts:?}");

    // Windows of hours that were merged are whole while their rows are there, and partial after that.
    let halves = looked("halves", &["--window", "12h"]);
    assert!(halves.iter().all(|one| one["is_partial"].is_null()), "{halves:?}");
    for segment in std::fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path()) {
        // Those of the first day, and one of the second.
        let name = segment.file_name().unwrap().to_str().unwrap();
        let begun = name.strip_prefix("predictions-").and_then(|rest| rest.get(..13));
        if begun.is_some_and(|begun| begun.parse::<i64>().unwrap() <= begins(2)) {
            std::fs::remove_file(&segment).unwrap();
        }
    }
    let partial = looked("later", &["--window", "12h"]);
    let is_partial = |one: &Value| one["is_partial"] == true;
    assert_eq!(
        partial.iter().map(is_partial).collect::<Vec<_>>(),
        [true, true, true, true, false, false]
    );
    for one in &partial[..4] {
        assert!(one["measures"].as_array().unwrap().is_empty(), "{one}");
        assert!(one["remarks"][0].as_str().unwrap().starts_with("partial: "), "{one}");
    }
    // What was known of them stays, and whole days are whole.
    assert_eq!(looked("halves", &["--window", "12h"]), halves);
    assert!(!looked("whole", &["--window", "1d"]).iter().any(is_partial));
}
