//! `trainyard monitor --window` with labels: segments, versions, and tables as people have them.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::project::{stdout_of, trainyard};
use crate::windows::{SIDES, looked, looked_at};

/// Minutes between two rows, of which 206 are on the first day.
const PAUSE: u32 = 7;
const ROWS: u32 = 400;
const OF_FIRST_DAY: u32 = 206;
/// From this one on version 2 answers, of which no answer on the right is right.
const OF_SECOND_VERSION: u32 = 300;

/// The time of a row in Berlin, which had its summer time from 1 o'clock UTC on of the second day.
fn time(row: u32) -> String {
    let minute = row * PAUSE;
    let offset = if minute < 1500 { 1 } else { 2 };
    let local = minute + offset * 60;
    let (day, hour) = (28 + local / 1440, local % 1440 / 60);
    format!("2026-03-{day}T{hour:02}:{:02}:00+0{offset}:00", local % 60)
}

fn said(row: u32) -> bool {
    row.is_multiple_of(3)
}

fn is_left(row: u32) -> bool {
    row.is_multiple_of(2)
}

fn is_right_answer(row: u32) -> bool {
    is_left(row) || row % 4 == 1 && row < OF_SECOND_VERSION
}

fn has_label(row: u32) -> bool {
    row % 16 > 1
}

fn amount(row: u32) -> u32 {
    row % 10
}

/// Of each row with a label that is meant what `of` says.
fn sum(meant: impl Fn(u32) -> bool, of: impl Fn(u32) -> f64) -> f64 {
    (0..ROWS).filter(|row| has_label(*row) && meant(*row)).map(of).sum()
}

fn accuracy(meant: impl Fn(u32) -> bool) -> f64 {
    let rows = sum(&meant, |_| 1.0);
    sum(&meant, |row| f64::from(u8::from(is_right_answer(row)))) / rows
}

fn gain(meant: impl Fn(u32) -> bool) -> f64 {
    sum(meant, |row| if said(row) && is_right_answer(row) { f64::from(amount(row)) } else { 0.0 })
}

/// The measure of quality of this name, segment and version.
fn found<'a>(window: &'a Value, metric: &str, [segment, version]: [Option<&str>; 2]) -> &'a Value {
    let is_it = |one: &&Value| {
        one["metric"] == metric
            && one["about"] == "quality"
            && one["segment"].as_str() == segment
            && one["version"].as_str() == version
    };
    let found = window["measures"].as_array().unwrap().iter().find(is_it);
    found.unwrap_or_else(|| panic!("no {metric} of {segment:?} {version:?} in {window}"))
}

fn near(found: &Value, expected: f64) {
    let value = found["value"].as_f64().unwrap();
    assert!((value - expected).abs() < 1e-12, "{found}: {expected} is right");
}

/// Predictions, their labels and a holdout.
fn tables(folder: &Path) {
    let mut current =
        String::from("time,request_id,amount,side,prediction,trainyard.model_version\n");
    let mut holdout = String::from("amount,side,prediction,actual\n");
    // One that is corrected later.
    let mut labels = String::from("request_id,actual\n2,False\n");
    for place in 0..ROWS {
        // In no order.
        let row = place * 37 % ROWS;
        let side = if is_left(row) { "left" } else { "right" };
        let version = if row < OF_SECOND_VERSION { 1 } else { 2 };
        let (time, amount, said_here) = (time(row), amount(row), u8::from(said(row)));
        writeln!(current, "{time},{row},{amount},{side},{said_here},{version}").unwrap();
        let is_true = said(row) == is_right_answer(row);
        // As tables have it that other programs wrote.
        let actual = match (is_true, row % 5) {
            (true, 0) => "True",
            (true, _) => "1.0",
            (false, 1) => "false",
            (false, _) => "0",
        };
        if has_label(row) {
            writeln!(labels, "{row},{actual}").unwrap();
        }
        let was_right = is_left(row) || row % 4 == 1;
        writeln!(holdout, "{amount},{side},{said_here},{}", u8::from(said(row) == was_right))
            .unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("reference.csv", &current);
    write("current.csv", &current);
    write("holdout.csv", &holdout);
    write("labels.csv", &labels);
}

#[test]
fn segments_and_versions_have_quality_and_metrics_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tables(folder);
    let settings = "[monitor.metrics]\n\
        gain = \"sum(case when prediction = 1 and actual = 1 then amount else 0 end)\"\n\
        right = \"share(prediction = actual)\"\n\
        [[monitor.alert]]\nmetric = \"right\"\nsegment = \"*\"\nbelow_reference = 0.1\n\
        [[monitor.alert]]\nname = \"served\"\nmetric = \"accuracy\"\nversion = \"2\"\nbelow = 0.7\n\
        [[monitor.alert]]\nmetric = \"labelled_share\"\nbelow = 0.9\n";
    std::fs::write(folder.join("monitor.toml"), settings).unwrap();
    let options = [
        "--columns=amount,prediction",
        "--config=monitor.toml",
        "--segment=side = left",
        "--segment=side = right",
        "--labels=labels.csv",
        "--labelled-reference=holdout.csv",
        "--prometheus=m.prom",
        "--no-log",
    ];
    let first = looked(folder, &options);
    let windows = first["windows"].as_array().unwrap();
    let rows: Vec<u64> = windows.iter().map(|one| one["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows, [u64::from(OF_FIRST_DAY), u64::from(ROWS - OF_FIRST_DAY)]);
    let days = [0..OF_FIRST_DAY, OF_FIRST_DAY..ROWS];
    for (window, day) in windows.iter().zip(&days) {
        let of_day = |row: u32| day.contains(&row);
        let labelled = sum(of_day, |_| 1.0);
        assert_eq!(window["labelled"].as_f64().unwrap(), labelled, "each label once");
        let share = found(window, "labelled_share", [None, None]);
        near(share, labelled / f64::from(day.end - day.start));
        for metric in ["accuracy", "right"] {
            near(found(window, metric, [None, None]), accuracy(of_day));
            for (segment, left) in [("side = left", true), ("side = right", false)] {
                let of_part = |row| of_day(row) && is_left(row) == left;
                let one = found(window, metric, [Some(segment), None]);
                near(one, accuracy(of_part));
                assert_eq!(one["samples"].as_f64().unwrap(), sum(of_part, |_| 1.0));
                // The same part of the holdout, not all of it.
                assert_eq!(one["reference"], if left { 1.0 } else { 0.5 }, "{one}");
            }
        }
        near(found(window, "gain", [None, None]), gain(of_day));
        let of_right = |row| of_day(row) && !is_left(row);
        near(found(window, "gain", [Some("side = right"), None]), gain(of_right));
    }
    for (version, is_of_it) in [("1", true), ("2", false)] {
        let of = |row| days[1].contains(&row) && (row < OF_SECOND_VERSION) == is_of_it;
        near(found(&windows[1], "accuracy", [None, Some(version)]), accuracy(of));
        near(found(&windows[1], "right", [None, Some(version)]), accuracy(of));
        near(found(&windows[1], "gain", [None, Some(version)]), gain(of));
    }
    let of_first = windows[0]["measures"].as_array().unwrap();
    assert!(of_first.iter().all(|one| one.get("version").is_none()), "one version alone");
    let told: Vec<String> =
        first["alerts"].as_array().unwrap().iter().map(Value::to_string).collect();
    let is_told =
        |words: &[&str]| told.iter().any(|one| words.iter().all(|word| one.contains(word)));
    assert!(is_told(&["\"right\"", "side = right"]) && !is_told(&["side = left"]), "{told:?}");
    assert!(is_told(&["\"served\"", "\"version\":\"2\""]), "{told:?}");
    assert!(is_told(&["labelled_share"]), "{told:?}");

    // What the page, the metrics and the terminal say is the same.
    let metrics = std::fs::read_to_string(folder.join("m.prom")).unwrap();
    let samples = metrics.lines().filter(|line| line.starts_with("trainyard_window_measure{"));
    assert_eq!(samples.count(), windows[1]["measures"].as_array().unwrap().len());
    let page = std::fs::read_to_string(folder.join("reports/windows.html")).unwrap();
    assert!(page.contains(">labels<") && page.contains("right where side = right"), "{page}");
    let text = [options.as_slice(), &["--window=1d", "--time-column=time"]].concat();
    let output = trainyard().current_dir(folder).args(SIDES).args(text).output().unwrap();
    let text = stdout_of(&output, 0);
    assert!(text.contains("labels 8") && text.contains("right where side = right"), "{text}");

    // Nothing is new: also segments of windows that are not looked at again are as they were.
    let again = looked(folder, &options);
    assert!(looked_at(&again).is_empty(), "{}", again["looked_at"]);
    assert_eq!(again["windows"], first["windows"]);
    // A rule that is tried says what it would have found in parts.
    let tried = ["--window=1d", "--config=monitor.toml", "--try-rules"];
    let output = trainyard().current_dir(folder).args(SIDES).args(tried).output().unwrap();
    let tried = stdout_of(&output, 0);
    assert!(tried.contains("right would have fired once in 2 days: 2026-03-29"), "{tried}");
    let served =
        "served would have fired once in 2 days (of which it can judge 1 window): 2026-03-29";
    assert!(tried.contains(served), "{tried}");
}
