//! Every mistake gets one paragraph, a hint, the right exit code, and leaves nothing behind.

use std::net::TcpListener;
use std::process::Output;

use crate::project::{TestProject, trainyard};

/// Checks exit code, that the message has every one of `parts`, that there is a hint, no panic.
fn check(output: &Output, code: i32, parts: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in:\n{error}");
    }
    assert!(error.contains("hint:"), "no hint in:\n{error}");
    assert!(!error.contains("panicked"), "{error}");
    assert!(output.stdout.is_empty(), "stdout is for results: {output:?}");
}

/// Nothing was registered.
fn check_nothing_registered(project: &TestProject) {
    let database = project.file("mlflow.db");
    if database.exists() {
        let versions = trainyard_testkit::run_python(
            "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('select count(*) from model_versions').fetchone()[0])",
            &[database.to_str().unwrap()],
            &[],
        );
        assert_eq!(versions.trim(), "0");
    }
}

#[test]
fn no_project_here() {
    let folder = tempfile::tempdir().unwrap();
    let output = trainyard().current_dir(folder.path()).arg("run").output().unwrap();
    check(&output, 2, &["trainyard.toml", "trainyard init"]);
}

#[test]
fn a_typo_in_the_project_file_is_named_with_its_line() {
    let project = TestProject::iris();
    project.edit("algorithm = ", "algoritm = ");
    check(&project.run(&["run"]), 2, &["trainyard.toml", "line", "algoritm"]);
}

#[test]
fn training_data_that_is_not_there() {
    let project = TestProject::iris();
    project.edit("data/train.csv", "data/trian.csv");
    check(&project.run(&["train"]), 2, &["trian.csv"]);
    check_nothing_registered(&project);
}

#[test]
fn empty_training_data() {
    let project = TestProject::iris();
    std::fs::write(project.file("data/train.csv"), "").unwrap();
    check(&project.run(&["train"]), 2, &["train.csv"]);
    check_nothing_registered(&project);
}

#[test]
fn only_a_header() {
    let project = TestProject::iris();
    std::fs::write(project.file("data/train.csv"), "a,b,species\n").unwrap();
    check(&project.run(&["train"]), 2, &["train.csv"]);
    check_nothing_registered(&project);
}

#[test]
fn a_target_that_is_no_column() {
    let project = TestProject::iris();
    project.edit("target = \"species\"", "target = \"specise\"");
    check(&project.run(&["train"]), 2, &["specise", "species"]);
    check_nothing_registered(&project);
}

#[test]
fn text_among_numbers() {
    let project = TestProject::iris();
    let path = project.file("data/train.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let row = lines.get_mut(19).unwrap();
    let rest = row.split_once(',').unwrap().1.to_owned();
    *row = format!("five,{rest}");
    std::fs::write(&path, lines.join("\n")).unwrap();
    check(&project.run(&["train"]), 2, &["sepal length (cm)", "five"]);
    check_nothing_registered(&project);
}

#[test]
fn a_gate_metric_that_training_never_logs() {
    let project = TestProject::iris();
    project.edit("accuracy = { min = 0.9 }", "accurracy = { min = 0.9 }");
    check(&project.run(&["run"]), 2, &["accurracy", "accuracy"]);
}

#[test]
fn a_model_that_is_not_there_to_serve() {
    let project = TestProject::iris();
    let output = project.run(&["serve", "--model-name", "Nothing", "--port", "0"]);
    check(&output, 2, &["Nothing"]);
    check(&project.run(&["serve", "--model-uri", "./nothing", "--port", "0"]), 2, &["nothing"]);
}

#[test]
fn an_unknown_algorithm() {
    let project = TestProject::iris();
    project.edit("\"random_forest\"", "\"random_florist\"");
    check(&project.run(&["train"]), 2, &["random_florist", "random_forest"]);
    check_nothing_registered(&project);
}

#[test]
fn an_unknown_hyper_parameter() {
    let project = TestProject::iris();
    project.edit("n_estimators = 100", "n_estimator = 100");
    check(&project.run(&["train"]), 2, &["n_estimator"]);
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let project = TestProject::iris();
    project.edit("127.0.0.1:0", &address);
    check(&project.run(&["run"]), 1, &[&address]);

    let port = taken.local_addr().unwrap().port().to_string();
    check(&project.run(&["server", "--port", &port]), 1, &[&port]);
    let output = project.run(&["serve", "--model-name", "X", "--port", &port]);
    check(&output, 1, &[&port]);
}

#[test]
fn a_tracking_server_that_is_not_there() {
    let port = trainyard_testkit::free_port();
    let uri = format!("http://user:s3cret@127.0.0.1:{port}");
    let project = TestProject::iris();
    let output = trainyard()
        .current_dir(project.path())
        .env("MLFLOW_TRACKING_URI", &uri)
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        .arg("run")
        .output()
        .unwrap();
    check(&output, 1, &[&format!("127.0.0.1:{port}")]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("s3cret"), "{output:?}");
}

#[test]
fn nothing_to_promote_or_deploy_yet() {
    let project = TestProject::iris();
    check(&project.run(&["promote"]), 2, &["IrisClassifier"]);
    check(&project.run(&["promote", "--version", "7"]), 2, &["IrisClassifier", "7"]);
    check(&project.run(&["deploy"]), 2, &["Production"]);
    check(&project.run(&["monitor"]), 2, &["Production"]);
}

#[test]
fn what_is_done_to_a_deployment_needs_one() {
    let project = TestProject::iris();
    for action in ["status", "history", "logs", "pause", "resume", "metrics", "upgrade", "stop"] {
        let output = project.run(&["deploy", action]);
        check(&output, 2, &["nothing is deployed: no gateway runs for ", "`trainyard deploy`"]);
    }
}

#[test]
fn a_summary_that_could_not_be_written() {
    let project = TestProject::iris();
    for verb in ["run", "promote"] {
        let output = project.run(&[verb, "--summary", "no/such.md"]);
        check(&output, 2, &["there is no folder no", "--summary"]);
    }
    check_nothing_registered(&project);
}

#[test]
fn monitoring_what_is_not_there() {
    let project = TestProject::iris();
    let output =
        project.run(&["monitor", "--reference", "data/train.csv", "--current", "data/none.csv"]);
    check(&output, 2, &["none.csv"]);
    let output = project.run(&[
        "monitor",
        "--reference",
        "models:/Nothing@Production",
        "--current",
        "data/train.csv",
    ]);
    check(&output, 2, &["Nothing"]);
}

#[test]
fn a_wrong_flag_is_explained() {
    let output = trainyard().args(["run", "--kep"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("--keep"), "{error}");
}
