//! `trainyard run`: the whole pipeline on real data, and again beside a client that never pauses.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::project::{TestProject, stdout_of, trainyard};

fn summary(output: &std::process::Output) -> Value {
    serde_json::from_str(&stdout_of(output, 0)).unwrap()
}

#[test]
fn a_fresh_project_ends_with_a_summary_and_nothing_running() {
    let project = TestProject::iris();
    let first = summary(&project.run(&["run", "--json"]));
    assert_eq!(first["model"]["name"], "IrisClassifier");
    assert_eq!(first["model"]["version"], "1");
    assert!(first["metrics"]["accuracy"].as_f64().unwrap() >= 0.9, "{first}");
    assert_eq!(first["run_id"].as_str().unwrap().len(), 32);
    assert!(first["requests"]["sent"].as_u64().unwrap() > 0);
    let report = first["drift"]["report"].as_str().unwrap();
    let page = std::fs::read_to_string(project.path().join(report)).unwrap();
    assert!(page.contains("sepal length (cm)") && page.contains("</html>"));
    for step in ["train", "gate", "promote", "deploy", "traffic", "monitor"] {
        assert!(first["seconds"][step].is_number(), "{step}: {first}");
    }
    let url = first["url"].as_str().unwrap().to_owned();
    assert!(reqwest_get(&url).is_err(), "{url} still answers after the run");

    let second = summary(&project.run(&["run", "--force", "--json"]));
    assert_eq!(second["model"]["version"], "2", "nothing stale is reused");
    assert_eq!((&first["is_new"], &second["is_new"]), (&json!(true), &json!(true)));
    assert_ne!(first["run_id"], second["run_id"]);
    assert_eq!(
        second["drift"]["rows"], first["drift"]["rows"],
        "only this run's requests are monitored"
    );

    // Data and settings are those of version 2: it goes the rest of the way, and no version 3 is made.
    let third = summary(&project.run(&["run", "--json"]));
    assert_eq!((&third["model"]["version"], &third["is_new"]), (&json!("2"), &json!(false)));
    assert_eq!((&third["run_id"], &third["metrics"]), (&second["run_id"], &second["metrics"]));
    let trained = stdout_of(&project.run(&["train", "--if-new"]), 0);
    assert!(trained.contains("version 2 (nothing new to learn from)"), "{trained}");
    // A setting of the training is something new; one of the deployment is not.
    project.edit("drain = \"10s\"", "drain = \"9s\"");
    project.edit("seed = 42", "seed = 43");
    let fourth = stdout_of(&project.run(&["train", "--if-new", "--json"]), 0);
    let fourth: Value = serde_json::from_str(&fourth).unwrap();
    assert_eq!((&fourth["version"], &fourth["is_new"]), (&json!("3"), &json!(true)));
}

#[test]
fn the_text_summary_names_what_a_person_wants_to_know() {
    let project = TestProject::iris();
    let text = stdout_of(&project.run(&["run"]), 0);
    for part in ["accuracy", "IrisClassifier version 1", "http://127.0.0.1:", "drift.html", "took"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    // A person reads it at a glance. How often it says on stderr what it waits for is a matter of the machine.
    assert!(text.lines().count() <= 12, "{text}");
    // Nothing serves any more, and nothing says so.
    assert!(text.contains("served     http://") && !text.contains("serving  "), "{text}");
}

#[test]
fn a_second_run_switches_without_a_failed_request() {
    let project = TestProject::iris();
    let mut kept = Kept::start(&project);
    let client = Client::start(&kept.url());
    client.wait_for_requests(50);

    let second = summary(&project.run(&["run", "--force", "--json"]));
    assert_eq!(second["model"]["version"], "2");
    let before = client.sent();
    client.wait_for_requests(before + 50);
    let (sent, failures, versions) = client.stop();
    assert!(failures.is_empty(), "{} of {sent} failed: {:?}", failures.len(), failures.first());
    assert_eq!(versions.last().map(String::as_str), Some("2"), "versions seen: {versions:?}");

    kept.interrupt();
    assert!(reqwest_get(&kept.url()).is_err(), "something still answers after Ctrl-C");
}

#[test]
fn a_failing_gate_stops_with_exit_code_3_and_leaves_production_alone() {
    let project = TestProject::iris();
    stdout_of(&project.run(&["run", "--json"]), 0);
    project.edit("accuracy = { min = 0.9 }", "accuracy = { min = 1.1 }");
    let output = project.run(&["run"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("accuracy is") && error.contains("at least 1.1"), "{error}");

    assert_eq!(production(&project), "[(1,)]");
}

/// The version with the alias `Production`, as the database has it.
fn production(project: &TestProject) -> String {
    let versions = trainyard_testkit::run_python(
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(\"select version from registered_model_aliases where alias = 'Production'\").fetchall())",
        &[project.file("mlflow.db").to_str().unwrap()],
        &[],
    );
    versions.trim().to_owned()
}

#[test]
fn killed_at_any_moment_the_next_run_works() {
    let project = TestProject::iris();
    for delay_ms in [5, 60, 150, 300, 500, 800, 1200, 1800] {
        let mut child = trainyard()
            .current_dir(project.path())
            .arg("run")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay_ms));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let after = summary(&project.run(&["run", "--json"]));
    assert!(after["metrics"]["accuracy"].is_number());
    let version = after["model"]["version"].as_str().unwrap();
    assert_eq!(production(&project), format!("[({version},)]"));
    // What the registry calls READY has all its files: every version can be loaded and asked.
    let checked = trainyard_testkit::run_python(
        r"
import sqlite3, sys, pathlib
root = pathlib.Path(sys.argv[1])
db = sqlite3.connect(root / 'mlflow.db')
assert db.execute('pragma integrity_check').fetchone()[0] == 'ok'
rows = db.execute('''select m.artifact_location from model_versions v
    join logged_models m on v.source = 'models:/' || m.model_id''').fetchall()
assert rows, 'no version points at a logged model'
for (location,) in rows:
    folder = root / 'mlartifacts' / location.removeprefix('mlflow-artifacts:/')
    assert (folder / 'MLmodel').is_file() and (folder / 'model.onnx').is_file(), folder
print(len(rows))
",
        &[project.path().to_str().unwrap()],
        &[],
    );
    assert!(checked.trim().parse::<u32>().unwrap() >= 1);
}

#[test]
fn each_step_can_be_run_alone() {
    let project = TestProject::iris();
    let trained: Value =
        serde_json::from_str(&stdout_of(&project.run(&["train", "--json"]), 0)).unwrap();
    assert_eq!(trained["version"], "1");
    let output = project.run(&["promote", "--version", "1"]);
    let promoted = stdout_of(&output, 0);
    assert!(promoted.contains("IrisClassifier version 1 (Staging)"), "{promoted}");
    // Without a terminal each step is a line.
    let steps = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(steps.contains("gate: done, ") && steps.contains("promote: done, "), "{steps}");
    let deployed: Value =
        serde_json::from_str(&stdout_of(&project.run(&["deploy", "--json"]), 0)).unwrap();
    let url = deployed["url"].as_str().unwrap().to_owned();
    let health: Value =
        serde_json::from_str(&reqwest_get(&format!("{url}/health")).unwrap()).unwrap();
    assert_eq!(health["version"], "1");
    let status = stdout_of(&project.run(&["deploy", "status"]), 0);
    assert!(status.contains(&url), "{status}");
    let monitored = project.run(&[
        "monitor",
        "--reference",
        "data/train.csv",
        "--current",
        "data/production_logs.csv",
        "--fail-on-drift",
    ]);
    assert_eq!(monitored.status.code(), Some(4), "{monitored:?}");
    stdout_of(&project.run(&["deploy", "stop"]), 0);
    assert!(reqwest_get(&url).is_err());
}

#[test]
fn a_run_that_cannot_deploy_leaves_production_on_what_serves() {
    let project = TestProject::iris();
    project.edit("deadline = \"30s\"", "deadline = \"1ms\"");
    let failed = project.run(&["run"]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert_eq!(production(&project), "[]", "nothing serves, and nothing is labelled");

    project.edit("deadline = \"1ms\"", "deadline = \"30s\"");
    stdout_of(&project.run(&["run", "--force"]), 0);
    assert_eq!(production(&project), "[(2,)]");
    project.edit("deadline = \"30s\"", "deadline = \"1ms\"");
    assert_eq!(project.run(&["run", "--force"]).status.code(), Some(1));
    assert_eq!(production(&project), "[(2,)]");
    project.edit("deadline = \"1ms\"", "deadline = \"30s\"");
    let again: Value =
        serde_json::from_str(&stdout_of(&project.run(&["deploy", "--json"]), 0)).unwrap();
    assert_eq!(again["version"], "3", "it was approved, and waits for its release");
    assert_eq!(production(&project), "[(3,)]");
}

#[test]
fn a_staged_version_that_cannot_be_served_is_refused_at_once_and_says_why() {
    let project = TestProject::iris();
    // By what it logged alone: the model itself is looked at when it is served as `Staging`.
    project.edit("accuracy = 0.02", "");
    let before = summary(&project.run(&["run", "--json"]));
    let trained: Value =
        serde_json::from_str(&stdout_of(&project.run(&["train", "--json"]), 0)).unwrap();
    let model_id = trained["model_uri"].as_str().unwrap().strip_prefix("models:/").unwrap();
    let damaged = damage(&project.file("mlartifacts"), model_id);
    assert_eq!(damaged, 1, "model.onnx of {model_id}");

    let started = Instant::now();
    let output = project.run(&["promote", "--version", "2"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("version 2") && error.contains("cannot be served"), "{error}");
    // It is told what is wrong, and does not wait out the deadline of two minutes.
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());

    stdout_of(&project.run(&["deploy"]), 0);
    let status = stdout_of(&project.run(&["deploy", "status"]), 0);
    assert!(status.contains("version 1"), "{before} {status}");
}

#[test]
fn what_its_metrics_refuse_is_refused_without_its_folder() {
    let project = TestProject::iris();
    stdout_of(&project.run(&["train"]), 0);
    std::fs::remove_dir_all(project.file("mlartifacts")).unwrap();
    project.edit("accuracy = { min = 0.9 }", "accuracy = { min = 1.1 }");
    let output = project.run(&["promote", "--json"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("accuracy") && error.contains("at least 1.1"), "{error}");
    // Whoever wants JSON gets the refusal as JSON.
    let refused: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&refused["name"], &refused["version"]), (&"IrisClassifier".into(), &Value::Null));
    assert!(refused["refused"].as_str().unwrap().contains("at least 1.1"), "{refused}");
    let checks = refused["gate"]["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["passed"] == false), "{refused}");
}

/// Overwrites `model.onnx` of a logged model, wherever below `root` it lies.
fn damage(root: &std::path::Path, model_id: &str) -> usize {
    let mut damaged = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damaged += damage(&path, model_id);
        } else if path.ends_with("model.onnx") && path.to_string_lossy().contains(model_id) {
            std::fs::write(&path, b"no model").unwrap();
            damaged += 1;
        }
    }
    damaged
}

#[test]
fn a_release_that_is_interrupted_says_so_and_the_next_tidies_up() {
    let project = TestProject::iris();
    for verb in ["train", "promote", "deploy"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    project.edit("bake = \"1s\"", "bake = \"5m\"");
    let child = trainyard()
        .current_dir(project.path())
        .arg("deploy")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // In its bake both instances are up.
    let instances = || {
        let status = project.run(&["deploy", "status", "--json"]);
        let status: Value = serde_json::from_str(&stdout_of(&status, 0)).unwrap();
        let all = status["instances"].as_array().unwrap().clone();
        (all[0]["id"].as_str().unwrap().to_owned(), all.len())
    };
    let start = Instant::now();
    while instances() != ("r2".to_owned(), 2) {
        assert!(start.elapsed() < Duration::from_mins(1), "{:?}", instances());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("interrupted") && error.contains("deploying again"), "{error}");
    // What was not finished is taken back at once.
    assert_eq!(instances(), ("r1".to_owned(), 1));
    project.edit("bake = \"5m\"", "bake = \"1s\"");
    stdout_of(&project.run(&["deploy"]), 0);
    assert_eq!(instances(), ("r3".to_owned(), 1));
}

#[test]
fn keep_leaves_a_deployment_that_was_up_before() {
    let project = TestProject::iris();
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let deployed: Value =
        serde_json::from_str(&stdout_of(&project.run(&["deploy", "--json"]), 0)).unwrap();
    let url = deployed["url"].as_str().unwrap();
    let mut kept = Kept::start(&project);
    kept.interrupt();
    let health: Value =
        serde_json::from_str(&reqwest_get(&format!("{url}/health")).unwrap()).unwrap();
    assert_eq!(health["version"], "2", "served on by what was up before");
}

/// A `trainyard run --keep` that is up.
struct Kept {
    child: Child,
    summary: Value,
}

impl Kept {
    fn start(project: &TestProject) -> Self {
        let mut child = trainyard()
            .current_dir(project.path())
            .args(["run", "--force", "--keep", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let summary =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { child, summary }
    }

    fn url(&self) -> String {
        self.summary["url"].as_str().unwrap().to_owned()
    }

    /// Ctrl-C, and wait until it is gone.
    fn interrupt(&mut self) {
        let pid = self.child.id().to_string();
        std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Requests without pause, half over one kept connection and half over new ones.
struct Client {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<(Vec<String>, Vec<String>)>,
}

impl Client {
    fn start(url: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&sent));
        let url = format!("{url}/predict");
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let row = json!([{
                    "sepal length (cm)": 5.1, "sepal width (cm)": 3.5,
                    "petal length (cm)": 1.4, "petal width (cm)": 0.2
                }]);
                let kept = reqwest::Client::new();
                let mut failures = Vec::new();
                let mut versions: Vec<String> = Vec::new();
                while !stopped.load(Ordering::Relaxed) {
                    let fresh = reqwest::Client::new();
                    for client in [&kept, &fresh] {
                        match client.post(&url).json(&row).send().await {
                            Ok(answer) if answer.status() == 200 => {
                                let version = answer
                                    .headers()
                                    .get("x-model-version")
                                    .map(|value| value.to_str().unwrap().to_owned())
                                    .unwrap_or_default();
                                if versions.last() != Some(&version) {
                                    versions.push(version);
                                }
                                let body = answer.text().await.unwrap();
                                if !body.contains("setosa") {
                                    failures.push(body);
                                }
                            }
                            Ok(answer) => failures.push(answer.status().to_string()),
                            Err(error) => failures.push(format!("{error:?}")),
                        }
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                }
                (failures, versions)
            })
        });
        Self { stop, sent, thread }
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn wait_for_requests(&self, count: u64) {
        let start = Instant::now();
        while self.sent() < count {
            assert!(
                start.elapsed() < Duration::from_mins(1),
                "{} requests in a minute",
                self.sent()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn stop(self) -> (u64, Vec<String>, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let sent = Arc::clone(&self.sent);
        let (failures, versions) = self.thread.join().unwrap();
        (sent.load(Ordering::Relaxed), failures, versions)
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Body of a GET, or why there is none.
pub(crate) fn reqwest_get(url: &str) -> Result<String, reqwest::Error> {
    runtime().block_on(async { reqwest::get(url).await?.text().await })
}

/// Sends JSON and reads the whole answer, which must be a good one.
pub(crate) fn post_json(url: &str, value: &Value) -> Result<String, reqwest::Error> {
    runtime().block_on(async {
        let answer = reqwest::Client::new().post(url).json(value).send().await?;
        answer.error_for_status()?.text().await
    })
}
