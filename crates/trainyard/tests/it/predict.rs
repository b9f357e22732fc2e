//! `trainyard predict`: what Python would answer, and nothing lost or done twice, whoever is killed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use trainyard_testkit::s3::S3;
use trainyard_testkit::{KillOnDrop, workspace_root};

use crate::project::{TestProject, stdout_of, trainyard};

/// A model folder of the tests, with what Python answers.
fn model(name: &str) -> PathBuf {
    workspace_root().join("crates/models/tests/models").join(name)
}

fn model_uri(name: &str) -> String {
    model(name).to_string_lossy().into_owned()
}

fn expected(name: &str) -> Value {
    let text = std::fs::read_to_string(model(name).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The recorded input as CSV, with an id before it that must stay as it is written.
fn recorded_csv(expected: &Value) -> String {
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = |values: &Value| {
        let cells: Vec<String> = values.as_array().unwrap().iter().map(cell).collect();
        cells.join(",")
    };
    let mut text = format!("id,{}\n", line(&expected["inputs"]["columns"]));
    for (row, values) in expected["inputs"]["data"].as_array().unwrap().iter().enumerate() {
        writeln!(text, "{row:03},{}", line(values)).unwrap();
    }
    text
}

fn predict(folder: &Path, arguments: &[&str]) -> Output {
    trainyard().current_dir(folder).arg("predict").args(arguments).output().unwrap()
}

fn summary(folder: &Path, arguments: &[&str]) -> Value {
    let output = predict(folder, &[arguments, &["--json"]].concat());
    serde_json::from_str(&stdout_of(&output, 0)).unwrap()
}

fn error_of(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The objects of an output that a reader of tables sees.
fn parts(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeMap::new() };
    let parts = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("part-").then(|| (name, std::fs::read(entry.path()).unwrap_or_default()))
    });
    parts.collect()
}

/// Rows of a CSV without quotes, as text.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split(',').collect()).collect()
}

#[test]
fn tables_are_answered_as_python_answers_them() {
    let folder = tempfile::tempdir().unwrap();
    let expected = expected("sk_pipeline");
    std::fs::write(folder.path().join("in.csv"), recorded_csv(&expected)).unwrap();
    let (pipeline, named) = (model_uri("sk_pipeline"), format!("b={}", model_uri("sk_pipeline")));
    let flags =
        ["-m", &pipeline, "in.csv", "out.csv", "--keep", "id", "--probabilities", "--explain"];
    let told = summary(folder.path(), &flags);
    assert_eq!((&told["rows"], &told["bad_rows"]), (&Value::from(50), &Value::from(0)));
    let text = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let rows = rows(&text);
    assert_eq!(rows[0][..5], ["id", "prediction", "probability_0", "probability_1", "base"]);
    let columns = expected["inputs"]["columns"].as_array().unwrap().iter();
    let contributions: Vec<String> =
        columns.map(|name| format!("contribution_{}", name.as_str().unwrap())).collect();
    assert_eq!(rows[0][5..], contributions);
    assert_eq!(rows.len(), 51);
    for (row, cells) in rows[1..].iter().enumerate() {
        assert_eq!(cells[0], format!("{row:03}"));
        assert_eq!(cells[1], expected["pyfunc_predict"][row].to_string());
        for class in 0..2 {
            let found: f64 = cells[2 + class].parse().unwrap();
            let wanted = expected["predict_proba"][row][class].as_f64().unwrap();
            assert!((found - wanted).abs() < 1e-12, "row {row}: {found} {wanted}");
        }
        // What the columns gave adds up to the log-odds.
        let sum: f64 = cells[4..].iter().map(|cell| cell.parse::<f64>().unwrap()).sum();
        let proba = &expected["predict_proba"][row];
        let odds = (proba[1].as_f64().unwrap() / proba[0].as_f64().unwrap()).ln();
        assert!((sum - odds).abs() < 1e-9, "row {row}: {sum} {odds}");
    }
    // Nothing but the file is left, and it is not written over.
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2);
    assert!(error_of(&predict(folder.path(), &flags)).contains("is there already"));

    // The input is never taken for an output that is begun again.
    let own = ["-m", &pipeline, "in.csv", "in.csv", "--overwrite"];
    assert!(error_of(&predict(folder.path(), &own)).contains("the input is in the output"));
    assert!(folder.path().join("in.csv").exists());

    // Two models beside each other, as Parquet, which is an input as well.
    let both = ["-m", &format!("a={pipeline}"), "-m", &named, "in.csv", "out.parquet"];
    summary(folder.path(), &both);
    let again = ["-m", &pipeline, "in.csv", "wide.parquet", "--keep", "id,age,income,city,plan"];
    // A column that the model takes is kept as the text that it is in the file.
    summary(folder.path(), &again);
    let kept = ["-m", &pipeline, "out.parquet", "kept", "--keep", "a.prediction"];
    let error = error_of(&predict(folder.path(), &kept));
    assert!(error.contains("missing inputs"), "{error}");

    let dry = ["-m", &pipeline, "in.csv", "none.csv", "--dry-run"];
    let estimate = summary(folder.path(), &dry);
    assert_eq!((&estimate["rows"], &estimate["parts"]), (&Value::from(50), &Value::from(1)));
    assert!(!folder.path().join("none.csv").exists());
}

#[test]
fn a_mistyped_name_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = trainyard().current_dir(folder.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let missing = run(&["predict", "-m", "models:/Iris/1", "missing.csv", "out.csv"]);
    assert!(missing.contains("missing.csv"), "{missing}");
    let missing = run(&["replay", "missing", "--since", "1d"]);
    assert!(missing.contains("missing"), "{missing}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    // Nor is a database made in which nothing can be found.
    std::fs::write(folder.path().join("in.csv"), "x\n1\n").unwrap();
    let unknown = run(&["predict", "-m", "models:/Iris/1", "in.csv", "out.csv"]);
    assert!(unknown.contains("models:/Iris/1"), "{unknown}");
    assert!(!folder.path().join("mlflow.db").exists());
}

#[test]
fn rows_that_do_not_fit_are_refused_or_left_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let expected = expected("sk_pipeline");
    let good = recorded_csv(&expected);
    let mut lines: Vec<&str> = good.lines().collect();
    lines[8] = "007,old,1.5,rome,a";
    lines[31] = "030,31.5,1.5,rome,a";
    std::fs::write(folder.path().join("in.csv"), lines.join("\n")).unwrap();
    let pipeline = model_uri("sk_pipeline");
    let flags = ["-m", &pipeline, "in.csv", "out.csv", "--keep", "id"];
    let error = error_of(&predict(folder.path(), &flags));
    assert!(
        error.contains("in.csv, row 7, column \"age\"") && error.contains("--bad-rows"),
        "{error}"
    );
    assert!(!folder.path().join("out.csv").exists());

    // What was begun is gone on with as it was begun, or not at all.
    let leave = [&flags[..], &["--bad-rows", "bad.jsonl"]].concat();
    assert!(error_of(&predict(folder.path(), &leave)).contains("--bad-rows"));
    let told = summary(folder.path(), &[&leave[..], &["--overwrite"]].concat());
    assert_eq!((&told["rows"], &told["bad_rows"]), (&Value::from(50), &Value::from(2)));
    let bad = std::fs::read_to_string(folder.path().join("bad.jsonl")).unwrap();
    let bad: Vec<Value> = bad.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let known =
        |line: &Value| (line["row"].clone(), line["column"].clone(), line["kept"]["id"].clone());
    assert_eq!(known(&bad[0]), (7.into(), "age".into(), "007".into()));
    assert_eq!(known(&bad[1]), (30.into(), "age".into(), "030".into()));
    assert_eq!(bad.len(), 2);
    let text = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
    for cells in &rows(&text)[1..] {
        let row: usize = cells[0].parse().unwrap();
        assert_eq!(cells[1], expected["pyfunc_predict"][row].to_string());
    }
    assert_eq!(text.lines().count(), 49);

    // Columns that are missing are no fault of a row.
    std::fs::write(folder.path().join("other.csv"), "id,age\n1,2\n").unwrap();
    let other = ["-m", &pipeline, "other.csv", "o.csv", "--bad-rows", "b.jsonl"];
    assert!(error_of(&predict(folder.path(), &other)).contains("missing inputs"));
    let keep = ["-m", &pipeline, "in.csv", "o2.csv", "--keep", "ts"];
    assert!(error_of(&predict(folder.path(), &keep)).contains("no column \"ts\""));
}

/// A folder of small files, so that there are many parts.
fn many_files(folder: &Path, files: usize) {
    let all = recorded_csv(&expected("sk_logreg"));
    std::fs::create_dir(folder.join("in")).unwrap();
    for file in 0..files {
        std::fs::write(folder.join(format!("in/{file:04}.csv")), &all).unwrap();
    }
}

/// Waits until so many parts are there, or the job has ended.
fn wait_for_parts(job: &mut KillOnDrop, output: &Path, count: usize) {
    let started = Instant::now();
    while parts(output).len() < count && job.0.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_mins(2), "{count} parts never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_job_that_is_killed_goes_on_and_writes_the_same_bytes() {
    let is_long = std::env::var_os("TRAINYARD_TEST_LONG").is_some();
    let kills = if is_long { 50 } else { 3 };
    let step = 4;
    let files = (kills + 1) * step;
    let folder = tempfile::tempdir().unwrap();
    many_files(folder.path(), files);
    let logreg = model_uri("sk_logreg");
    let flags = |output: &'static str| ["-m", &logreg, "in", output, "--keep", "id"];
    let whole = summary(folder.path(), &flags("whole"));
    assert_eq!((&whole["parts"], &whole["parts_found"]), (&files.into(), &0.into()));

    for kill in 0..kills {
        let mut command = trainyard();
        command.current_dir(folder.path()).arg("predict").args(flags("killed"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut job = KillOnDrop::spawn(&mut command);
        wait_for_parts(&mut job, &folder.path().join("killed"), 1 + kill * step);
        job.kill();
        // What is there is whole.
        let (made, whole) =
            (parts(&folder.path().join("killed")), parts(&folder.path().join("whole")));
        assert!(made.iter().all(|(name, bytes)| whole[name] == *bytes), "after kill {kill}");
    }
    let last = summary(folder.path(), &flags("killed"));
    assert_eq!((&last["rows"], &last["parts"]), (&whole["rows"], &whole["parts"]));
    assert!(last["parts_found"].as_u64().unwrap() > 0, "{last}");
    assert_eq!(last["is_complete"], true);
    assert_eq!(parts(&folder.path().join("killed")), parts(&folder.path().join("whole")));

    // Several jobs at once, which know nothing of each other, do the same.
    for share in ["3/3", "1/3"] {
        let done = summary(folder.path(), &[&flags("shared")[..], &["--shard", share]].concat());
        assert_eq!(done["is_complete"], false, "{share}");
    }
    assert!(!folder.path().join("shared/_SUCCESS").exists());
    let done = summary(folder.path(), &[&flags("shared")[..], &["--shard", "2/3"]].concat());
    assert_eq!(done["is_complete"], true);
    assert_eq!(parts(&folder.path().join("shared")), parts(&folder.path().join("whole")));

    // An input that changed is another table.
    let longer = format!("{}050,1,2,3,4\n", recorded_csv(&expected("sk_logreg")));
    std::fs::write(folder.path().join("in/0000.csv"), longer).unwrap();
    let error = error_of(&predict(folder.path(), &flags("whole")));
    assert!(error.contains("another input"), "{error}");
}

#[test]
fn a_job_is_a_run_and_keeps_to_the_version_that_it_began_with() {
    let project = TestProject::iris();
    stdout_of(&project.run(&["train"]), 0);
    let flags = [
        "predict",
        "-m",
        "models:/IrisClassifier/latest",
        "data/production_logs.csv",
        "scores",
        "--format",
        "csv",
        "--keep",
        "species",
        "--json",
        "--tracking-uri",
        "sqlite:///mlflow.db",
    ];
    let shard = |shard: &str| -> Value {
        let output = project.run(&[&flags[..], &["--shard", shard]].concat());
        serde_json::from_str(&stdout_of(&output, 0)).unwrap()
    };
    let first = shard("2/2");
    assert_eq!(first["models"][0]["version"], "1");
    assert_eq!(first["is_complete"], false);
    project.add_training_row("5.0,3.4,1.5,0.2,setosa");
    stdout_of(&project.run(&["train"]), 0);
    let last = shard("1/2");
    assert_eq!(last["models"][0]["version"], "1", "the job began with it");
    assert_eq!((&last["is_complete"], &last["run_id"]), (&true.into(), &first["run_id"]));
    assert!(last["drift"]["columns"].as_u64().is_some_and(|columns| columns > 0), "{last}");
    // Told once more, it has nothing to do.
    assert_eq!(shard("1/2")["rows_per_second"], 0.0);

    let seen = trainyard_testkit::run_python(
        "import sys, mlflow; from mlflow import MlflowClient\n\
         run = MlflowClient(sys.argv[1]).get_run(sys.argv[2])\n\
         print(run.info.status, int(run.data.metrics['rows']), run.data.tags['trainyard.model_version'],\n\
         \x20     run.inputs.dataset_inputs[0].dataset.digest[:8])",
        &[
            &format!("sqlite:///{}", project.file("mlflow.db").display()),
            last["run_id"].as_str().unwrap(),
        ],
        &[],
    );
    let rows = std::fs::read_to_string(project.file("data/production_logs.csv")).unwrap();
    let rows = rows.lines().count() - 1;
    assert!(seen.starts_with(&format!("FINISHED {rows} 1 ")), "{seen}");
}

#[test]
fn tables_of_object_stores_are_scored_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = S3::start("tables");
    many_files(folder.path(), 2);
    for name in ["0000.csv", "0001.csv"] {
        s3.upload(&format!("in/{name}"), &folder.path().join("in").join(name).to_string_lossy());
    }
    let logreg = model_uri("sk_logreg");
    let flags = ["-m", &logreg, "s3://tables/in", "s3://tables/out", "--keep", "id"];
    let run = |more: &[&str]| -> Value {
        let mut command = trainyard();
        command.current_dir(folder.path()).envs(s3.keys()).arg("predict").args(flags);
        let output = command.args(more).arg("--json").output().unwrap();
        serde_json::from_str(&stdout_of(&output, 0)).unwrap()
    };
    let first = run(&["--shard", "2/2"]);
    assert_eq!((&first["rows"], &first["is_complete"]), (&50.into(), &false.into()));
    let rest = run(&["--shard", "1/2"]);
    assert_eq!((&rest["rows"], &rest["is_complete"]), (&50.into(), &true.into()));
    assert_eq!(run(&["--shard", "1/2"])["parts_found"], 1);
}
