//! `server import`: what a client read from MLflow's file store it reads from the server afterwards; broken off,
//! done twice, on stores of old versions and broken ones.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use trainyard_testkit::{KillOnDrop, run_python};

use crate::backup::server;
use crate::project::trainyard;

const MAKE: &str = include_str!("import/make.py");
const READ: &str = include_str!("import/read.py");

fn import(folder: &Path, arguments: &[&str]) -> Output {
    trainyard()
        .current_dir(folder)
        .args(["server", "import", "mlruns"])
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a client sees of a store.
fn read(uri: &str) -> serde_json::Value {
    let environment = [("MLFLOW_TRACKING_URI", uri), ("MLFLOW_ALLOW_FILE_STORE", "true")];
    serde_json::from_str(run_python(READ, &[], &environment).trim()).unwrap()
}

/// All rows of all tables, in an order of their own and without ids that are random.
const DUMP: &str = r#"
import hashlib, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for (table,) in sorted(database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'trainyard%'").fetchall()):
    columns = [row[1] for row in database.execute(f"PRAGMA table_info('{table}')")]
    random = ("input_uuid", "dataset_uuid") + (("source_id",) if table == "inputs" else ())
    columns = ", ".join(f'"{name}"' for name in columns if name not in random)
    where = "WHERE experiment_id <> 0" if table == "experiments" else ""
    rows = sorted(map(repr, database.execute(f"SELECT {columns} FROM \"{table}\" {where}")))
    print(table, len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
"#;

fn dump(folder: &Path) -> String {
    run_python(DUMP, &[&folder.join("mlflow.db").display().to_string()], &[])
}

#[test]
fn what_a_client_read_from_files_it_reads_from_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let files = format!("file://{}", folder.path().join("mlruns").display());
    let environment =
        [("MLFLOW_TRACKING_URI", files.as_str()), ("MLFLOW_ALLOW_FILE_STORE", "true")];
    run_python(MAKE, &[], &environment);
    let expected = read(&files);
    let tried = import(folder.path(), &["--dry-run"]);
    assert_eq!(tried.status.code(), Some(0), "{tried:?}");
    assert!(text(&tried.stdout).contains("registered models"), "{tried:?}");
    assert!(!folder.path().join("mlflow.db").exists(), "a dry run writes nothing");

    let imported = import(folder.path(), &[]);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    let first = dump(folder.path());
    let again = import(folder.path(), &[]);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert_eq!(text(&again.stdout), text(&imported.stdout));
    assert_eq!(dump(folder.path()), first, "the second import does nothing");

    // The server does without the files.
    std::fs::rename(folder.path().join("mlruns"), folder.path().join("old")).unwrap();
    let (_running, uri) = server(folder.path());
    let seen = read(&uri);
    for part in ["experiments", "runs", "models", "registry", "versions"] {
        assert_eq!(seen[part], expected[part], "{part}");
    }
    // A model that was logged to files is loaded from the server.
    let load =
        "import mlflow; print(mlflow.pyfunc.load_model('models:/Iris@Production').predict([1]))";
    assert_eq!(run_python(load, &[], &[("MLFLOW_TRACKING_URI", &uri)]).trim(), "[1]");
}

/// A store as MLflow 1 wrote it: ids that are numbers, runs without a name, values without a step.
fn old_store(folder: &Path, runs: usize) {
    let write = |name: String, text: &str| {
        let path = folder.join("mlruns").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let experiment =
        "artifact_location: ./mlruns/3\nexperiment_id: 3\nlifecycle_stage: active\nname: old\n";
    write("3/meta.yaml".to_owned(), experiment);
    for number in 0..runs {
        let id = format!("{number:032x}");
        let meta = format!(
            "artifact_uri: ./mlruns/3/{id}/artifacts\nend_time: 1550000001000\nentry_point_name: ''\n\
             experiment_id: 3\nname: ''\nrun_uuid: '{id}'\nsource_name: train.py\nsource_type: 4\n\
             source_version: null\nstart_time: 1550000000000\nstatus: 3\ntags: []\nuser_id: ada\n"
        );
        write(format!("3/{id}/meta.yaml"), &meta);
        write(format!("3/{id}/params/depth"), &number.to_string());
        write(format!("3/{id}/tags/mlflow.runName"), &format!("run {number}"));
        let mut values = String::new();
        for step in 0..50 {
            writeln!(values, "{} 0.{step}", 1_550_000_000 + step).unwrap();
        }
        write(format!("3/{id}/metrics/loss"), &values);
        write(format!("3/{id}/artifacts/model/weights.bin"), &"w".repeat(number + 1));
    }
}

#[test]
fn an_import_that_is_killed_and_done_again_is_like_one_that_was_not() {
    const RUNS: usize = 400;
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&whole, &killed] {
        old_store(folder.path(), RUNS);
    }
    let imported = import(whole.path(), &[]);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    assert!(text(&imported.stdout).contains("20000        20000"), "{imported:?}");

    let mut command = trainyard();
    command.current_dir(killed.path()).args(["server", "import", "mlruns"]);
    let mut running = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    let copied = killed.path().join("mlartifacts/3");
    let runs = || std::fs::read_dir(&copied).map_or(0, Iterator::count);
    let start = Instant::now();
    while runs() < 20 {
        assert!(start.elapsed() < Duration::from_mins(2), "nothing is imported");
        std::thread::yield_now();
    }
    running.kill();
    let again = import(killed.path(), &[]);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert_eq!(text(&again.stdout), text(&imported.stdout));
    assert_eq!(dump(killed.path()), dump(whole.path()));
    let files = Command::new("diff")
        // What a writer that was killed has not finished is no artifact.
        .args(["-r", "-x", "*#*", "mlartifacts"])
        .arg(whole.path().join("mlartifacts"))
        .current_dir(killed.path())
        .output()
        .unwrap();
    assert!(files.status.success(), "{files:?}");
}

#[test]
fn artifacts_stay_in_place_below_a_root_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    old_store(folder.path(), 2);
    let elsewhere = tempfile::tempdir().unwrap();
    let refused = trainyard()
        .current_dir(elsewhere.path())
        .args(["server", "import", "--artifacts", "in-place"])
        .arg(folder.path().join("mlruns"))
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(text(&refused.stderr).contains("--allowed-artifact-root"), "{refused:?}");

    let imported = import(folder.path(), &["--artifacts", "in-place"]);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    assert!(!folder.path().join("mlartifacts").exists());
    let (_running, uri) = server(folder.path());
    let seen = read(&uri);
    assert_eq!(seen["runs"]["00000000000000000000000000000001"]["files"][0][1], 2, "{seen}");
}

#[test]
fn what_is_broken_is_named_and_only_left_out_when_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    old_store(folder.path(), 3);
    let run =
        |number: usize, name: &str| folder.path().join(format!("mlruns/3/{number:032x}/{name}"));
    std::fs::write(run(0, "meta.yaml"), "run_uuid: [").unwrap();
    std::fs::write(run(1, "params/depth"), "a\0b").unwrap();
    std::fs::write(run(1, "metrics/loss"), "1 2 3\nnonsense\n2 3 4\n").unwrap();
    let refused = import(folder.path(), &[]);
    let error = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains("3 files or folders") && error.contains("--skip-broken"), "{error}");
    for (name, reason) in [("meta.yaml", ""), ("params/depth", "NUL"), ("metrics/loss", "line 2")] {
        let named = error.lines().any(|line| line.contains(name) && line.contains(reason));
        assert!(named, "{name}: {error}");
    }
    assert!(!folder.path().join("mlflow.db").exists(), "nothing is written");
    let skipped = import(folder.path(), &["--skip-broken"]);
    assert_eq!(skipped.status.code(), Some(0), "{skipped:?}");
    let table = text(&skipped.stdout);
    let line = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().rev().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("runs"), ["2", "2"], "{table}");
    assert_eq!(line("params"), ["1", "1"], "{table}");
    assert_eq!(line("metric values"), ["52", "52"], "{table}");
}

/// Others have experiments and a model already.
const OTHERS: &str = r"
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
for name in ['theirs', 'other', 'third']:
    client.create_experiment(name, artifact_location='mlflow-artifacts:/' + name)
if sys.argv[2] == 'same name':
    client.rename_experiment('1', 'old')
";

#[test]
fn numbers_and_names_of_others_stay_theirs() {
    let folder = tempfile::tempdir().unwrap();
    old_store(folder.path(), 2);
    let uri = format!("sqlite:///{}", folder.path().join("mlflow.db").display());
    run_python(OTHERS, &[&uri, "other names"], &[]);
    // Number 3 is the third's.
    let imported = import(folder.path(), &[]);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    assert!(text(&imported.stderr).contains("'old' has number 4"), "{imported:?}");
    let again = import(folder.path(), &[]);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert_eq!(text(&again.stdout), text(&imported.stdout));

    let folder = tempfile::tempdir().unwrap();
    old_store(folder.path(), 2);
    let uri = format!("sqlite:///{}", folder.path().join("mlflow.db").display());
    run_python(OTHERS, &[&uri, "same name"], &[]);
    let before = dump(folder.path());
    let refused = import(folder.path(), &[]);
    let error = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("experiment 'old'") && error.contains("--merge-experiments"), "{error}");
    assert_eq!(dump(folder.path()), before, "nothing is written");
    for _time in 0..2 {
        let merged = import(folder.path(), &["--merge-experiments"]);
        assert_eq!(merged.status.code(), Some(0), "{merged:?}");
        assert!(text(&merged.stderr).contains("'old' has number 1"), "{merged:?}");
    }
}

#[test]
fn a_folder_that_is_no_file_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = import(folder.path(), &[]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    std::fs::create_dir_all(folder.path().join("mlruns/0")).unwrap();
    let refused = import(folder.path(), &[]);
    assert!(text(&refused.stderr).contains("is not MLflow's file store"), "{refused:?}");
    assert!(!folder.path().join("mlflow.db").exists());
}
