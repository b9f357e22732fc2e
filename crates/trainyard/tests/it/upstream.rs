//! The pipeline against an unmodified upstream `mlflow server`.

use serde_json::Value;
use trainyard_testkit::upstream::UpstreamServer;

use crate::project::{TestProject, stdout_of, trainyard};

#[test]
fn a_run_tracks_registers_and_serves_by_an_upstream_server() {
    let server = UpstreamServer::start(&[]);
    let project = TestProject::iris();
    let run = |arguments: &[&str]| {
        trainyard()
            .current_dir(project.path())
            .env("MLFLOW_TRACKING_URI", server.url())
            .args(arguments)
            .output()
            .unwrap()
    };
    let summary: Value = serde_json::from_str(&stdout_of(&run(&["run", "--json"]), 0)).unwrap();
    assert_eq!(summary["tracking_url"], server.url());
    assert_eq!(summary["model"]["version"], "1");
    assert!(!project.file("mlflow.db").exists(), "all of it is on the server");

    let seen = trainyard_testkit::run_python(
        r"
import sys, mlflow
from mlflow import MlflowClient
mlflow.set_tracking_uri(sys.argv[1])
version = MlflowClient().get_model_version_by_alias('IrisClassifier', 'Production')
run = MlflowClient().get_run(version.run_id)
model = mlflow.pyfunc.load_model('models:/IrisClassifier@Production')
example = model.input_example
print(version.version, run.info.run_id, run.info.status, len(model.predict(example)) == len(example))
",
        &[&server.url()],
        &[],
    );
    let run_id = summary["run_id"].as_str().unwrap();
    assert_eq!(seen.trim(), format!("1 {run_id} FINISHED True"));

    let second = stdout_of(&run(&["run", "--force", "--json"]), 0);
    let second: Value = serde_json::from_str(&second).unwrap();
    assert_eq!(second["model"]["version"], "2");
    // What was trained on is read back, and what looks led to.
    let third = stdout_of(&run(&["train", "--if-new"]), 0);
    assert!(third.contains("version 2 (nothing new to learn from)"), "{third}");
    project.edit("drift_share = 0.5", "drift_share = 0.0");
    project.edit("# min_requests = 100", "min_requests = 5 #");
    let look = stdout_of(&run(&["retrain", "--check"]), 0);
    assert!(look.contains("not trained: the last training was"), "{look}");
}
