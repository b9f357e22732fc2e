//! The tracking pages and the report of a real run, in a real browser.

use std::process::Stdio;
use std::time::Duration;

use trainyard_testkit::{KillOnDrop, browser, free_port, wait_until_ready};

use crate::project::{TestProject, stdout_of, trainyard};

#[test]
fn a_run_its_model_and_its_drift_report_can_be_looked_at() {
    let project = TestProject::iris();
    let summary: serde_json::Value =
        serde_json::from_str(&stdout_of(&project.run(&["run", "--json"]), 0)).unwrap();
    let port = free_port();
    let _server = KillOnDrop::spawn(
        trainyard()
            .current_dir(project.path())
            .args(["server", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    wait_until_ready(port, Duration::from_mins(1));
    let base = format!("http://127.0.0.1:{port}");

    let home = browser::dom(&base);
    // What the program keeps is in the list, and not among the first.
    assert!(home.contains("/iris_staging") && !home.contains("/iris_monitoring"), "{home}");
    let experiments = browser::dom(&format!("{base}/experiments"));
    assert!(experiments.contains("/iris_monitoring"), "{experiments}");
    let run_id = summary["run_id"].as_str().unwrap();
    let run = browser::dom(&format!("{base}/runs/{run_id}"));
    for part in [
        "accuracy",
        "n_estimators",
        "confusion_matrix.svg",
        "train_reference.parquet",
        "loading=\"lazy\"",
    ] {
        assert!(run.contains(part), "{part} is not on the run's page:\n{run}");
    }
    let model = browser::dom(&format!("{base}/models/IrisClassifier"));
    for part in ["Production", ">passed</span>"] {
        assert!(model.contains(part), "{part} is not on the model's page:\n{model}");
    }
    let version = browser::dom(&format!("{base}/models/IrisClassifier/versions/1"));
    for part in ["trainyard.gate", "trainyard.data_digest"] {
        assert!(version.contains(part), "{part} is not on the version's page:\n{version}");
    }
    let report = format!("file://{}", project.file("reports/drift.html").display());
    assert!(browser::dom(&report).contains("sepal length (cm)"));
}
