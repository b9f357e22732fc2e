//! `trainyard monitor` and `trainyard profile` on files, outside of any project.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::dashboards;
use crate::project::{TestProject, stdout_of, trainyard};

/// Two thousand rows in which `x` moves by `shift`, `town` has a new label, and days go by.
fn table(path: &Path, rows: usize, shift: f64) -> String {
    let mut text = String::from("id,x,n,town,day\n");
    for row in 0..rows {
        let noise = (row * 7919 % 1009) as f64 / 1009.0;
        let town =
            if shift > 0.0 && row % 10 == 0 { "new".to_owned() } else { format!("t{}", row % 8) };
        let day = 1 + row * 28 / rows;
        writeln!(text, "{row},{},{},{town},2026-02-{day:02}", noise + shift, row % 4).unwrap();
    }
    std::fs::write(path, text).unwrap();
    path.to_string_lossy().into_owned()
}

struct Files {
    folder: tempfile::TempDir,
    reference: String,
    current: String,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reference = table(&folder.path().join("reference.csv"), 2000, 0.0);
        let current = table(&folder.path().join("current.csv"), 1500, 0.5);
        Self { folder, reference, current }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        trainyard().current_dir(self.folder.path()).args(arguments).output().unwrap()
    }

    fn monitor(&self, reference: &str, further: &[&str]) -> Value {
        let mut arguments =
            vec!["monitor", "--reference", reference, "--current", &self.current, "--json"];
        arguments.extend_from_slice(further);
        serde_json::from_str(&stdout_of(&self.run(&arguments), 0)).unwrap()
    }
}

fn column<'a>(result: &'a Value, name: &str) -> &'a Value {
    let columns = result["columns"].as_array().unwrap();
    columns.iter().find(|column| column["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn a_profile_gives_the_scores_of_its_table() {
    let files = Files::new();
    let by_table = files.monitor(&files.reference, &[]);
    let written = stdout_of(&files.run(&["profile", &files.reference, "-o", "r.profile"]), 0);
    assert!(written.contains("2000 rows, 5 columns"), "{written}");
    let by_profile = files.monitor("r.profile", &[]);
    for name in ["id", "x", "n", "town", "day"] {
        let (table, profile) =
            (&column(&by_table, name)["test"], &column(&by_profile, name)["test"]);
        assert_eq!(table["score"], profile["score"], "{name}");
        assert_eq!(table["method"], profile["method"], "{name}");
    }
    assert_eq!(by_table["dataset"], by_profile["dataset"]);

    // Halves that were profiled apart are the whole.
    for (rows, name) in [("id < 1000", "a.profile"), ("id >= 1000", "b.profile")] {
        stdout_of(&files.run(&["profile", &files.reference, "--where", rows, "-o", name]), 0);
    }
    stdout_of(&files.run(&["profile", "a.profile", "b.profile", "-o", "ab.profile"]), 0);
    let merged = files.monitor("ab.profile", &[]);
    for name in ["id", "x", "n", "town", "day"] {
        assert_eq!(column(&merged, name)["test"], column(&by_profile, name)["test"], "{name}");
    }

    let quantised =
        files.run(&["profile", &files.reference, "--quantise", "200", "-o", "q.profile"]);
    stdout_of(&quantised, 0);
    let close = column(&files.monitor("q.profile", &[]), "x")["test"]["score"].as_f64().unwrap();
    let exact = column(&by_table, "x")["test"]["score"].as_f64().unwrap();
    assert!((close / exact - 1.0).abs() < 0.02, "{close} {exact}");
}

#[test]
fn a_pinned_method_stays_when_the_data_look_different() {
    let files = Files::new();
    let flags = ["--per-column-method", "x=psi", "--per-column-threshold", "x=0.7"];
    let mut arguments = vec!["profile", &files.reference, "-o", "r.profile"];
    arguments.extend_from_slice(&flags);
    stdout_of(&files.run(&arguments), 0);
    let few = std::fs::read_to_string(&files.current).unwrap();
    let few: Vec<&str> = few.lines().take(4).collect();
    std::fs::write(&files.current, few.join("\n")).unwrap();
    let result = files.monitor("r.profile", &["--min-samples", "1"]);
    assert_eq!(column(&result, "x")["test"]["method"], "psi");
    assert_eq!(column(&result, "x")["test"]["threshold"], 0.7);
    // Three rows of different towns are categories still.
    assert_eq!(column(&result, "town")["kind"], "categorical");
    let overridden =
        files.monitor("r.profile", &["--per-column-method", "x=ks", "--min-samples", "1"]);
    assert_eq!(column(&overridden, "x")["test"]["method"], "ks");
}

#[test]
fn the_printed_settings_compare_as_the_defaults_do() {
    let files = Files::new();
    let settings =
        stdout_of(&files.run(&["monitor", "--reference", &files.reference, "--print-config"]), 0);
    let path = files.folder.path().join("monitor.toml");
    std::fs::write(&path, &settings).unwrap();
    let plain = files.monitor(&files.reference, &[]);
    let by_file = files.monitor(&files.reference, &["--config", "monitor.toml"]);
    for name in ["id", "x", "n", "town"] {
        assert_eq!(
            column(&plain, name)["test"]["score"],
            column(&by_file, name)["test"]["score"],
            "{name}\n{settings}"
        );
    }
    std::fs::write(&path, settings.replace("drift_share", "drift_shore")).unwrap();
    let refused = files.run(&[
        "monitor",
        "--reference",
        "reference.csv",
        "--current",
        "current.csv",
        "--config",
        "monitor.toml",
    ]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("drift_shore"), "{error}");
}

#[test]
fn rows_of_current_are_chosen_by_time_and_by_value() {
    let files = Files::new();
    let rows = |flags: &[&str]| {
        files.monitor(&files.reference, flags)["current"]["rows"].as_u64().unwrap()
    };
    assert_eq!(rows(&[]), 1500);
    assert_eq!(rows(&["--where", "town in (new, t1) and id < 100"]), 10 + 13);
    // Both sides are of the same rows: of the reference too, a quarter has this `n`.
    let segment = files.monitor(&files.reference, &["--where", "not n in (0, 1, 2)"]);
    assert_eq!(segment["reference"]["rows"], 500);
    assert_eq!(segment["current"]["rows"], 375);
    let week = ["--time-column", "day", "--since", "2026-02-08", "--until", "2026-02-15"];
    let in_week = rows(&week);
    assert!((370..380).contains(&in_week), "{in_week}");
    let result = files.run(&[
        "monitor",
        "--reference",
        &files.reference,
        "--current",
        &files.current,
        "--since",
        "7d",
    ]);
    let error = String::from_utf8_lossy(&result.stderr);
    assert_eq!(result.status.code(), Some(2), "{error}");
    assert!(error.contains("time column"), "{error}");
}

#[test]
fn segments_are_compared_with_their_own_reference() {
    let files = Files::new();
    // What moves in one town alone, and a town that is gone.
    let town = |path: &Path, shift: f64, gone: &str| {
        let mut text = String::from("x,town\n");
        for row in 0..3000 {
            let (town, noise) = (["a", "b", "c"][row % 3], (row * 7919 % 1009) as f64 / 1009.0);
            let moved = if town == "b" { shift } else { 0.0 };
            if town != gone {
                writeln!(text, "{},{town}", noise + moved).unwrap();
            }
        }
        std::fs::write(path, text).unwrap();
    };
    let [reference, current] = ["a.csv", "b.csv"].map(|name| files.folder.path().join(name));
    town(&reference, 0.0, "");
    town(&current, 0.3, "c");
    let monitor = |further: &[&str], code: i32| {
        let sides = ["monitor", "--reference", "a.csv", "--current", "b.csv", "--no-log"];
        stdout_of(&files.run(&[&sides[..], further].concat()), code)
    };
    let text = monitor(&["--segment", "town", "--segment", "not town in (b, c)", "--json"], 0);
    let result: Value = serde_json::from_str(&text).unwrap();
    let segments = result["segments"].as_array().unwrap();
    let of = |name: &str| segments.iter().find(|segment| segment["name"] == name).unwrap();
    assert_eq!(segments.len(), 4);
    assert_eq!(of("\"town\" = \"b\"")["dataset"]["drifted_columns"], 1);
    assert_eq!(of("\"town\" = \"b\"")["reference_rows"], 1000);
    assert_eq!(of("\"town\" = \"b\"")["dataset"]["correction"], "bh");
    assert_eq!(of("\"town\" = \"c\"")["dataset"]["verdict"], "broken");
    assert_eq!(of("not town in (b, c)")["dataset"]["verdict"], "stable");
    let text = monitor(&["--segment", "town = b", "--fail-on", "drift"], 4);
    assert!(text.contains("town = b: 1 of "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let page = std::fs::read_to_string(files.folder.path().join("reports/drift.html")).unwrap();
    assert!(page.contains("<h2>Segments</h2>") && page.contains("town = b"), "no segments");
}

#[test]
fn little_memory_gives_the_same_scores() {
    let files = Files::new();
    let big = table(&files.folder.path().join("big.csv"), 200_000, 0.0);
    let plain = files.monitor(&big, &[]);
    let frugal = files.monitor(&big, &["--memory", "3MB"]);
    assert_eq!(plain["columns"], frugal["columns"]);
}

#[test]
fn tables_are_read_from_an_object_store() {
    let files = Files::new();
    let s3 = trainyard_testkit::s3::S3::start("data");
    s3.upload("train/reference.csv", &files.reference);
    for day in ["01", "02"] {
        s3.upload(&format!("logs/day={day}/current.csv"), &files.current);
    }
    s3.upload("logs/_SUCCESS", &files.current);
    let monitor = |current: &str| {
        trainyard()
            .current_dir(files.folder.path())
            .envs(s3.keys())
            .args(["monitor", "--json", "--reference", "s3://data/train/reference.csv"])
            .args(["--current", current])
            .output()
            .unwrap()
    };
    let local = files.monitor(&files.reference, &[]);
    for (current, rows) in [
        ("s3://data/logs/day=01/current.csv", 1500),
        ("s3://data/logs", 3000),
        ("s3://data/logs/day=0?/*.csv", 3000),
    ] {
        let result: Value = serde_json::from_str(&stdout_of(&monitor(current), 0)).unwrap();
        assert_eq!(result["current"]["rows"], rows, "{current}");
        if rows == 1500 {
            assert_eq!(result["columns"], local["columns"]);
        }
    }
    let missing = monitor("s3://data/nothing/here");
    let error = String::from_utf8_lossy(&missing.stderr);
    assert_eq!(missing.status.code(), Some(2), "{error}");
    assert!(error.contains("s3://data/nothing/here"), "{error}");
    // What can be monitored from there can be learnt from there.
    let mut project = TestProject::iris();
    s3.upload("iris/train.csv", project.file("data/train.csv").to_str().unwrap());
    project.env.extend(s3.keys().map(|(name, value)| (name.to_owned(), value.to_owned())));
    project.edit("data/train.csv", "s3://data/iris/*.csv");
    stdout_of(&project.run(&["train"]), 0);
    let again = stdout_of(&project.run(&["train", "--if-new"]), 0);
    assert!(again.contains("version 1 (nothing new to learn from)"), "{again}");
    stdout_of(&project.run(&["promote"]), 0);
}

#[test]
fn metrics_and_a_page_are_written() {
    let files = Files::new();
    files.monitor(&files.reference, &["--prometheus", "out/drift.prom", "-o", "out/page.html"]);
    let metrics = std::fs::read_to_string(files.folder.path().join("out/drift.prom")).unwrap();
    assert!(metrics.contains("trainyard_drift_column_drifted{"), "{metrics}");
    let page = std::fs::read_to_string(files.folder.path().join("out/page.html")).unwrap();
    assert!(page.contains("</html>"));
    let left: Vec<_> = std::fs::read_dir(files.folder.path().join("out")).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(metrics.contains("trainyard_drift_verdict{"), "{metrics}");
    dashboards::assert_on_page(&metrics, &dashboards::DRIFT);

    // A comparison that ends early leaves the metrics of the last one, whose age says so.
    let both = ["--reference", &files.reference, "--current", "gone.csv"];
    let failed = files.run(&[&["monitor", "--prometheus", "out/drift.prom"], &both[..]].concat());
    assert_eq!(failed.status.code(), Some(2));
    let after = std::fs::read_to_string(files.folder.path().join("out/drift.prom")).unwrap();
    assert_eq!(metrics, after);
}

#[test]
fn a_column_that_cannot_be_read_does_not_stop_the_others() {
    let files = Files::new();
    let batch = trainyard_data::read(&files.reference, &trainyard_data::ReadOptions::default());
    let path = files.folder.path().join("reference.parquet");
    trainyard_data::write_parquet(&path, &batch.unwrap()).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    for byte in bytes.get_mut(40..400).unwrap() {
        *byte = !*byte;
    }
    std::fs::write(&path, bytes).unwrap();
    let reference = path.to_string_lossy();
    let both = ["monitor", "--reference", &reference, "--current", &files.current, "--json"];
    // Nobody knows whether what cannot be read has drifted, so this is no success.
    let result: Value = serde_json::from_str(&stdout_of(&files.run(&both), 2)).unwrap();
    assert_eq!(column(&result, "id")["status"], "failed");
    assert_eq!(column(&result, "x")["status"], "tested");
}

#[test]
fn a_damaged_profile_is_refused() {
    let files = Files::new();
    stdout_of(&files.run(&["profile", &files.reference, "-o", "r.profile"]), 0);
    let path = files.folder.path().join("r.profile");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let output = files.run(&["monitor", "--reference", "r.profile", "--current", &files.current]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("r.profile") && error.contains("damaged"), "{error}");
}

#[test]
fn days_with_and_without_gaps_are_one_profile() {
    let files = Files::new();
    let write = |name: &str, text: &str| {
        std::fs::write(files.folder.path().join(name), text).unwrap();
    };
    write("monday.csv", "n,town\n1,a\n2,b\n3,a\n");
    write("tuesday.csv", "n,town\n4,a\n,b\n");
    write("wrong.csv", "n,town\nmany,a\n");
    write("less.csv", "n\n1\n");
    let merge = |other: &str| files.run(&["profile", "monday.csv", other, "-o", "week.profile"]);
    assert!(stdout_of(&merge("tuesday.csv"), 0).contains("5 rows, 2 columns"));
    let both = ["--reference", "week.profile", "--current", "monday.csv"];
    let week = files.run(&[&["monitor", "--json"], &both[..]].concat());
    let week: Value = serde_json::from_str(&stdout_of(&week, 0)).unwrap();
    assert_eq!(column(&week, "n")["reference"]["missing"], 1);
    for (other, reason) in [
        ("wrong.csv", "\"n\" is Utf8 in wrong.csv, and Int64 before"),
        ("less.csv", "less.csv has no column \"town\""),
    ] {
        let refused = merge(other);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn an_export_of_nothing_is_no_calm() {
    let files = Files::new();
    let empty = files.folder.path().join("empty.csv");
    std::fs::write(&empty, "id,x,n,town,day\n,,,,\n,,,,\n").unwrap();
    let mut arguments = vec!["monitor", "--reference", &files.reference, "--current", "empty.csv"];
    stdout_of(&files.run(&arguments), 0);
    arguments.push("--fail-on-drift");
    let refused = files.run(&arguments);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{error}");
    assert!(error.contains("no column could be compared"), "{error}");
}

#[test]
fn an_interrupted_comparison_leaves_no_temporary_files() {
    let files = Files::new();
    let big = table(&files.folder.path().join("big.csv"), 400_000, 0.0);
    let temporary = files.folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut child = trainyard()
        .current_dir(files.folder.path())
        .env("TMPDIR", &temporary)
        // As on a machine with one processor.
        .env("TOKIO_WORKER_THREADS", "1")
        .args(["monitor", "--reference", &big, "--current", &big, "--memory", "1MB"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let any_file = || {
        let folders = std::fs::read_dir(&temporary).unwrap().flatten();
        folders.filter(|folder| folder.path().is_dir()).any(|folder| {
            std::fs::read_dir(folder.path()).is_ok_and(|mut inside| inside.next().is_some())
        })
    };
    while !any_file() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it wrote anything");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt as _;

    let files = Files::new();
    let pipe = files.folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe).unwrap()
    });
    stdout_of(&files.run(&["profile", &files.reference, "-o", "pipe"]), 0);
    assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
    let read = reader.join().unwrap();
    std::fs::write(files.folder.path().join("read.profile"), read).unwrap();
    files.monitor("read.profile", &[]);
}

#[test]
fn a_file_of_settings_may_name_the_sides_and_misspelt_columns_are_said() {
    let files = Files::new();
    let settings = "[monitor]\nreference = \"reference.csv\"\ncurrent = \"current.csv\"\n\
                    [monitor.per_column_method]\nxx = \"ks\"\n";
    std::fs::write(files.folder.path().join("m.toml"), settings).unwrap();
    let output = files.run(&["monitor", "--config", "m.toml", "--json"]);
    let result: Value = serde_json::from_str(&stdout_of(&output, 0)).unwrap();
    assert_eq!(result["current"]["rows"], 1500);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("there is no column \"xx\""), "{error}");
    for (arguments, reason) in [
        (["monitor", "--reference", "reference.csv"], "--current are both needed"),
        (["monitor", "--config", "nope.toml"], "nope.toml"),
        (["profile", "reference.csv", "--columns=zzz"], "there is no column \"zzz\""),
    ] {
        let refused = files.run(&arguments);
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

/// Writes the same table twice, the second time with other bytes in the pages of one column.
const DAMAGED: &str = r#"
import sys, numpy, pyarrow as pa, pyarrow.parquet as pq
folder = sys.argv[1]
rows = numpy.arange(5000)
table = pa.table({"a": rows * 0.5, "b": rows % 7, "c": rows * 1.5})
pq.write_table(table, f"{folder}/good.parquet", use_dictionary=False, compression="snappy")
pq.write_table(table.drop_columns(["c"]), f"{folder}/short.parquet")
pq.write_table(table.set_column(2, "c", pa.nulls(5000, pa.float64())), f"{folder}/empty.parquet")
column = pq.ParquetFile(f"{folder}/good.parquet").metadata.row_group(0).column(1)
data = bytearray(open(f"{folder}/good.parquet", "rb").read())
start = column.data_page_offset + 40
for place in range(start, start + 200):
    data[place] ^= 0xFF
open(f"{folder}/damaged.parquet", "wb").write(data)
"#;

#[test]
fn a_column_that_nobody_could_read_or_that_is_gone_is_not_green() {
    let files = Files::new();
    trainyard_testkit::run_python(DAMAGED, &[files.folder.path().to_str().unwrap()], &[]);
    let monitor = |current: &str, flags: &[&str]| {
        let mut arguments =
            vec!["monitor", "--reference", "good.parquet", "--current", current, "--no-log"];
        arguments.extend_from_slice(flags);
        files.run(&arguments)
    };
    let said = stdout_of(&monitor("good.parquet", &["--fail-on-drift"]), 0);
    assert!(said.contains("● Stable: no drift\n"), "{said}");
    for (flags, code) in [
        (&[][..], 2),
        (&["--fail-on-drift"], 4),
        (&["--fail-on", "broken"], 4),
        (&["--fail-on", "warning", "--fail-on", "serious"], 4),
        (&["--compat", "evidently"], 2),
    ] {
        let output = monitor("damaged.parquet", flags);
        let said = stdout_of(&output, code);
        assert!(said.contains("✕ Broken: no drift in what could be compared\n"), "{said}");
        // Lines are broken where they fit a terminal.
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("1 could not be compared (b)"), "{said}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            error.contains("\"b\" could not be compared") && error.contains("hint:"),
            "{error}"
        );
        assert!(!error.contains("panicked") && !error.contains("RUST_BACKTRACE"), "{error}");
    }
    for current in ["short.parquet", "empty.parquet"] {
        let said = stdout_of(&monitor(current, &[]), 0);
        assert!(said.contains("✕ Broken: no drift in what could be compared\n"), "{said}");
        stdout_of(&monitor(current, &["--fail-on", "serious"]), 4);
        let error = monitor(current, &["--fail-on-drift"]);
        assert_eq!(error.status.code(), Some(4));
        assert!(String::from_utf8_lossy(&error.stderr).contains("\"c\" could not be compared"));
    }
    // What is left out on purpose is no riddle.
    stdout_of(&monitor("short.parquet", &["--fail-on-drift", "--columns", "a,b"]), 0);
}

#[test]
fn text_is_read_as_people_mean_it() {
    let files = Files::new();
    let write = |name: &str, shift: f64, stray: bool| {
        let mut text = String::from("fee;rate;zip\n");
        for row in 0..2000 {
            let noise = f64::from(row * 7919 % 1009) / 1009.0 + shift;
            let fee = if stray && row == 1000 { "N.A.".to_owned() } else { format!("${noise}") };
            writeln!(text, "{fee};{}%;{:05}", 100.0 * noise, 700 + row % 8).unwrap();
        }
        std::fs::write(files.folder.path().join(name), text).unwrap();
    };
    write("a.csv", 0.0, false);
    write("b.csv", 0.0, true);
    write("c.csv", 0.5, true);
    let monitor = |current: &str, flags: &[&str]| -> Value {
        let mut arguments = vec!["monitor", "--reference", "a.csv", "--current", current];
        arguments.extend(["--json", "--no-log"]);
        arguments.extend_from_slice(flags);
        serde_json::from_str(&stdout_of(&files.run(&arguments), 0)).unwrap()
    };
    let findings = |of: &Value| of["findings"].to_string();

    let same = monitor("b.csv", &[]);
    assert_eq!(same["dataset"]["verdict"], "warning");
    assert!(findings(&same).contains("fields are separated by ';'"), "{}", findings(&same));
    let fee = column(&same, "fee");
    assert_eq!(fee["kind"], "numerical");
    assert_eq!(fee["current"]["missing"], 1);
    assert_eq!(fee["test"]["drifted"], false);
    let said = findings(fee);
    assert!(said.contains("numbers, $ left off"), "{said}");
    assert!(said.contains("1 of 2000 values of current is no number"), "{said}");
    assert!(said.contains("in line 1002"), "{said}");
    assert_eq!(column(&same, "rate")["kind"], "numerical");
    let zip = column(&same, "zip");
    assert_eq!(zip["kind"], "categorical");
    assert!(zip["distribution"].to_string().contains("00700"), "{zip}");

    // Against itself, nothing is new.
    let own = serde_json::from_str::<Value>(&stdout_of(
        &files.run(&[
            "monitor",
            "--reference",
            "b.csv",
            "--current",
            "b.csv",
            "--json",
            "--no-log",
        ]),
        0,
    ))
    .unwrap();
    assert_eq!(own["dataset"]["verdict"], "stable", "{own}");

    let moved = monitor("c.csv", &[]);
    assert_eq!(column(&moved, "fee")["test"]["drifted"], true);
    assert_eq!(column(&moved, "rate")["test"]["drifted"], true);

    // Profiles say what they guess, and give the same.
    let profiled = files.run(&["profile", "a.csv", "-o", "a.profile"]);
    stdout_of(&profiled, 0);
    let said = String::from_utf8_lossy(&profiled.stderr);
    assert!(said.contains("column \"fee\" is read as numbers, $ left off"), "{said}");
    let by_profile: Value = serde_json::from_str(&stdout_of(
        &files.run(&[
            "monitor",
            "--reference",
            "a.profile",
            "--current",
            "c.csv",
            "--json",
            "--no-log",
        ]),
        0,
    ))
    .unwrap();
    for name in ["fee", "rate", "zip"] {
        assert_eq!(column(&by_profile, name)["test"], column(&moved, name)["test"], "{name}");
    }
    assert_eq!(by_profile["dataset"], moved["dataset"]);

    // Evidently sees one column of labels.
    let evidently = monitor("c.csv", &["--compat", "evidently"]);
    assert_eq!(evidently["columns"].as_array().unwrap().len(), 1);
}

#[test]
fn what_compares_two_sides_is_refused_for_one() {
    let files = Files::new();
    let refused = files.run(&["profile", "reference.csv", "--drift-share", "0.3"]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("--drift-share is about the comparison of two sides"), "{error}");
    assert!(error.contains("give it to `trainyard monitor`"), "{error}");
    stdout_of(&files.run(&["profile", "reference.csv", "--kind", "n=categorical"]), 0);
}

#[test]
fn rules_are_learned_written_down_and_kept() {
    let files = Files::new();
    let learned =
        stdout_of(&files.run(&["monitor", "--reference", "reference.csv", "--print-config"]), 0);
    let own =
        "[monitor]\nchecks = [\"x < n\"]\nfreshness = { column = \"day\", max_age = \"1h\" }\n";
    std::fs::write(files.folder.path().join("own.toml"), learned.replacen("[monitor]\n", own, 1))
        .unwrap();
    let result = files.monitor(&files.reference, &["--config", "own.toml"]);
    let findings = |of: &Value, kind: &str| -> Vec<String> {
        let found = of["findings"].as_array().unwrap().iter();
        let found = found.filter(|finding| finding["kind"] == kind);
        found.map(|finding| finding["message"].as_str().unwrap().to_owned()).collect()
    };
    // A new town and numbers beyond the range are what the reference taught.
    let town = findings(column(&result, "town"), "rule");
    assert_eq!(town, ["150 of 1500 values are not allowed: \"new\""]);
    let x = findings(column(&result, "x"), "rule");
    assert!(x[0].contains("values lie outside of 0 to 0.99"), "{x:?}");
    assert!(findings(column(&result, "x"), "out_of_range").is_empty());
    let rows = findings(&result, "rule");
    assert!(rows[0].contains("rows break \"x < n\": row 1, "), "{rows:?}");
    let age = findings(&result, "stale");
    assert!(age[0].starts_with("the newest \"day\" in current is 2026-02-28, "), "{age:?}");
    // Data of long ago say nothing of today.
    assert_eq!(result["dataset"]["verdict"], "broken");
    let fresh = files.monitor(
        &files.reference,
        &["--config", "own.toml", "--max-age", "day=36500d", "--check", "x < 10"],
    );
    assert_eq!(fresh["dataset"]["verdict"], "drift");
    assert!(findings(&fresh, "rule").is_empty(), "{fresh}");
}
